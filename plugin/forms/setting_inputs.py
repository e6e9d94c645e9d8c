"""The inputs of a training's settings: empty ones leave them to the recipe."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo import architectures
from yolov1_fo.config import TrainConfig, recipes
from yolov1_fo.config.metric_names import VALIDATION_LABELS
from yolov1_fo.config.network import OUTPUT_ACTIVATIONS
from yolov1_fo.config.train import (
    BOX_LOSSES,
    DATA_MODES,
    MONITORS,
    OPTIMIZERS,
    PRECISIONS,
    SCHEDULES,
    SCORE_LOSSES,
)
from yolov1_fo.datasets import sample_weights_field
from yolov1_fo.pipeline import sampling
from yolov1_fo.runs import repeating
from yolov1_fo.runs.recipe_settings import Draft
from yolov1_fo.training import matching_layers
from yolov1_fo.training.starting_weights import Source

from . import form_widgets

BASIC = ("max_minutes", "epochs", "image_size", "batch_size")
ADVANCED = (
    *("recipe", "S", "batch_norm", "optimizer", "learning_rate", "schedule"),
    *("output_activation", "box_loss", "score_loss", "neighbor_cells"),
    *("scale_noobj", "head_filters", "separable_head", "dropout"),
    *("jitter", "flip", "mosaic", "letterbox", "tiles"),
    *("monitor", "patience", "sample_weights", "negative_fraction"),
    *("gradient_accumulation_steps", "precision", "data", "seed"),
)
LABELS = {
    "max_minutes": "Time limit (minutes)",
    "S": "Grid size (S x S)",
    "network": "Network",
    "batch_norm": "Batch normalization",
    "flip": "Horizontal flip",
    "mosaic": "Mosaic",
    "tiles": "Tiles per side",
    "schedule": "Learning rate schedule",
    "patience": "Early stopping patience",
    "data": "Data mode",
    "scale_noobj": "Scale lambda_noobj to the grid",
    "box_loss": "Box loss",
    "score_loss": "Score loss",
    "neighbor_cells": "Train neighboring cells",
    "separable_head": "Depthwise separable head",
    "monitor": "Metric for the best checkpoint",
    "negative_fraction": "Share of images without objects",
    "seed": "Random seed",
}
"""Labels of settings that are not simply their names."""
CHOICES: dict[str, tuple[str, ...]] = {
    "recipe": tuple(recipes.RECIPES),
    "output_activation": OUTPUT_ACTIVATIONS,
    "box_loss": BOX_LOSSES,
    "score_loss": SCORE_LOSSES,
    "monitor": MONITORS,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "precision": PRECISIONS,
    "data": DATA_MODES,
}
BOOLS = {"yes": True, "no": False}
UNSET = (None, "")
"""Values of empty inputs."""
NOT_READ = ("image_size", "S", "precision")
"""Automatic settings that depend on the objects or the GPU, which no form reads."""
DECIDING = ("network", "recipe", "image_size")
"""Settings on which the values of others depend."""
NOTHING: Mapping[str, Any] = {}


def label(name: str) -> str:
    """Returns the label of a setting."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def labels() -> dict[str, str]:
    """Returns the labels of all inputs of settings, by name."""
    return {name: label(name) for name in ("network", *BASIC, *ADVANCED)}


