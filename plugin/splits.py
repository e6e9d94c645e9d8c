"""What to learn from, and what to measure on."""

from typing import Any

import fiftyone.operators.types as types

from . import forms

WAYS = {
    "tags": "Two tags",
    "views": "Two saved views",
    "percent": "A part at random; no tags are written",
    "none": "Learn from all; measure nothing",
}


def add(form: types.Object, samples: Any, params: dict[str, Any]) -> None:
    """Adds the inputs of a split, filled from what is there.

    Args:
        form: of the operator
        samples: the target
        params: what was chosen so far
    """
    tags = sorted(samples.distinct("tags"))
    views = samples._root_dataset.list_saved_views()
    ways = [
        way
        for way in WAYS
        if (way != "tags" or len(tags) > 1) and (way != "views" or len(views) > 1)
    ]
    forms.dropdown(
        form, "split", {way: WAYS[way] for way in ways}, label="Split", required=False
    )
    way = params.get("split", ways[0])
    if way == "tags":
        for name, label in (("train", "Learn from tag"), ("val", "Measure on tag")):
            forms.dropdown(form, f"{name}_tag", tags, label=label, default=name)
    elif way == "views":
        for name, label in (("train", "Learn from view"), ("val", "Measure on view")):
            forms.dropdown(form, f"{name}_view", views, label=label, default=name)
    elif way == "percent":
        form.float(
            "val_percent",
            label="Measure on so many percent",
            default=20.0,
            min=1.0,
            max=90.0,
        )
        form.int("split_seed", label="Seed of the split", default=0, min=0)


def of(samples: Any, params: dict[str, Any]) -> tuple[Any, Any]:
    """Returns what to learn from, and what to measure on; None for nothing.

    Args:
        samples: the target
        params: as `add` asks for them

    Raises:
        ValueError: if a split is not one of `WAYS`, or a part is missing or empty
    """
    way = params.get("split", "none")
    if way == "none":
        return samples, None
    if way == "percent":
        percent = float(params.get("val_percent", 20.0))
        if not 0 < percent < 100:
            raise ValueError(f"val_percent must be between 0 and 100, got {percent}")
        shuffled = samples.shuffle(seed=int(params.get("split_seed", 0)))
        count = max(1, round(len(samples) * percent / 100))
        return shuffled.skip(count), shuffled.limit(count)
    if way not in WAYS:
        raise ValueError(f"split must be one of {', '.join(WAYS)}, got {way!r}")
    kind = way.removesuffix("s")
    parts = []
    for name in ("train", "val"):
        value = params.get(f"{name}_{kind}")
        if not value:
            raise ValueError(f"split '{way}' needs {name}_{kind}")
        if kind == "tag":
            part = samples.match_tags(value)
        else:
            part = samples._root_dataset.load_saved_view(value)
        if not len(part):
            raise ValueError(f"{name}_{kind} '{value}' has no samples")
        parts.append(part)
    return parts[0], parts[1]
