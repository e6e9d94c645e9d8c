"""Arrays to `fo.Detections` and back; the one file that knows FiftyOne's xywh."""

import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import bson
import fiftyone.core.labels as fol
import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import box_faults
from yolov1_fo.pipeline.objects import Dropped, Objects

PIXELS_FROM = 4.0
"""A box that is so many images wide, or so far away, is taken to be in pixels."""
BEYOND = 1e6
"""No image has so many pixels a side."""


class Boxes(NamedTuple):
    """The boxes of many images as they were read, flat.

    Attributes:
        xyxy: (K, 4) corners as they stand, relative, float64; zeros for what is no box
        faults: (K,) what is wrong with each, a number of `box_faults.FAULTS`; 0 where
            it can be used
        image: (K,) the image that it is in
    """

    xyxy: Array
    faults: Array
    image: Array

    @property
    def usable(self) -> Array:
        """Whether each is the box of an object: (K,), true or false."""
        return self.faults == box_faults.GOOD

    def cut(self) -> Array:
        """Returns the part inside the image: (K, 4) xyxy, relative, float64."""
        return _boxes.clip(self.xyxy)


def read_boxes(bounding_boxes: Sequence[Sequence[Any]]) -> Boxes:
    """Returns boxes, and what is wrong with those that are none.

    This is the one rule of what can be an object: four finite numbers, parts of the
    image, with an area inside of it.

    Args:
        bounding_boxes: of each object, by image, FiftyOne's `[x, y, w, h]`, relative;
            or whatever else stands there

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
    is_finite = (np.abs(xywh) < BEYOND).all(axis=-1)
    xywh[~is_finite] = 0
    xyxy = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=-1)
    cut = _boxes.clip(xyxy).astype(np.float32)
    has_area = (cut[:, 2:] > cut[:, :2]).all(axis=-1)
    faults = np.select(
        [
            ~are_four,
            ~is_finite,
            (np.abs(xywh) > PIXELS_FROM).any(axis=-1),
            ~has_area,
        ],
        [
            box_faults.SHAPE,
            box_faults.NOT_FINITE,
            box_faults.PIXELS,
            box_faults.NO_AREA,
        ],
        box_faults.GOOD,
    )
    return Boxes(xyxy, faults, image)


def _are_four_numbers(box: Any) -> bool:
    if not isinstance(box, list | tuple | np.ndarray) or len(box) != 4:
        return False
    return all(isinstance(x, float) or _is_whole(x) for x in box)


def _is_whole(x: Any) -> bool:
    """Returns whether a value is a number of MongoDB's that is no float."""
    is_number = isinstance(x, int | np.integer | np.floating) and not isinstance(
        x, bool
    )
    return is_number and abs(x) < 2**63


def from_detections(
    labels: Sequence[Sequence[str]],
    bounding_boxes: Sequence[Sequence[Any]] | Boxes,
    ignored: Sequence[Sequence[bool]],
    classes: Sequence[str],
) -> tuple[Objects, Objects, Dropped]:
    """Returns the objects that a network can learn, those that are ignored, and counts.

    Ignored is what is difficult, a crowd or a group. Dropped is also what is no box
    with an area inside the image, what is of another class, and what has no label.
    Boxes are cut off at the image's edge.

    Args:
        labels: of each object, by image
        bounding_boxes: the same, FiftyOne's `[x, y, w, h]`, relative; or as they were
            read
        ignored: the same
        classes: class names in the order of their ids
    """
    ids = {label: class_id for class_id, label in enumerate(classes)}
    read = (
        bounding_boxes
        if isinstance(bounding_boxes, Boxes)
        else read_boxes(bounding_boxes)
    )
    xyxy = read.cut().astype(np.float32)
    named = (x if isinstance(x, str) else None for row in labels for x in row)
    class_ids = np.array([ids.get(x, -1) for x in named], np.int32)
    has_none = np.array([x is None for row in labels for x in row], bool)
    skip = np.array([x for row in ignored for x in row], bool)

    def among(wanted: Array) -> Objects:
        kept = np.bincount(read.image[wanted], minlength=len(labels))
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return Objects(xyxy[wanted], class_ids[wanted], offsets)

    usable = (class_ids >= 0) & read.usable
    dropped = Dropped(
        ignored=int(skip.sum()),
        degenerate=int((~read.usable & ~skip).sum()),
        other_class=int(((class_ids < 0) & ~has_none & ~skip & read.usable).sum()),
        unlabelled=int((has_none & ~skip & read.usable).sum()),
    )
    return among(usable & ~skip), among(usable & skip), dropped


def to_xyxy(bounding_boxes: Sequence[Sequence[float]] | Array) -> Array:
    """Returns FiftyOne's boxes as ours, cut off at the image's edge.

    Args:
        bounding_boxes: K of `[x, y, w, h]`, corner and size, relative

    Returns:
        (K, 4) xyxy, relative, float32
    """
    xywh = np.array(bounding_boxes, np.float64).reshape(-1, 4)
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=-1)
    return _boxes.clip(corners).astype(np.float32)


def to_detections(
    boxes: Array, scores: Array, class_ids: Array, classes: Sequence[str]
) -> fol.Detections:
    """Returns what was found in one image as FiftyOne's label.

    Args:
        boxes: (K, 4) xyxy, relative
        scores: (K,)
        class_ids: (K,)
        classes: class names in the order of their ids
    """
    return fol.Detections(
        detections=[
            fol.Detection(label=label, bounding_box=box, confidence=score)
            for label, box, score in _said(boxes, scores, class_ids, classes)
        ]
    )


def to_document(
    boxes: Array, scores: Array, class_ids: Array, classes: Sequence[str]
) -> dict[str, Any]:
    """Returns what `to_detections(...)` is in the database, ten times as fast.

    FiftyOne checks each object as it is made and once more as it is stored; these are
    right by construction.

    Args:
        boxes: (K, 4) xyxy, relative
        scores: (K,)
        class_ids: (K,)
        classes: class names in the order of their ids
    """
    empty, blank = _documents()
    return {
        **empty,
        "detections": [
            {
                **blank,
                "_id": bson.ObjectId(),
                "label": label,
                "bounding_box": box,
                "confidence": score,
            }
            for label, box, score in _said(boxes, scores, class_ids, classes)
        ],
    }


@functools.cache
def _documents() -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns labels without content as FiftyOne stores them."""
    blank = fol.Detection(label="", bounding_box=[0.0] * 4, confidence=0.0)
    return fol.Detections().to_mongo().to_dict(), blank.to_mongo().to_dict()


def _said(
    boxes: Array, scores: Array, class_ids: Array, classes: Sequence[str]
) -> Iterator[tuple[str, list[float], float]]:
    """Yields label, bounding box and confidence of each object."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=-1)
    names = [classes[class_id] for class_id in class_ids.tolist()]
    return zip(names, xywh.tolist(), scores.tolist(), strict=True)


def identify(detections: fol.Detections, whose: str) -> None:
    """Gives each object an id that depends on whose it is and on its rank alone."""
    for rank, detection in enumerate(detections.detections):
        detection.id = hashlib.sha256(f"{whose} {rank}".encode()).hexdigest()[:24]
