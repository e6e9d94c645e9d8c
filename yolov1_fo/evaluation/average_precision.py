"""Average precision as defined by the PASCAL VOC challenges of 2007 and 2010.

It works on arrays. A detection is matched with the object of its class that it overlaps
most. It is a false positive if that object is already matched with a detection of a
higher score. Detections matched with a difficult object are ignored.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "diningtable", "dog", "horse", "motorbike", "person", "pottedplant"),
    *("sheep", "sofa", "train", "tvmonitor"),
)
"""VOC's classes, in the order of Darknet's voc.names."""


class GroundTruth(NamedTuple):
    """The objects of one image.

    Attributes:
        boxes: (M, 4) xyxy
        class_ids: (M,)
        difficult: (M,) bool
    """

    boxes: Array
    class_ids: Array
    difficult: Array


class Curve(NamedTuple):
    """The precision-recall curve of one class, by descending score.

    Attributes:
        precision: (K,)
        recall: (K,)
        objects: number of objects that are not difficult
        detections: number of detections that are not ignored
        scores: (K,) of the detections; NaN if they were not stored
    """

    precision: Array
    recall: Array
    objects: int
    detections: int
    scores: Array

    @classmethod
    def of(cls, scores: Array, is_true: Array, objects: int) -> Self:
        """Returns the curve of some detections.

        Args:
            scores: (K,) in descending order
            is_true: (K,) whether each is a true positive
            objects: number of objects that are not difficult
        """
        true_so_far = np.cumsum(is_true)
        return cls(
            precision=true_so_far / np.arange(1, len(is_true) + 1),
            recall=true_so_far / max(objects, 1),
            objects=objects,
            detections=len(is_true),
            scores=scores,
        )

    @property
    def is_true(self) -> Array:
        """Whether each detection is a true positive: (K,) bool."""
        return np.diff(self.recall, prepend=0) > 0


def match(
    found: Detections, truth: GroundTruth, iou_thresh: float, border: float = 0.0
) -> tuple[Array, Array]:
    """Matches the detections of an image with its objects.

    Args:
        found: detections
        truth: objects
        iou_thresh: minimum IoU of a match
        border (0.0): see `curves`

    Returns:
        (K,) index of the object matched with each detection, -1 for none; (K,) their
        IoU, 0 where there is none

    Source: VOC development kit, section 3.4
    """
    count = len(found.class_ids)
    if not count or not len(truth.class_ids):
        return np.full(count, -1), np.zeros(count)
    overlaps = _boxes.evaluation_iou(found.boxes, truth.boxes, border)  # (K, M)
    is_own = found.class_ids[:, None] == truth.class_ids[None]
    overlaps = np.where(is_own, overlaps, -1)
    best, overlap = overlaps.argmax(axis=1), overlaps.max(axis=1)  # (K,)
    is_hit = is_own.any(axis=1) & _boxes.reaches(overlap, iou_thresh)
    order = np.argsort(-found.scores, kind="stable")
    hits = order[is_hit[order]]
    is_match = is_hit & np.asarray(truth.difficult, bool)[best]
    is_match[hits[np.unique(best[hits], return_index=True)[1]]] = True
    return np.where(is_match, best, -1), np.where(is_match, overlap, 0.0)


def curves(
    found: Sequence[Detections],
    objects: Sequence[GroundTruth],
    num_classes: int,
    iou_thresh: float = 0.5,
    *,
    border: float = 0.0,
) -> list[Curve]:
    """Returns the precision-recall curve of each class.

    Args:
        found: detections, by image
        objects: ground truth, by image, in the same order
        num_classes: classes are 0 to num_classes - 1
        iou_thresh (0.5): minimum IoU of a true positive
        border (0.0): 1 for boxes in pixels that include both corners, as in the
            development kit; adds one to their width and height

    Source: VOC development kit, section 3.4
    """
    targets = [
        match(detections, truth, iou_thresh, border)[0]
        for detections, truth in zip(found, objects, strict=True)
    ]
    return matched_curves(found, objects, targets, num_classes)


def matched_curves(
    found: Sequence[Detections],
    objects: Sequence[GroundTruth],
    targets: Sequence[Array],
    num_classes: int,
) -> list[Curve]:
    """Returns the precision-recall curve of each class, of detections with a match.

    Args:
        found: detections, by image
        objects: ground truth, by image, in the same order
        targets: (K,) index of the object matched with each detection, -1 for none, by
            image
        num_classes: classes are 0 to num_classes - 1
    """
    is_true, ignored = [], []
    for target, truth in zip(targets, objects, strict=True):
        is_difficult = np.append(np.asarray(truth.difficult, bool), False)[target]
        is_true.append((target >= 0) & ~is_difficult)
        ignored.append(is_difficult)
    counted = ~_join(ignored, bool)
    class_ids = _join([one.class_ids for one in found], int)[counted]
    scores = _join([one.scores for one in found], float)[counted]
    true = _join(is_true, bool)[counted]
    difficult = _join([truth.difficult for truth in objects], bool)
    true_ids = _join([truth.class_ids for truth in objects], int)[~difficult]
    return [
        _curve(scores[rows], true[rows], int(np.count_nonzero(true_ids == class_id)))
        for class_id in range(num_classes)
        for rows in [np.flatnonzero(class_ids == class_id)]
    ]


def _join(parts: Sequence[Array], kind: type) -> Array:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)


def _curve(scores: Array, is_true: Array, objects: int) -> Curve:
    """Returns the curve of one class; detections are in the order of the images."""
    order = np.argsort(-scores, kind="stable")
    return Curve.of(scores[order], is_true[order], objects)


def voc07(curve: Curve) -> float:
    """Returns the mean of the maximum precision at recall >= 0, 0.1, ... 1.

    The levels are floating-point numbers, as in the evaluators with published results:
    9 of 15 objects do not reach 0.6000000000000001.

    Returns:
        in [0, 1]; NaN if there are no objects

    Source: VOC 2007 development kit
    """
    if not curve.objects:
        return float("nan")
    levels = np.linspace(0, 1, 11)[:, None]
    reached = curve.recall[None] >= levels  # (11, K)
    best = np.where(reached, curve.precision[None], 0).max(axis=1, initial=0)
    return float(best.mean())


def voc10(curve: Curve) -> float:
    """Returns the area under the curve, with precision made monotonically decreasing.

    Returns:
        in [0, 1]; NaN if there are no objects

    Source: VOC 2010 development kit
    """
    if not curve.objects:
        return float("nan")
    decreasing = np.maximum.accumulate(curve.precision[::-1])[::-1]
    steps = np.diff(curve.recall, prepend=0)
    return float((steps * decreasing).sum())


def mean(values: Sequence[float]) -> float:
    """Returns the mean over the classes with objects; NaN if there are none."""
    numbers = [value for value in values if not np.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
