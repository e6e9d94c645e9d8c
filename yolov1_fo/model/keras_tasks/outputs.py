"""What networks of others give, as FiftyOne labels."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import fiftyone.core.labels as fol
import keras
import numpy as np
from keras import ops

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.model.keras_tasks import preprocessing

SOFTMAX, SIGMOID, LINEAR = "softmax", "sigmoid", "linear"
ACTIVATIONS = (SOFTMAX, SIGMOID, LINEAR)
BACKGROUND = ("background", "__background__")
"""Names of the class that a mask shows as 0."""
IS_TRUE = 0.5
"""Probability from which one of several independent classes is there."""
MIN_PROB = 1e-7
"""Probabilities are clipped to [MIN_PROB, 1 - MIN_PROB] to make logits of them."""


class Seen(NamedTuple):
    """An image that a network has seen.

    Attributes:
        size: height and width in pixels
        window: of `Preprocessing.window`
    """

    size: tuple[int, int]
    window: tuple[float, float, float, float]


class Output(ABC):
    """Turns the output of a network into labels.

    Attributes:
        KIND: classification, detection or segmentation, as FiftyOne's tags of models
        classes: names in the order of their ids
    """

    KIND: str

    def __init__(self, classes: list[str]) -> None:
        self.classes = classes

    @abstractmethod
    def labels(
        self, outputs: Any, pixels: Array, seen: Sequence[Seen], options: "Options"
    ) -> list[Any]:
        """Returns a label for each image.

        Args:
            outputs: of the network, of a batch
            pixels: the batch
            seen: its images
            options: how to predict
        """


class Options(NamedTuple):
    """How labels are made.

    Attributes:
        confidence_thresh: lowest confidence that is kept; None is the kind's own
        store_logits: whether classifications get their logits
    """

    confidence_thresh: float | None
    store_logits: bool


class ClassifierOutput(Output):
    """Scores of classes: (N, C), or (N, 1) for two classes.

    Args:
        classes: their names
        activation: of the scores: softmax, sigmoid, or linear for logits. Sigmoid with
            several scores means independent classes, of which each image has any number
    """

    KIND = "classification"

    def __init__(self, classes: list[str], activation: str) -> None:
        super().__init__(classes)
        self.activation = activation

    def labels(
        self, outputs: Any, pixels: Array, seen: Sequence[Seen], options: Options
    ) -> list[Any]:
        """Returns a Classification for each image; Classifications if independent."""
        scores = np.asarray(outputs, np.float64)
        is_binary = scores.shape[-1] == 1
        is_independent = self.activation == SIGMOID and not is_binary
        probs, logits = self._probs(scores)
        of_label = logits if options.store_logits else [None] * len(logits)
        make = self._all if is_independent else self._best
        return [
            make(row, one, options.confidence_thresh)
            for row, one in zip(probs, of_label, strict=True)
        ]

    def _probs(self, scores: Array) -> tuple[Array, Array]:
        """Returns probabilities and logits (N, C)."""
        is_binary = scores.shape[-1] == 1
        if is_binary:
            if self.activation == LINEAR:
                logits = np.concatenate([np.zeros_like(scores), scores], axis=-1)
            else:
                probs = np.concatenate([1 - scores, scores], axis=-1)
                return probs, np.log(_clipped(probs))
        elif self.activation == LINEAR:
            logits = scores
        elif self.activation == SOFTMAX:
            return scores, np.log(_clipped(scores))
        else:
            probs = _clipped(scores)
            return scores, np.log(probs / (1 - probs))
        return softmax(logits), logits

    def _best(self, probs: Array, logits: Any, thresh: float | None) -> Any:
        class_id = int(probs.argmax())
        prob = float(probs[class_id])
        if not np.isfinite(probs).all() or prob < (thresh or 0):
            return None
        return fol.Classification(
            label=self.classes[class_id], confidence=prob, logits=logits
        )

    def _all(self, probs: Array, logits: Any, thresh: float | None) -> Any:
        lowest = IS_TRUE if thresh is None else thresh
        found = np.flatnonzero(probs >= lowest).tolist()
        made = [
            fol.Classification(label=self.classes[one], confidence=float(probs[one]))
            for one in found
        ]
        return fol.Classifications(classifications=made, logits=logits)


class DetectorOutput(Output):
    """What a KerasHub detector decodes: boxes, scores and class ids after NMS.

    Args:
        classes: their names
        network: the detector
    """

    KIND = "detection"

    def __init__(self, classes: list[str], network: Any) -> None:
        super().__init__(classes)
        self._network = network

    def labels(
        self, outputs: Any, pixels: Array, seen: Sequence[Seen], options: Options
    ) -> list[Any]:
        """Returns Detections for each image, those of the highest scores first."""
        decoder = self._network.prediction_decoder
        if options.confidence_thresh is not None:
            decoder.confidence_threshold = options.confidence_thresh
        found = self._network.decode_predictions(outputs, pixels)
        boxes = keras.utils.bounding_boxes.convert_format(
            ops.cast(found["boxes"], "float32"),
            source=decoder.bounding_box_format,
            target="rel_xyxy",
            height=pixels.shape[1],
            width=pixels.shape[2],
        )
        columns = (boxes, found["confidence"], found["labels"])
        boxes, scores, class_ids = map(ops.convert_to_numpy, columns)
        return [
            self._detections(boxes[row], scores[row], class_ids[row], one)
            for row, one in enumerate(seen)
        ]

    def _detections(
        self, boxes: Array, scores: Array, class_ids: Array, seen: Seen
    ) -> fol.Detections:
        boxes = np.clip(preprocessing.boxes_in_image(boxes, seen.window), 0, 1)
        is_known = (class_ids >= 0) & (class_ids < len(self.classes))
        is_there = is_known & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
        order = np.argsort(-scores, kind="stable")
        rows = order[(is_there & np.isfinite(scores))[order]]
        return fiftyone_boxes.to_detections(
            boxes[rows], scores[rows], class_ids[rows], self.classes
        )


class SegmenterOutput(Output):
    """Scores of the classes of each pixel: (N, h, w, C).

    Masks have the image's size. 0, which the App does not show, is the class
    "background" if it is the first; else classes are numbered from 1.

    Args:
        classes: their names
    """

    KIND = "segmentation"

    @property
    def mask_targets(self) -> dict[int, str]:
        """Names of the values of a mask, for `dataset.default_mask_targets`."""
        return {number + self._first: name for number, name in enumerate(self.classes)}

    @property
    def _first(self) -> int:
        """Value of the first class."""
        return int(self.classes[0].lower() not in BACKGROUND)

    def labels(
        self, outputs: Any, pixels: Array, seen: Sequence[Seen], options: Options
    ) -> list[Any]:
        """Returns a Segmentation for each image."""
        masks = np.asarray(outputs).argmax(axis=-1) + self._first
        dtype = np.uint8 if masks.max(initial=0) < 256 else np.uint16
        return [
            fol.Segmentation(
                mask=preprocessing.mask_in_image(mask, one.window, one.size).astype(
                    dtype
                )
            )
            for mask, one in zip(masks, seen, strict=True)
        ]


def _clipped(probs: Array) -> Array:
    return np.clip(probs, MIN_PROB, 1 - MIN_PROB)


def softmax(logits: Array) -> Array:
    """Returns the probabilities of logits (N, C)."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def find(network: Any, classes: Sequence[str] | None, activation: str | None) -> Output:
    """Returns what turns a network's output into labels.

    Args:
        network: a Keras model with one input
        classes: names in the order of their ids; None numbers them
        activation: of a classifier's scores; None is that of its last layer

    Raises:
        TypeError: if it is of no kind that is known
        ValueError: if there are not as many classes as scores
    """
    if hasattr(network, "decode_predictions") and hasattr(
        network, "prediction_decoder"
    ):
        return DetectorOutput(_named(network, classes, network.num_classes), network)
    outputs = network.outputs
    shape = tuple(outputs[0].shape) if len(outputs) == 1 else ()
    if len(shape) == 2 and shape[-1] is not None:
        names = _named(network, classes, max(shape[-1], 2))
        return ClassifierOutput(names, activation or _activation(network))
    if len(shape) == 4 and shape[-1] is not None:
        return SegmenterOutput(_named(network, classes, shape[-1]))
    raise TypeError(
        f"'{network.name}' must be a classifier with an output (N, C), a segmenter "
        f"with an output (N, H, W, C), or a detector of KerasHub, got outputs "
        f"{', '.join(str(tuple(one.shape)) for one in outputs)}"
    )


def _named(network: Any, classes: Sequence[str] | None, count: int) -> list[str]:
    if classes is None:
        return [str(number) for number in range(count)]
    if len(classes) != count:
        raise ValueError(
            f"'{network.name}' has {count} classes, got {len(classes)} names"
        )
    return list(classes)


def _activation(network: Any) -> str:
    """Returns the activation of the last layer; linear if it has none."""
    last = network.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return SOFTMAX
    function = getattr(last, "activation", None)
    name = getattr(function, "__name__", LINEAR)
    return name if name in ACTIVATIONS else LINEAR
