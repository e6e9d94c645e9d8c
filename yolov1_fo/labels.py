"""Arrays to `fo.Detections` and back; the one file that knows FiftyOne's xywh."""

import functools
import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import bson
import fiftyone.core.labels as fol
import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.objects import Dropped, Objects


def from_detections(
    labels: Sequence[Sequence[str]],
    bounding_boxes: Sequence[Sequence[Sequence[float]]],
    ignored: Sequence[Sequence[bool]],
    classes: Sequence[str],
) -> tuple[Objects, Objects, Dropped]:
    """Returns the objects that a network can learn, those that are ignored, and counts.

    Ignored is what is difficult, a crowd or a group. Dropped is also what has no size
    inside the image, what is of another class, and what has no label. Boxes are cut off
    at the image's edge.

    Args:
        labels: of each object, by image
        bounding_boxes: the same, FiftyOne's `[x, y, w, h]`, relative
        ignored: the same
        classes: class names in the order of their ids
    """
    ids = {label: class_id for class_id, label in enumerate(classes)}
    counts = [len(row) for row in labels]
    image = np.repeat(np.arange(len(labels)), counts)
    class_ids = np.array([ids.get(x, -1) for row in labels for x in row], np.int32)
    has_none = np.array([x is None for row in labels for x in row], bool)
    xyxy = to_xyxy(flat(bounding_boxes))
    skip = np.array([x for row in ignored for x in row], bool)

    degenerate = ~(_boxes.area(xyxy) > 0)

    def among(wanted: Array) -> Objects:
        kept = np.bincount(image[wanted], minlength=len(labels))
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)
        return Objects(xyxy[wanted], class_ids[wanted], offsets)

    usable = (class_ids >= 0) & ~degenerate
    dropped = Dropped(
        ignored=int(skip.sum()),
        degenerate=int((degenerate & ~skip).sum()),
        other_class=int(((class_ids < 0) & ~has_none & ~skip & ~degenerate).sum()),
        unlabelled=int((has_none & ~skip & ~degenerate).sum()),
    )
    return among(usable & ~skip), among(usable & skip), dropped


def flat(bounding_boxes: Sequence[Sequence[Sequence[float] | None]]) -> Array:
    """Returns the boxes of many images as one array.

    Args:
        bounding_boxes: of each object, by image; None where it has none

    Returns:
        (K, 4) as FiftyOne has them; NaN for None
    """
    rows = [box or [math.nan] * 4 for row in bounding_boxes for box in row]
    return np.array(rows, np.float64).reshape(-1, 4)


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
