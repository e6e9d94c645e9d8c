"""What a YOLOv1Model is made of, as FiftyOne's kind of config."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import fiftyone.core.config as foc
import fiftyone.zoo.models as fozm

from yolov1_fo.config import (
    MAX_IMAGE_PIXELS,
    PREDICTION_PRECISIONS,
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
    "filter_classes",
    "darknet",
    "precision",
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
"""Of settings that always have a value."""
_STRINGS = ("checkpoint_dir", "weights_path", "released", "precision")


class YOLOv1ModelConfig(foc.Config, fozm.HasZooModel):
    """What a `YOLOv1Model` is made of; FiftyOne changes it while it applies the model.

    Args:
        d: a dict with one of

            checkpoint_dir: of a trained network
            model_name: of a model in FiftyOne's zoo
            model_path: network.keras in a checkpoint, as the zoo says it
            settings: of `NetworkConfig`, for a network without training; then also
                classes (VOC's 20): its names, and weights_path (None): a `.weights`
                file of Darknet's
            released: a name in `darknet_releases.RELEASES`, of weights that are fetched
                unless weights_path says where they stand

        and optionally

            confidence_thresh (0.01): lowest score that is kept; low, for a true mAP
            iou_thresh (0.5): boxes that overlap more are one object
            max_detections (100): the best so many of an image are kept
            class_agnostic (False): boxes of different classes suppress each other too
            filter_classes (None): names of the classes of interest; None keeps all
            darknet (False): resizes, scores, thresholds and suppresses as Darknet does
            precision (None): what the network computes in: float32, bfloat16, float16,
                or auto, which is bfloat16 where the device has units for it; None is
                what it was trained in
            max_image_pixels (200 million): an image of more pixels is not read by
                `yolov1_fo.apply`
    """

    __module__ = "yolov1_fo.model"  # as databases and files name it

    model_name: str | None
    model_path: str | None
    checkpoint_dir: str | None
    weights_path: str | None
    released: str | None
    precision: str | None

    def __init__(self, d: dict[str, Any]) -> None:
        self._check_kinds(d)
        d = self.init(d)  # of FiftyOne; sets model_name and model_path
        known = {**DEFAULTS, **{k: v for k, v in d.items() if v is not None}}
        for name in _STRINGS:
            setattr(self, name, known.get(name))
        self.settings = known.get("settings")
        classes = known.get("classes")
        self.classes = None if classes is None else class_names.check(classes)
        self.confidence_thresh = known["confidence_thresh"]
        self.iou_thresh = known["iou_thresh"]
        self.max_detections = known["max_detections"]
        self.class_agnostic = known["class_agnostic"]
        self.darknet = known["darknet"]
        self.max_image_pixels = known["max_image_pixels"]
        self._classes: list[str] | None = None
        self.filter_classes = known.get("filter_classes")
        for name in ("confidence_thresh", "iou_thresh"):
            arguments.check_number(name, known[name], 0, 1)
        arguments.check_whole("max_detections", self.max_detections, 1)
        arguments.check_whole("max_image_pixels", self.max_image_pixels, 1)
        if self.precision is not None:
            spelling.check_choice("precision", self.precision, PREDICTION_PRECISIONS)

    def _check_kinds(self, d: Any) -> None:
        """Raises an error if a name is unknown, or a value of the wrong kind.

        FiftyOne would raise an error of its own for the latter.
        """
        if not isinstance(d, dict):
            raise TypeError(f"the config of a model must be a dict, got {d!r}")
        spelling.check("setting", d, self.attributes())
        given = {name: value for name, value in d.items() if value is not None}
        for name in [*_STRINGS, "model_name", "model_path"]:
            if name in given:
                arguments.check_string(name, given[name])
        if "model_name" in given:
            _check_model(given["model_name"])
        for name in ("class_agnostic", "darknet"):
            if name in given:
                arguments.check_true_or_false(name, given[name])
        if not isinstance(given.get("settings", {}), dict):
            raise TypeError(f"settings must be a dict, got {given['settings']!r}")

    @property
    def filter_classes(self) -> Collection[str] | None:
        """Names of the classes of interest; None keeps all.

        Raises:
            TypeError: if it is set to what is no list of strings
            ValueError: if it is set to a class that the model does not know
        """
        return self._filter_classes

    @filter_classes.setter
    def filter_classes(self, wanted: Collection[str] | None) -> None:
        if wanted is not None:
            wanted = class_names.check(wanted, "filter_classes", ordered=False)
            spelling.check(
                "class", wanted, wanted if self._classes is None else self._classes
            )
        self._filter_classes = wanted

    def know(self, classes: list[str]) -> None:
        """Tells the names that the model knows, and checks `filter_classes`."""
        self._classes = classes
        self.filter_classes = self._filter_classes

    def attributes(self) -> list[str]:
        """Returns what is written when the config is serialized."""
        return [
            *("checkpoint_dir", "model_name", "model_path"),
            *("settings", "classes", "weights_path", "released"),
            *SETTINGS,
        ]

    def arrive(self) -> None:
        """Finds or fetches the released weights, and says what network they are of.

        Raises:
            OSError: if they can't be fetched
            ValueError: if they are not that release
        """
        if self.released is None:
            return
        if self.weights_path is None:
            stood = self.model_path or darknet_releases.place(self.released)
            if not Path(stood).is_file():
                darknet_releases.fetch(self.released, Path(stood))
            self.weights_path = os.fspath(stood)
        known = darknet_releases.settings(self.released, self.weights_path)
        self.settings = {**(self.settings or {}), **known}

    def folder(self) -> str | os.PathLike[str]:
        """Returns where the trained network stands.

        Raises:
            ValueError: if none is named
        """
        if self.checkpoint_dir:
            return self.checkpoint_dir
        if self.model_name and not self.model_path:
            self.model_path = fozm.download_zoo_model(self.model_name)[1]
        if not self.model_path:
            raise ValueError(
                "a YOLOv1Model needs checkpoint_dir, model_name, model_path or settings"
            )
        return Path(self.model_path).parent


def _check_model(name: str) -> None:
    """Raises a ValueError unless the zoo has a model of that name."""
    try:
        fozm.get_zoo_model(name)
    except ValueError:
        near = spelling.suggestion(name, fozm.list_zoo_models())
        raise ValueError(f"model_name {name!r} is not in the zoo{near}") from None
