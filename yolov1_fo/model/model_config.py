"""The configs from which FiftyOne builds our models."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import fiftyone.core.config as foc
import fiftyone.zoo.models as fozm

from yolov1_fo import pretrained
from yolov1_fo.config import (
    MAX_IMAGE_PIXELS,
    MAX_TILES,
    PREDICTION_PRECISIONS,
    RUNTIMES,
    arguments,
    class_names,
    spelling,
)
from yolov1_fo.model import darknet_releases

SETTINGS = (
    "confidence_thresh",
    "iou_thresh",
    "max_detections",
    "class_agnostic",
    "tiles",
    "filter_classes",
    "darknet",
    "precision",
    "runtime",
    "max_image_pixels",
)

DEFAULTS = {
    "confidence_thresh": 0.01,
    "iou_thresh": 0.5,
    "max_detections": 100,
    "class_agnostic": False,
    "darknet": False,
    "max_image_pixels": MAX_IMAGE_PIXELS,
}
"""Values of the settings that can't be None."""


class CheckpointConfig(foc.Config, fozm.HasZooModel):
    """Config of a model that can be loaded from a checkpoint, by folder or zoo name.

    Args:
        d: attributes; checkpoint_dir, model_name or model_path is needed

    Attributes:
        checkpoint_dir: checkpoint folder
        model_name: name of a model in FiftyOne's zoo
        model_path: path of a checkpoint's `network.keras`, set by the zoo
        precision: of the computation: float32, bfloat16, float16, int8, which is that
            of the last calibrated export (see `export`), or auto, which is bfloat16
            where the device supports it; None is the precision of the training
        runtime: what runs the network, see `networks.runtimes`: keras, openvino,
            onnxruntime or auto (auto)
    """

    STRINGS: tuple[str, ...] = ("checkpoint_dir", "precision", "runtime")
    """Attributes that are strings, in addition to those of `HasZooModel`."""

    model_name: str | None
    model_path: str | None
    checkpoint_dir: str | None
    precision: str | None = None
    runtime: str | None = None

    def __init__(self, d: dict[str, Any]) -> None:
        self._check_types(d)
        d = self.init(d)  # of FiftyOne; sets model_name and model_path
        self._set({name: value for name, value in d.items() if value is not None})

    def _set(self, given: dict[str, Any]) -> None:
        """Sets the attributes; those that are not given have their defaults."""
        for name in self.STRINGS:
            setattr(self, name, given.get(name))
        if self.precision is not None:
            spelling.check_choice("precision", self.precision, PREDICTION_PRECISIONS)
        if self.runtime is not None:
            spelling.check_choice("runtime", self.runtime, RUNTIMES)

    def _check_types(self, d: Any) -> None:
        """Raises an error if a name is unknown or a value has the wrong type."""
        if not isinstance(d, dict):
            raise TypeError(f"the config of a model must be a dict, got {d!r}")
        spelling.check_names("setting", d, self.attributes())
        for name in (*self.STRINGS, "model_name", "model_path"):
            if d.get(name) is not None:
                arguments.check_string(name, d[name])
        if d.get("model_name") is not None:
            _check_model_name(d["model_name"])

    def attributes(self) -> list[str]:
        """Returns the names of the attributes that FiftyOne serializes."""
        return ["model_name", "model_path", *self.STRINGS]

    def checkpoint_folder(self) -> str | os.PathLike[str]:
        """Returns the folder of the trained network.

        Raises:
            ValueError: if the config names none
        """
        if self.checkpoint_dir:
            return self.checkpoint_dir
        if self.model_name and not self.model_path:
            self.model_path = fozm.download_zoo_model(self.model_name)[1]
        if not self.model_path:
            model = type(self).__name__.removesuffix("Config")
            raise ValueError(f"a {model} needs {self._sources()}")
        return Path(self.model_path).parent

    def _sources(self) -> str:
        """Returns the attributes of which one is needed."""
        return "checkpoint_dir, model_name or model_path"


class YOLOv1ClassifierConfig(CheckpointConfig):
    """Config of a `YOLOv1Classifier`; see `CheckpointConfig`."""

    __module__ = "yolov1_fo.model"  # as databases and files name it


