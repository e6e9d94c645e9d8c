"""The input "Start from": what a training takes its first weights from."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.config import arguments
from yolov1_fo.runs import records, registry, run_json
from yolov1_fo.training import matching_layers, starting_weights
from yolov1_fo.training.starting_weights import DETECTOR, Source

from . import form_widgets, run_labels

NEW = ""
"""The choice of the network's own weights."""
MAX_CLASSES = 10
"""Number of classes that a notice names."""


def choices(dataset: Any) -> dict[str, str]:
    """Returns runs, newest first, then published and included models, with labels."""
    runs = {key: records.info(dataset, key) for key in registry.newest_first(dataset)}
    ended = [
        key
        for key, run in runs.items()
        if getattr(run, "status", "failed") != "running" and getattr(run, "epoch", 0)
    ]
    tasks = (run_json.DETECT, run_json.CLASSIFY)
    return run_labels.models(dataset, ended, tasks) | run_labels.included()


def add_input(form: types.Object, choices: dict[str, str]) -> None:
    """Adds the choice among runs and published models, if there are any.

    Args:
        form: the operator's form
        choices: of `choices`
    """
    if choices:
        form_widgets.add_dropdown(
            form,
            "weights",
            {NEW: "Default weights", **choices},
            label="Start from",
            description="A run or model brings its network; its classes are "
            "matched by name",
        )


def chosen(
    dataset: Any, params: Mapping[str, Any], choices: Collection[str]
) -> Source | None:
    """Returns what the training starts from; None for the network's own weights.

    Args:
        dataset: with the runs
        params: the inputs of the form
        choices: of `choices`

    Raises:
        FileNotFoundError: if it does not exist, any more
        ValueError: if it is not one of the choices
        TypeError: if it is not a name
    """
    weights = params.get("weights")
    if not weights:
        return None
    name = arguments.check_path_or_name("weights", weights)
    if name not in choices:  # files are not read, nor weights downloaded
        starting_weights.check_exists(dataset, name)
        raise ValueError(
            f"weights {name!r} is not a run that has ended with a checkpoint, nor a "
            "published model"
        )
    return starting_weights.find(dataset, name)


def add_class_changes(
    form: types.Object, source: Source | None, classes: Sequence[str]
) -> None:
    """Adds a line about the classes that start anew and those that are dropped.

    Args:
        form: the operator's form
        source: what the training starts from; None without
        classes: of the training
    """
    if source is None or source.kind != DETECTOR:
        return
    changes = matching_layers.class_changes(source.classes, classes)
    lines = [
        f"{what}: {_listed(names)}"
        for what, names in zip(("new", "dropped"), changes, strict=True)
        if names
    ]
    if lines:
        text = f"Classes compared with '{source.weights}': {'; '.join(lines)}"
        form_widgets.add_notice(form, "class_changes", text)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_CLASSES
    return ", ".join(names[:MAX_CLASSES]) + (f" and {more} more" if more > 0 else "")
