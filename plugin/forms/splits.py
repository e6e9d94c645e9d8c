"""The split into training and validation samples."""

from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import fiftyone_private, splitting
from yolov1_fo.datasets.inspection_report import TAG_PREFIX

from .. import dataset_values
from . import form_widgets, leave_out

METHODS = {
    "tags": "Split by tags",
    "views": "Split by saved views",
    "auto": "Automatic split (10 % for validation)",
    "percent": "Random split (tags unchanged)",
    "none": "No validation",
}
PARTS = {"train": ("train", "training"), "val": ("val", "validation", "valid")}
"""The usual names of both parts."""
OTHERS = "*"
"""The training tag that stands for all samples without the validation tag."""
UNITS = {"tags": "tag", "views": "view"}
"""The inputs `train_<unit>` and `val_<unit>` choose the two parts."""
NUMBERS = ("val_percent", "split_seed")
VAL_PERCENT = 20.0


def add_inputs(
    form: types.Object, samples: Any, params: dict[str, Any]
) -> dict[str, Any]:
    """Adds the inputs of a split.

    Args:
        form: the operator's form
        samples: the target
        params: the inputs so far, and `gt_field`

    Returns:
        `params`, completed with the defaults of these inputs
    """
    own = dataset_values.tags(samples)
    tags = [tag for tag in own if not tag.startswith(TAG_PREFIX)]
    views = fiftyone_private.root_dataset(samples).list_saved_views()
    methods = {
        method: label
        for method, label in METHODS.items()
        if (method != "tags" or tags) and (method != "views" or len(views) > 1)
    }
    default = form_widgets.add_dropdown(
        *(form, "split", methods),
        label="Split",
        default="tags" if _usual("val", tags) else "auto",
        params=params,
    )
    defaults: dict[str, Any] = {"split": default}
    method = params.get("split", default)
    if method in UNITS:
        unit, found = UNITS[method], tags if method == "tags" else views
        for part, name in (("train", "Training"), ("val", "Validation")):
            choices = {one: one for one in found}
            if (part, unit) == ("train", "tag"):
                choices[OTHERS] = "All other samples"
            defaults[f"{part}_{unit}"] = form_widgets.add_dropdown(
                *(form, f"{part}_{unit}", choices),
                label=f"{name} {unit}",
                default=_usual(part, found) or (OTHERS if part == "train" else None),
                params=params,
            )
    elif method == "percent":
        form.float(
            "val_percent",
            label="Validation share (%)",
            default=VAL_PERCENT,
            min=1.0,
            max=90.0,
        )
        form.int("split_seed", label="Split seed", default=0, min=0)
    leave_out.add_input(form, samples, params["gt_field"])
    is_kept = {k for k, v in params.items() if v is not None} | {*NUMBERS}
    return {**defaults, **{k: v for k, v in params.items() if k in is_kept}}


def _usual(part: str, names: list[str]) -> str | None:
    """Returns the usual name of a part, if it is among some tags or views."""
    return next((name for name in PARTS[part] if name in names), None)


def split(samples: Any, params: dict[str, Any]) -> tuple[Any, Any]:
    """Returns the training and validation samples.

    The validation samples are None for `none`, and for `auto`, where the training puts
    them aside.

    Args:
        samples: the target
        params: the inputs of `add_inputs`

    Raises:
        ValueError: if the method is not one of `METHODS`, or a part is missing or empty
    """
    samples = leave_out.kept(samples, params)
    method = params.get("split", "auto")
    if method in ("auto", "none"):
        return samples, None
    if method == "percent":
        shuffled = samples.shuffle(seed=int(params.get("split_seed", 0)))
        count = _val_count(len(samples), params)
        return shuffled.skip(count), shuffled.limit(count)
    if method not in METHODS:
        raise ValueError(f"split must be one of {', '.join(METHODS)}, got {method!r}")
    unit = UNITS[method]
    chosen = {name: params.get(f"{name}_{unit}") for name in PARTS}
    for name, value in chosen.items():
        if not value:
            raise ValueError(f"{name}_{unit} is empty; choose one")
    parts = []
    for name, value in chosen.items():
        if (name, unit, value) == ("train", "tag", OTHERS):
            part = samples.match_tags(chosen["val"], bool=False)
        elif unit == "tag":
            part = samples.match_tags(value)
        else:
            root = fiftyone_private.root_dataset(samples)
            part = leave_out.kept(root.load_saved_view(value), params)
        if not len(part):
            raise ValueError(f"{name}_{unit} '{value}' has no samples")
        parts.append(part)
    return parts[0], parts[1]


def preview(samples: Any, params: dict[str, Any]) -> tuple[Any, Any, int, int]:
    """Returns both parts and their sizes, without the cost of shuffling.

    The parts have no samples in common. For an automatic or random split the parts are
    all samples and None; the sizes are correct.

    Args:
        samples: the target
        params: the inputs of `add_inputs`

    Raises:
        ValueError: as `split` does; if the parts have common samples, or an input was
            emptied
    """
    enter = dict.fromkeys(NUMBERS, form_widgets.ENTER_NUMBER)
    form_widgets.check_filled(params, enter)
    samples = leave_out.kept(samples, params)
    if params.get("split") == "percent":
        total = len(samples)
        count = _val_count(total, params)
        return samples, None, total - count, count
    if params.get("split") == "auto":
        total = len(samples)
        count = splitting.val_count(samples, TrainConfig.val_fraction)
        return samples, None, total - count, count
    train, val = split(samples, params)
    if val is not None:
        splitting.check_disjoint(dataset_values.shared_count(train, val))
    return train, val, len(train), 0 if val is None else len(val)


def _val_count(total: int, params: dict[str, Any]) -> int:
    percent = float(params.get("val_percent", VAL_PERCENT))
    if not 0 < percent < 100:
        raise ValueError(f"val_percent must be between 0 and 100, got {percent}")
    return max(1, round(total * percent / 100))