class YOLOv1ModelConfig(CheckpointConfig):
    """Config of a `YOLOv1Model`; FiftyOne changes it while it applies the model.

    Args:
        d: attributes; checkpoint_dir, model_name, model_path, included, settings or
            released is needed, the others are optional

    Attributes:
        checkpoint_dir: checkpoint folder
        model_name: name of a model in FiftyOne's zoo
        model_path: path of a checkpoint's `network.keras`, set by the zoo
        included: name of a detector that comes with the package
        settings: fields of `NetworkConfig`, for an untrained network
        classes: names of an untrained network (the 20 of VOC)
        weights_path: a `.weights` file of Darknet, for an untrained network
        released: name in `darknet_releases.RELEASES`; its weights are downloaded unless
            weights_path is given
        confidence_thresh: lowest score that is kept (0.01); a correct mAP needs low
            ones
        iou_thresh: NMS IoU threshold (0.5)
        max_detections: number of detections per image that are kept (100)
        class_agnostic: NMS also between boxes of different classes (False)
        tiles: predicts tiles x tiles overlapping parts of each image too, for small
            objects, see `pipeline.tiling` (as in training)
        filter_classes: classes that are kept; None keeps all
        darknet: resizes, scores, thresholds and suppresses as Darknet does (False)
        precision: of the computation: float32, bfloat16, float16, int8, which is that
            of the last calibrated export (see `export`), or auto, which is bfloat16
            where the device supports it; None is the precision of the training
        runtime: what runs the network, see `networks.runtimes`: keras, openvino,
            onnxruntime or auto (auto)
        max_image_pixels: `yolov1_fo.apply` does not read images with more pixels (200
            million)
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    STRINGS = (
        *("checkpoint_dir", "included", "weights_path", "released"),
        *("precision", "runtime"),
    )

    included: str | None
    weights_path: str | None
    released: str | None

    def _set(self, given: dict[str, Any]) -> None:
        super()._set(given)
        values = {**DEFAULTS, **given}
        self.settings = values.get("settings")
        classes = values.get("classes")
        self.classes = None if classes is None else class_names.check(classes)
        self.confidence_thresh = values["confidence_thresh"]
        self.iou_thresh = values["iou_thresh"]
        self.max_detections = values["max_detections"]
        self.class_agnostic = values["class_agnostic"]
        self.tiles = values.get("tiles")
        self.darknet = values["darknet"]
        self.max_image_pixels = values["max_image_pixels"]
        self._classes: list[str] | None = None
        self.filter_classes = values.get("filter_classes")
        for name in ("confidence_thresh", "iou_thresh"):
            arguments.check_number(name, values[name], 0, 1)
        arguments.check_integer("max_detections", self.max_detections, 1)
        if self.tiles is not None:
            arguments.check_integer("tiles", self.tiles, 0, MAX_TILES)
        arguments.check_integer("max_image_pixels", self.max_image_pixels, 1)

    def _check_types(self, d: Any) -> None:
        super()._check_types(d)
        given = {name: value for name, value in d.items() if value is not None}
        for name in ("class_agnostic", "darknet"):
            if name in given:
                arguments.check_bool(name, given[name])
        if not isinstance(given.get("settings", {}), dict):
            raise TypeError(f"settings must be a dict, got {given['settings']!r}")

    @property
    def filter_classes(self) -> Collection[str] | None:
        """Names of the classes that are kept; None keeps all.

        Raises:
            TypeError: if it is set to something else than strings
            ValueError: if it is set to a class that the model does not have
        """
        return self._filter_classes

    @filter_classes.setter
    def filter_classes(self, wanted: Collection[str] | None) -> None:
        if wanted is not None:
            wanted = class_names.check(wanted, "filter_classes", ordered=False)
            spelling.check_names(
                "class", wanted, wanted if self._classes is None else self._classes
            )
        self._filter_classes = wanted

    def set_classes(self, classes: list[str]) -> None:
        """Sets the classes of the model, and checks `filter_classes` against them."""
        self._classes = classes
        self.filter_classes = self._filter_classes

    def attributes(self) -> list[str]:
        """Returns the names of the attributes that FiftyOne serializes."""
        return [
            *("checkpoint_dir", "model_name", "model_path"),
            *("included", "settings", "classes", "weights_path", "released"),
            *SETTINGS,
        ]

    def checkpoint_folder(self) -> str | os.PathLike[str]:
        """Returns the folder of the trained network.

        Raises:
            ValueError: if the config names none
        """
        if self.included is None:
            return super().checkpoint_folder()
        spelling.check_choice("included", self.included, pretrained.names())
        return pretrained.ROOT / self.included

    def resolve_release(self) -> None:
        """Sets weights path and settings of `released`; downloads it if necessary.

        Raises:
            OSError: if it can't be downloaded
            ValueError: if the file is not that release
        """
        if self.released is None:
            return
        if self.weights_path is None:
            path = Path(self.model_path or darknet_releases.zoo_path(self.released))
            if not path.is_file():
                darknet_releases.fetch(self.released, path)
            self.weights_path = os.fspath(path)
        settings = darknet_releases.network_settings(self.released, self.weights_path)
        self.settings = {**(self.settings or {}), **settings}

    def _sources(self) -> str:
        return "checkpoint_dir, model_name, model_path, included or settings"


def _check_model_name(name: str) -> None:
    """Raises a ValueError unless the zoo has a model of that name."""
    try:
        fozm.get_zoo_model(name)
    except ValueError:
        near = spelling.suggestion(name, fozm.list_zoo_models())
        raise ValueError(f"model_name {name!r} is not in the zoo{near}") from None
