"""Average precision as computed by COCO's own evaluator, pycocotools.

It works on arrays. A detection is matched with the unmatched object that it overlaps
most. Equal scores keep the order of the images and of an image's detections. Difficult
objects are COCO's crowds: any number of detections can match one, by the share of their
area inside it, and all of them are ignored.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import average_precision
from yolov1_fo.evaluation.average_precision import Curve, GroundTruth

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""IoU thresholds of a true positive: 0.5, 0.55, ... 0.95."""
RECALLS = np.linspace(0, 1, 101)
"""Recall levels at which precision is sampled."""
MAX_DETECTIONS = 100
"""Maximum number of detections per class and image."""
UNDEFINED = -1.0
"""The value of all metrics of a class without objects."""


class Sweep(NamedTuple):
    """Precision and recall of each class at each IoU threshold.

    Attributes:
        precision: (T, C, 101), at `RECALLS`; `UNDEFINED` for classes without objects
        recall: (T, C), of all detections
        scores: (T, C, 101), the score threshold at which each recall is reached
    """

    precision: Array
    recall: Array
    scores: Array

    def ap50(self, class_id: int) -> float:
        """Returns AP at IoU 0.5; NaN if there are no objects."""
        return _mean(self.precision[0, class_id])

    def ap(self, class_id: int) -> float:
        """Returns AP averaged over `THRESHOLDS`; NaN if there are no objects."""
        return _mean(self.precision[:, class_id])


def _mean(precision: Array) -> float:
    return float("nan") if (precision == UNDEFINED).any() else float(precision.mean())


class _Part(NamedTuple):
    """One class in one image, with its detections by descending score."""

    scores: Array  # (D,)
    is_true: Array  # (T, D)
    is_counted: Array  # (T, D)
    objects: int


def sweep(
    found: Sequence[Detections], objects: Sequence[GroundTruth], num_classes: int
) -> Sweep:
    """Returns precision and recall of each class.

    Args:
        found: detections, by image
        objects: ground truth, by image, in the same order; difficult ones are crowds
        num_classes: classes are 0 to num_classes - 1

    Source: pycocotools 2.0, cocoeval.py
    """
    parts: list[list[_Part]] = [[] for _ in range(num_classes)]
    for detections, truth in zip(found, objects, strict=True):
        for class_id in np.union1d(detections.class_ids, truth.class_ids).tolist():
            if 0 <= class_id < num_classes:
                parts[class_id].append(_part(detections, truth, class_id))
    shape = len(THRESHOLDS), num_classes
    levels = *shape, len(RECALLS)
    result = Sweep(*(np.full(s, UNDEFINED) for s in (levels, shape, levels)))
    for class_id, some in enumerate(parts):
        if total := sum(part.objects for part in some):
            for array, values in zip(result, _accumulate(some, total), strict=True):
                array[:, class_id] = values
    return result


def _part(detections: Detections, truth: GroundTruth, class_id: int) -> _Part:
    rows, _, is_crowd, overlaps = _pairs(detections, truth, class_id)
    rows, overlaps = rows[:MAX_DETECTIONS], overlaps[:MAX_DETECTIONS]
    target = _assign(overlaps, is_crowd, THRESHOLDS)  # (T, D)
    hit = target >= 0
    on_crowd = hit & np.append(is_crowd, False)[target]
    return _Part(
        detections.scores[rows], hit & ~on_crowd, ~on_crowd, int((~is_crowd).sum())
    )


def _pairs(
    found: Detections, truth: GroundTruth, class_id: int
) -> tuple[Array, Array, Array, Array]:
    """Returns the detections and objects of a class in one image, and their overlaps.

    Returns:
        (D,) indices of the detections, by descending score; (G,) indices of the
        objects; (G,) which of these are crowds; (D, G) overlaps
    """
    rows = np.flatnonzero(found.class_ids == class_id)
    rows = rows[np.argsort(-found.scores[rows], kind="stable")]
    own = np.flatnonzero(truth.class_ids == class_id)
    is_crowd = truth.difficult[own].astype(bool)
    overlaps = _boxes.evaluation_iou(
        found.boxes[rows], truth.boxes[own], is_crowd=is_crowd
    )
    return rows, own, is_crowd, overlaps