def edited(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that were edited, also in inputs that are hidden now.

    Args:
        params: the inputs of the form
    """
    names = [*BASIC, *ADVANCED]
    if not params.get("weights"):  # they bring their network
        names.append("network")
    found = {
        name: _value(params[name]) for name in names if params.get(name) not in UNSET
    }
    if params.get("split") == "none":
        found["val_fraction"] = 0.0
    return found


def of_run(dataset: Any, params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the run chosen as "Same settings as"; none without one.

    Args:
        dataset: with the runs
        params: the inputs of the form

    Raises:
        ValueError: if there is no such run
    """
    run_key = params.get("settings_of")
    if not run_key:
        return {}
    found = repeating.settings_of(dataset, run_key)
    if params.get("weights"):  # they bring their network
        found = {k: v for k, v in found.items() if k not in ("network", "recipe")}
    return found


def given(params: Mapping[str, Any], of_run: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that were edited and those of a run, which they replace.

    The recipe has the others.

    Args:
        params: the inputs of the form
        of_run: from `of_run`
    """
    own, kept = edited(params), dict(of_run)
    if own.get("network", kept.get("network")) != kept.get("network"):
        kept.pop("recipe", None)  # of another network
    return {**kept, **own}


def hidden(params: Mapping[str, Any]) -> dict[str, str]:
    """Returns the labels of the inputs that the form does not show, by name."""
    names = () if params.get("advanced") else ADVANCED
    return {name: label(name) for name in names}


def listed(settings: Mapping[str, Any]) -> str:
    """Returns settings as text, with the labels of the form."""
    shown = labels()
    return ", ".join(
        f"{shown.get(name, label(name))} {_text(value)}"
        for name, value in settings.items()
    )


def _value(shown: Any) -> Any:
    return BOOLS.get(shown, shown) if isinstance(shown, str) else shown


def recipe_draft(settings: Mapping[str, Any], source: Source | None) -> Draft:
    """Returns the settings that empty inputs stand for.

    Args:
        settings: of `given`; invalid ones are left out
        source: what the training starts from; None without
    """
    kept = {name: settings[name] for name in DECIDING if name in settings}
    if kept.get("network") not in tuple(architectures.NETWORKS):
        kept.pop("network", None)
    if kept.get("recipe") not in tuple(recipes.RECIPES):
        kept.pop("recipe", None)
    try:
        return matching_layers.draft(kept, TrainConfig.C, source)
    except ValueError:  # the image size is invalid
        kept.pop("image_size", None)
        return matching_layers.draft(kept, TrainConfig.C, source)


def add_setting(
    form: types.Object,
    name: str,
    settings: Mapping[str, Any],
    source: Source | None,
    checked: TrainConfig | None,
    choices: tuple[str, ...] = (),
    of_run: Mapping[str, Any] = NOTHING,
) -> None:
    """Adds the input of a setting; its description tells what empty means.

    Args:
        form: the operator's form
        name: of a field of `TrainConfig`
        settings: of `given`
        source: what the training starts from; None without
        checked: all settings, with the automatic ones; None if a check failed
        choices (those of `CHOICES`): to choose from
        of_run (none): settings of the run that empty inputs stand for
    """
    others = {**settings, name: of_run.get(name)}
    draft = recipe_draft({k: v for k, v in others.items() if v is not None}, source)
    choices, value = choices or CHOICES.get(name, ()), getattr(draft.config, name)
    text = TrainConfig.describe()[name]
    if text.partition(" ")[0] not in choices:
        text = f"{text[0].upper()}{text[1:]}"
    shown = _empty_text(name, draft, None if name in settings else checked)
    if name in of_run:
        shown = _text(of_run[name])
    options: dict[str, Any] = {
        "label": label(name),
        "description": f"{text}. Empty: {shown}",
    }
    if choices or isinstance(value, bool):
        names = {one: VALIDATION_LABELS.get(one, one) for one in choices or BOOLS}
        empty = f"Default: {shown.partition(' (')[0]}"
        form_widgets.add_dropdown(form, name, {"": empty, **names}, **options)
    elif isinstance(value, int):
        form.int(name, **options)
    elif isinstance(value, float):
        form.float(name, **options)
    else:
        form.str(name, **options)


def sample_weights(samples: Any) -> tuple[str, ...]:
    """Returns the choices of `sample_weights` for some samples."""
    return (sampling.BALANCED, *sample_weights_field.usable(samples))


def _empty_text(name: str, draft: Draft, checked: TrainConfig | None) -> str:
    """Returns what an empty input stands for."""
    if not draft.is_automatic(name):
        return _text(getattr(draft.config, name))
    is_limited = checked is not None and checked.max_minutes > 0
    if name == "epochs" and is_limited:
        return "as many as fit into the time limit"
    if name == "image_size" and not is_limited:
        return _text(draft.config.image_size)
    if name in NOT_READ:
        reason = recipes.choices(draft.config.recipe, draft.config.network)[name].reason
        return f"automatic ({reason})"
    if checked is None:
        return "automatic"
    return f"automatic ({_text(getattr(checked, name))})"


def _text(value: Any) -> str:
    """Returns a setting's value as the form shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    is_none = value == "" or (isinstance(value, float) and not value)
    return "none" if is_none else str(value)
