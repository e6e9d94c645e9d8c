"""The inputs of Apply: thresholds, classes, and how the network computes."""

from collections.abc import Mapping
from typing import Any

import fiftyone.core.media as fomm
import fiftyone.operators.types as types

from yolov1_fo.config import PREDICTION_PRECISIONS, RUNTIMES
from yolov1_fo.datasets import media_files
from yolov1_fo.inference.apply_options import ApplyOptions

from . import form_widgets

DEFAULTS = {"confidence_thresh": 0.01, "iou_thresh": 0.5, "batch_size": 16}
SETTINGS = (
    *("confidence_thresh", "iou_thresh", "filter_classes", "precision", "runtime"),
)
"""Inputs that are settings of the model."""
ADVANCED = {
    "engine": "Engine",
    "num_workers": "Workers",
    "runtime": "Runtime",
    "media_field": "Media field",
}
"""Labels of the inputs among the advanced settings, by name."""
ENGINES = {
    "thread": "thread: in one process",
    "process": "process: in several processes",
    "ray": "ray: in a Ray cluster",
}
UNSET: tuple[Any, ...] = (None, "", [])
"""Values of empty inputs."""


def settings(params: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of the model that are not empty.

    Args:
        params: the inputs of the form
    """
    return {n: params[n] for n in SETTINGS if params.get(n) not in UNSET}


def options(params: Mapping[str, Any]) -> ApplyOptions:
    """Returns the options of `apply`; empty inputs have the default.

    Args:
        params: the inputs of the form
    """
    names = ApplyOptions._fields
    return ApplyOptions(**{n: params[n] for n in names if params.get(n) not in UNSET})


def add(form: types.Object, classes: list[str]) -> None:
    """Adds the inputs for detectors: thresholds, classes and precision.

    Args:
        form: the operator's form
        classes: of the model
    """
    form.float(
        "confidence_thresh",
        label="Minimum confidence",
        description="Keep it low for a correct mAP; the App shows the confident ones",
        default=DEFAULTS["confidence_thresh"],
        min=0.0,
        max=1.0,
    )
    form.float(
        "iou_thresh",
        label="NMS IoU threshold",
        description="Removes detections that overlap a more confident one by more",
        default=DEFAULTS["iou_thresh"],
        min=0.0,
        max=1.0,
    )
    form_widgets.add_classes(
        form, "filter_classes", classes, "Classes to detect; all by default"
    )
    form_widgets.add_dropdown(
        form,
        "precision",
        {"": "As in training"} | {name: name for name in PREDICTION_PRECISIONS},
        label="Precision",
        description="auto is bfloat16 on devices that support it: faster, with "
        "slightly different scores; int8 needs a calibrated export",
    )


def add_batch_size(form: types.Object) -> None:
    """Adds the batch size."""
    default = DEFAULTS["batch_size"]
    form.int("batch_size", label="Batch size", default=default, min=1)


def add_advanced(form: types.Object, samples: Any, params: Mapping[str, Any]) -> None:
    """Adds the advanced settings, or a line about edited ones that are hidden.

    Args:
        form: the operator's form
        samples: the target
        params: the inputs so far
    """
    form.bool("advanced", label="Advanced settings", default=False)
    if not params.get("advanced"):
        given = {n: params[n] for n in ADVANCED if params.get(n) not in UNSET}
        edited = {n: x for n, x in given.items() if x != _default(n)}
        if edited:
            listed = ", ".join(f"{ADVANCED[n]} {value}" for n, value in edited.items())
            text = f"Edited advanced settings: {listed}"
            form_widgets.add_notice(form, "edited", text)
        return
    if samples.media_type == fomm.IMAGE:
        _add_engine(form)
    form_widgets.add_dropdown(
        form,
        "runtime",
        {"": "auto"} | {name: name for name in RUNTIMES},
        label=ADVANCED["runtime"],
        description="What runs the network. auto: on a CPU the fastest that is "
        "installed, on a GPU keras",
    )
    if samples.media_type == fomm.IMAGE:
        _add_media_field(form, samples)


def _default(name: str) -> Any:
    return ApplyOptions._field_defaults.get(name)


def hidden(params: Mapping[str, Any]) -> dict[str, str]:
    """Returns the labels of the inputs that the form does not show, by name."""
    return {} if params.get("advanced") else ADVANCED


def _add_engine(form: types.Object) -> None:
    form_widgets.add_dropdown(
        form,
        "engine",
        ENGINES,
        label=ADVANCED["engine"],
        description="Where the network computes",
    )
    form.int(
        "num_workers",
        label=ADVANCED["num_workers"],
        description="Threads that decode images, or processes. 0: one per CPU core or, "
        "in a cluster with GPUs, one per GPU",
        default=0,
        min=0,
    )


def _add_media_field(form: types.Object, samples: Any) -> None:
    """Adds the choice of the field with the image files, if there are several."""
    fields = media_files.fields(samples)
    if fields != [media_files.FILEPATH]:
        form_widgets.add_dropdown(
            form,
            "media_field",
            {"": "That of the training"} | {name: name for name in fields},
            label=ADVANCED["media_field"],
            description="Field with the paths or URLs of the images",
        )
