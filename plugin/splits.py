"""What to learn from, and what to measure on."""

from typing import Any

import fiftyone.operators.types as types

from . import facts, forms

WAYS = {
    "tags": "Two tags",
    "views": "Two saved views",
    "percent": "A part at random; no tags are written",
    "none": "Learn from all; measure nothing",
}
CHOSEN = {"tags": "tag", "views": "view"}
"""What each part is chosen by."""
PERCENT = 20.0


def add(form: types.Object, samples: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Adds the inputs of a split, filled from what is there.

    Args:
        form: of the operator
        samples: the target
        params: what was chosen so far

    Returns:
        `params` with what the form proposes where nothing was chosen
    """
    tags = facts.tags(samples)
    views = samples._root_dataset.list_saved_views()
    ways = [
        way
        for way in WAYS
        if (way != "tags" or len(tags) > 1) and (way != "views" or len(views) > 1)
    ]
    proposed: dict[str, Any] = {"split": ways[0]}
    named = {way: WAYS[way] for way in ways}
    forms.dropdown(form, "split", named, label="Split")
    way = params.get("split", ways[0])
    if way in CHOSEN:
        kind, there = CHOSEN[way], tags if way == "tags" else views
        for part, verb in (("train", "Learn from"), ("val", "Measure on")):
            name = f"{part}_{kind}"
            likely = part if part in there else next(iter(there), "")
            proposed[name] = likely
            label = f"{verb} {kind}"
            forms.dropdown(form, name, there, label=label, default=likely)
    elif way == "percent":
        label = "Measure on so many percent"
        form.float("val_percent", label=label, default=PERCENT, min=1.0, max=90.0)
        form.int("split_seed", label="Seed of the split", default=0, min=0)
    return {**proposed, **{k: v for k, v in params.items() if v is not None}}


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
        shuffled = samples.shuffle(seed=int(params.get("split_seed", 0)))
        count = _count(len(samples), params)
        return shuffled.skip(count), shuffled.limit(count)
    if way not in WAYS:
        raise ValueError(f"split must be one of {', '.join(WAYS)}, got {way!r}")
    kind = CHOSEN[way]
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


def foresee(samples: Any, params: dict[str, Any]) -> tuple[Any, Any, int, int]:
    """Returns what `of` returns, and both sizes; does not shuffle, which takes long.

    Args:
        samples: the target
        params: as `add` asks for them

    Raises:
        ValueError: as `of` does
    """
    if params.get("split") == "percent":
        images, count = len(samples), _count(len(samples), params)
        return samples, None, images - count, count
    train, val = of(samples, params)
    return train, val, len(train), 0 if val is None else len(val)


def _count(images: int, params: dict[str, Any]) -> int:
    percent = float(params.get("val_percent", PERCENT))
    if not 0 < percent < 100:
        raise ValueError(f"val_percent must be between 0 and 100, got {percent}")
    return max(1, round(images * percent / 100))
