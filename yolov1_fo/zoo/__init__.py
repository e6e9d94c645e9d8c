"""Our networks and the released Darknet weights in FiftyOne's model zoo.

This folder is also a remote model source: FiftyOne copies it into its own folder for
models and imports this file there, as another module. So it imports yolov1_fo only in
functions, where it may be missing, and never imports Keras.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import fiftyone as fo

MANIFEST = Path(__file__).with_name("manifest.json")
SOURCE = "https://github.com/yolov1-fo/yolov1-fo"
"""Address of this project."""
PRECISIONS = ("float32", "bfloat16", "float16", "int8", "auto")
"""Of the computation, as of `YOLOv1ModelConfig`."""
RUNTIMES = ("auto", "keras", "openvino", "onnxruntime")
"""What runs a network, as of `YOLOv1ModelConfig`."""


def register() -> None:
    """Adds our models to the zoo of this process, for `foz.load_zoo_model(name)`.

    For all processes, run `yolov1-fo register`, or register this repository as a remote
    source: `foz.register_zoo_model_source(url)`.
    """
    paths = fo.config.model_zoo_manifest_paths or []
    if str(MANIFEST) not in paths:
        fo.config.model_zoo_manifest_paths = [*paths, str(MANIFEST)]


def entries() -> dict[str, dict[str, Any]]:
    """Returns the manifest entries of our models by name."""
    models = json.loads(MANIFEST.read_text(encoding="utf-8"))["models"]
    return {model["base_name"]: model for model in models}


def requirements() -> dict[str, Any]:
    """Returns what the models need, as their manifest says it.

    TensorFlow's packages overwrite each other. FiftyOne accepts any one of those in a
    row, and installs the first.
    """
    cpu = "tensorflow-cpu|tensorflow|tensorflow-macos"
    gpu = "tensorflow[and-cuda]|tensorflow|tensorflow-cpu|tensorflow-macos"
    return {
        "packages": [f"yolov1-fo @ git+{SOURCE}", "keras>=3.15"],
        "cpu": {"support": True, "packages": [cpu]},
        "gpu": {"support": True, "packages": [gpu]},
    }


def resolve_input(model_name: str, ctx: Any) -> Any:
    """Returns a form for the settings of a model; FiftyOne's zoo operator shows it.

    Args:
        model_name: in the manifest, with or without its version
        ctx: of the operator
    """
    from fiftyone.operators import types

    form = types.Object()
    entry = entries()[model_name.partition("@")[0]]
    if "settings" in entry["default_deployment_config_dict"]["config"]:
        form.str(
            "classes",
            label="Classes",
            description="Names separated by commas. Empty: the 20 classes of VOC",
        )
    share = {"min": 0.0, "max": 1.0}
    for name, value, label, description in (
        (
            *("confidence_thresh", 0.01, "Minimum confidence"),
            "Lower predictions are left out; a correct mAP needs low ones",
        ),
        (
            *("iou_thresh", 0.5, "NMS IoU threshold"),
            "Of predictions that overlap more, the one of the highest score is kept",
        ),
    ):
        form.float(name, default=value, label=label, description=description, **share)
    form.int(
        "max_detections",
        default=100,
        min=1,
        label="Maximum detections",
        description="Number of predictions per image that are kept",
    )
    form.str(
        "filter_classes",
        label="Classes to detect",
        description="Names separated by commas. Empty: all",
    )
    form.int(
        "tiles",
        min=0,
        max=8,
        label="Tiles per side",
        description="Predict overlapping tiles of each image too, for small objects. "
        "Empty: as in training",
    )
    form.enum(
        "precision",
        PRECISIONS,
        label="Precision",
        description="Of the computation. Empty: that of the training; auto: bfloat16 "
        "where the device supports it; int8: that of a calibrated export",
    )
    form.enum(
        "runtime",
        RUNTIMES,
        label="Runtime",
        description="What runs the network. Empty or auto: on a CPU the fastest that "
        "is installed, on a GPU Keras",
    )
    return types.Property(form)


def parse_parameters(model_name: str, ctx: Any, params: dict[str, Any]) -> None:
    """Turns the inputs of `resolve_input` into settings of the model, in place.

    Args:
        model_name: in the manifest
        ctx: of the operator
        params: the inputs
    """
    for name in ("classes", "filter_classes"):
        names = params.pop(name, None)
        if isinstance(names, str):
            names = [one.strip() for one in names.split(",") if one.strip()]
        if names:
            params[name] = names
    for name in ("precision", "runtime", "tiles"):
        if params.get(name) in (None, ""):
            params.pop(name, None)


def download_model(model_name: str, model_path: str) -> None:
    """Downloads or copies the weights of a model; called by FiftyOne.

    The installed yolov1_fo, not the manifest, determines the address, and contains the
    weights of some models. Untrained networks need no download; ImageNet weights are
    loaded when a network is built.

    Args:
        model_name: in the manifest
        model_path: where to put the weights

    Raises:
        ImportError: if yolov1_fo is not installed
        OSError: if the site can't be reached
        ValueError: if the site returns something else
    """
    try:
        from yolov1_fo import pretrained
        from yolov1_fo.model import darknet_releases
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise ImportError(
            f"model '{model_name}' needs {missing}, which is not installed: "
            f"pip install 'yolov1-fo[cpu] @ git+{SOURCE}'"
        ) from error
    if model_name in darknet_releases.RELEASES:
        darknet_releases.fetch(model_name, Path(model_path))
    elif folder := pretrained.folder_of(model_name.partition("@")[0]):
        Path(model_path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / "network.keras", model_path)