def _assign(overlaps: Array, is_crowd: Array, thresholds: Array) -> Array:
    """Returns the index of the object matched with each detection: (T, D), -1 for none.

    Of equal overlaps the last is matched; a crowd only if no object can be.

    Args:
        overlaps: (D, G), by descending score
        is_crowd: (G,)
        thresholds: (T,)
    """
    target = np.full((len(thresholds), len(overlaps)), -1)
    if not overlaps.size:
        return target
    free = np.ones((len(thresholds), len(is_crowd)), bool)  # (T, G)
    for row in np.flatnonzero(overlaps.max(axis=1) >= thresholds.min()).tolist():
        overlap = overlaps[row]
        fits = free & (overlap >= thresholds[:, None])
        single = fits & ~is_crowd
        fits = np.where(single.any(axis=1, keepdims=True), single, fits)
        place = _last_argmax(np.where(fits, overlap, -1))  # (T,)
        hit = fits.any(axis=1)
        target[hit, row] = place[hit]
        free[hit, place[hit]] = is_crowd[place[hit]]
    return target


def _last_argmax(values: Array) -> Array:
    return values.shape[1] - 1 - values[:, ::-1].argmax(axis=1)


def _accumulate(parts: list[_Part], total: int) -> tuple[Array, Array, Array]:
    """Returns precision (T, 101), recall (T,) and scores (T, 101) of one class."""
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    is_true = np.concatenate([part.is_true for part in parts], axis=1)[:, order]
    is_counted = np.concatenate([part.is_counted for part in parts], axis=1)[:, order]
    true_so_far = np.cumsum(is_true, axis=1).astype(float)  # (T, N)
    recall = true_so_far / total
    counted_so_far = np.cumsum(is_counted, axis=1)
    precision = true_so_far / np.maximum(counted_so_far, 1)
    decreasing = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    at_levels = np.zeros((2, len(THRESHOLDS), len(RECALLS)))
    for row in range(len(THRESHOLDS)):
        places = np.searchsorted(recall[row], RECALLS, side="left")
        reached = places < len(scores)
        at_levels[0, row, reached] = decreasing[row, places[reached]]
        at_levels[1, row, reached] = scores[places[reached]]
    last = recall[:, -1] if len(scores) else np.zeros(len(THRESHOLDS))
    return at_levels[0], last, at_levels[1]


def match(
    found: Detections, truth: GroundTruth, iou_thresh: float
) -> tuple[Array, Array]:
    """Matches the detections of an image with its objects.

    Args:
        found: detections
        truth: objects
        iou_thresh: minimum overlap of a match

    Returns:
        (K,) index of the object matched with each detection, -1 for none; (K,) their
        overlap, 0 where there is none
    """
    target = np.full(len(found.class_ids), -1)
    overlap = np.zeros(len(target))
    thresholds = np.array([round(iou_thresh, _boxes.IOU_DECIMALS)])
    for class_id in np.intersect1d(found.class_ids, truth.class_ids).tolist():
        rows, own, is_crowd, overlaps = _pairs(found, truth, class_id)
        place = _assign(overlaps, is_crowd, thresholds)[0]  # (D,)
        hit = place >= 0
        target[rows[hit]] = own[place[hit]]
        overlap[rows[hit]] = overlaps[hit, place[hit]]
    return target, overlap


def curves(
    found: Sequence[Detections],
    objects: Sequence[GroundTruth],
    num_classes: int,
    iou_thresh: float,
) -> list[Curve]:
    """Returns the precision-recall curve of each class, of all detections.

    Their points are what FiftyOne shows of the detections from a threshold on, while AP
    is interpolated; see `sweep`.

    Args:
        found: detections, by image
        objects: ground truth, by image, in the same order; difficult ones are crowds
        num_classes: classes are 0 to num_classes - 1
        iou_thresh: minimum overlap of a true positive
    """
    pairs = zip(found, objects, strict=True)
    targets = [match(one, truth, iou_thresh)[0] for one, truth in pairs]
    return average_precision.matched_curves(found, objects, targets, num_classes)
