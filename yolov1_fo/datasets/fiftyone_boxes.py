"""Conversion between arrays and `fo.Detections`; nothing else uses FiftyOne's xywh."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import bson
import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import invalid_boxes
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes

LOGITS = "logits"
"""Name of the attribute of class logits, as in FiftyOne's `Classification`."""
MAX_RELATIVE = 4.0
"""A box with a larger relative coordinate or size is considered to be in pixels."""
MAX_PIXELS = 1e6
"""No image has this many pixels per side."""


class Boxes(NamedTuple):
    """The boxes of many images, flat.

    Attributes:
        xyxy: (K, 4) corners as stored, relative, float64; zeros for invalid boxes
        faults: (K,) what is wrong with each, an index into `invalid_boxes.FAULTS`; 0
            for valid boxes
        image: (K,) index of the image that contains it
    """

    xyxy: Array
    faults: Array
    image: Array

    @property
    def usable(self) -> Array:
        """Whether each box is valid: (K,) bool."""
        return self.faults == invalid_boxes.VALID

    def clipped(self) -> Array:
        """Returns the part inside the image: (K, 4) xyxy, relative, float64."""
        return _boxes.clip(self.xyxy)


def read_boxes(bounding_boxes: Sequence[Sequence[Any]]) -> Boxes:
    """Returns boxes and what is wrong with invalid ones.

    This is the only place that defines a valid box: four finite numbers, relative to
    the image, with an area inside it.

    Args:
        bounding_boxes: of each object, by image, FiftyOne's `[x, y, w, h]`, relative;
            any other value is an invalid box

    Example:
        >>> read_boxes([[[0.1, 0.1, 0.2, 0.2], None], [[90, 20, 40, 40]]]).faults
        array([0, 1, 3])
    """
    rows = [box for row in bounding_boxes for box in row]
    image = np.repeat(np.arange(len(bounding_boxes)), [len(x) for x in bounding_boxes])
    are_four = np.array([_are_four_numbers(box) for box in rows], bool)
    xywh = np.zeros((len(rows), 4))
    if are_four.any():
        xywh[are_four] = [
            box for box, is_four in zip(rows, are_four, strict=True) if is_four
        ]
    is_finite = (np.abs(xywh) < MAX_PIXELS).all(axis=-1)
    xywh[~is_finite] = 0
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=-1)
    cut = _boxes.clip(xyxy).astype(np.float32)
    has_area = (cut[:, 2:] > cut[:, :2]).all(axis=-1)
    faults = np.select(
        [
            ~are_four,
            ~is_finite,
            (np.abs(xywh) > MAX_RELATIVE).any(axis=-1),
            ~has_area,
        ],
        [
            invalid_boxes.NOT_FOUR_NUMBERS,
            invalid_boxes.NOT_FINITE,
            invalid_boxes.PIXELS,
            invalid_boxes.NO_AREA,
        ],
        invalid_boxes.VALID,
    )
    return Boxes(xyxy, faults, image)


def _are_four_numbers(box: Any) -> bool:
    if not isinstance(box, list | tuple | np.ndarray) or len(box) != 4:
        return False
    return all(isinstance(x, float) or _is_number(x) for x in box)


def _is_number(x: Any) -> bool:
    """Returns whether a value is a number that MongoDB can store."""
    is_number = isinstance(x, int | np.integer | np.floating)
    return is_number and not isinstance(x, bool) and bool(abs(x) < 2**63)


def from_detections(
    labels: Sequence[Sequence[str]],
    bounding_boxes: Sequence[Sequence[Any]] | Boxes,
    ignored: Sequence[Sequence[bool]],
    classes: Sequence[str],
) -> tuple[RaggedBoxes, RaggedBoxes, Dropped]:
    """Returns the objects to learn, the ignored objects, and the dropped counts.

    Difficult objects, crowds and groups are ignored. Objects with an invalid box, of
    another class or without a label are dropped. Boxes are clipped to the image.

    Args:
        labels: of each object, by image
        bounding_boxes: of each object, by image, FiftyOne's `[x, y, w, h]`, relative;
            or the result of `read_boxes`
        ignored: whether each object is ignored, by image
        classes: class names in the order of their ids
    """
    ids = {label: class_id for class_id, label in enumerate(classes)}
    read = (
        bounding_boxes
        if isinstance(bounding_boxes, Boxes)
        else read_boxes(bounding_boxes)
    )
    xyxy = read.clipped().astype(np.float32)
    named = (x if isinstance(x, str) else None for row in labels for x in row)
    class_ids = np.array([ids.get(x, -1) for x in named], np.int32)
    has_none = np.array([x is None for row in labels for x in row], bool)
    skip = np.array([x for row in ignored for x in row], bool)

    def among(wanted: Array) -> RaggedBoxes:
        kept = np.bincount(read.image[wanted], minlength=len(labels))
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return RaggedBoxes(xyxy[wanted], class_ids[wanted], offsets)

    usable = (class_ids >= 0) & read.usable
    dropped = Dropped(
        ignored=int(skip.sum()),
        degenerate=int((~read.usable & ~skip).sum()),
        other_class=int(((class_ids < 0) & ~has_none & ~skip & read.usable).sum()),
        unlabeled=int((has_none & ~skip & read.usable).sum()),
    )
    return among(usable & ~skip), among(usable & skip), dropped


def to_xyxy(bounding_boxes: Sequence[Sequence[float]] | Array) -> Array:
    """Converts FiftyOne's boxes to corners, clipped to the image.

    Args:
        bounding_boxes: K of `[x, y, w, h]`, corner and size, relative

    Returns:
        (K, 4) xyxy, relative, float32
    """
    xywh = np.array(bounding_boxes, np.float64).reshape(-1, 4)
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=-1)
    return _boxes.clip(corners).astype(np.float32)


def to_detections(
    boxes: Array,
    scores: Array,
    class_ids: Array,
    classes: Sequence[str],
    logits: Array | None = None,
) -> fol.Detections:
    """Returns the detections of one image as a FiftyOne label.

    Args:
        boxes: (K, 4) xyxy, relative
        scores: (K,)
        class_ids: (K,)
        classes: class names in the order of their ids
        logits (None): (K, C), stored as the attribute `logits` of each
    """
    found = fol.Detections(
        detections=[
            fol.Detection(label=label, bounding_box=box, confidence=score)
            for label, box, score in _attributes(boxes, scores, class_ids, classes)
        ]
    )
    if logits is not None:
        for detection, values in zip(found.detections, logits, strict=True):
            detection[LOGITS] = values
    return found


def to_document(
    boxes: Array,
    scores: Array,
    class_ids: Array,
    classes: Sequence[str],
    logits: Array | None = None,
) -> dict[str, Any]:
    """Returns `to_detections(...)` as stored in the database, ten times as fast.

    FiftyOne validates each object when it is created and again when it is stored;
    these are valid by construction.

    Args:
        boxes: (K, 4) xyxy, relative
        scores: (K,)
        class_ids: (K,)
        classes: class names in the order of their ids
        logits (None): (K, C), stored as the attribute `logits` of each
    """
    empty, blank = _documents()
    document = {
        **empty,
        "detections": [
            {
                **blank,
                "_id": bson.ObjectId(),
                "label": label,
                "bounding_box": box,
                "confidence": score,
            }
            for label, box, score in _attributes(boxes, scores, class_ids, classes)
        ],
    }
    if logits is not None:
        field = fof.VectorField()
        for detection, values in zip(document["detections"], logits, strict=True):
            detection[LOGITS] = field.to_mongo(values)
    return document


def blank_document() -> dict[str, Any]:
    """Returns a detection without label and box, as stored in the database."""
    return dict(_documents()[1])


@functools.cache
def _documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns an empty label and a blank detection as FiftyOne stores them."""
    blank = fol.Detection(label="", bounding_box=[0.0] * 4, confidence=0.0)
    return fol.Detections().to_mongo().to_dict(), blank.to_mongo().to_dict()


def _attributes(
    boxes: Array, scores: Array, class_ids: Array, classes: Sequence[str]
) -> Iterator[tuple[str, list[float], float]]:
    """Yields the label, bounding box and confidence of each object."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=-1)
    names = [classes[class_id] for class_id in class_ids.tolist()]
    return zip(names, xywh.tolist(), scores.tolist(), strict=True)


def set_stable_ids(detections: fol.Detections, owner: str) -> None:
    """Sets the id of each object to a hash of its owner and its rank."""
    for rank, detection in enumerate(detections.detections):
        detection.id = hashlib.sha256(f"{owner} {rank}".encode()).hexdigest()[:24]
