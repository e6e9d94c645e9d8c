"""Average precision as COCO's own evaluator, pycocotools, computes it.

It works on arrays. A detection takes, of the objects that are still free, the one that
it overlaps most. Equal scores keep the order of the images and of an image's
detections. Objects that are ignored are COCO's crowds: any number of detections may
find one, with the part of themselves that lies inside, and neither counts.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detected
from yolov1_fo.evaluation.average_precision import Objects

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Least overlaps of a true detection: 0.5, 0.55, ... 0.95."""
RECALLS = np.linspace(0, 1, 101)
"""Levels of recall at which precision is taken."""
MOST = 100
"""So many detections of a class are looked at in an image."""
UNKNOWN = -1.0
"""Stands for the numbers of a class without objects."""


class Sweep(NamedTuple):
    """Precision and recall of each class at each least overlap.

    Attributes:
        precision: (T, C, 101), at `RECALLS`; `UNKNOWN` where there is no object to find
        recall: (T, C), of all detections
        scores: (T, C, 101), the score down to which each recall is reached
    """

    precision: Array
    recall: Array
    scores: Array

    def ap50(self, class_id: int) -> float:
        """Returns AP at IoU 0.5; NaN where there is no object to find."""
        return _mean(self.precision[0, class_id])

    def ap(self, class_id: int) -> float:
        """Returns AP over all least overlaps; NaN where there is no object to find."""
        return _mean(self.precision[:, class_id])


def _mean(precision: Array) -> float:
    return float("nan") if (precision == UNKNOWN).any() else float(precision.mean())


class _Part(NamedTuple):
    """One class in one image, its detections from the best to the worst."""

    scores: Array  # (D,)
    is_true: Array  # (T, D)
    counts: Array  # (T, D)
    objects: int


def sweep(
    found: Sequence[Detected], objects: Sequence[Objects], num_classes: int
) -> Sweep:
    """Returns precision and recall of each class.

    Args:
        found: detections, by image
        objects: truth, by image, in the same order; what is difficult is a crowd
        num_classes: classes are 0 to num_classes - 1

    Source: pycocotools 2.0, cocoeval.py
    """
    parts: list[list[_Part]] = [[] for _ in range(num_classes)]
    for detections, truth in zip(found, objects, strict=True):
        there = np.union1d(detections.class_ids, truth.class_ids).tolist()
        for class_id in there:
            if 0 <= class_id < num_classes:
                parts[class_id].append(_part(detections, truth, class_id))
    shape = len(THRESHOLDS), num_classes
    levels = *shape, len(RECALLS)
    made = Sweep(*(np.full(s, UNKNOWN) for s in (levels, shape, levels)))
    for class_id, some in enumerate(parts):
        if total := sum(part.objects for part in some):
            curves = _accumulate(some, total)
            for whole, one in zip(made, curves, strict=True):
                whole[:, class_id] = one
    return made


def _part(detections: Detected, truth: Objects, class_id: int) -> _Part:
    ours = np.flatnonzero(detections.class_ids == class_id)
    ours = ours[np.argsort(-detections.scores[ours], kind="stable")][:MOST]
    mine = truth.class_ids == class_id
    is_crowd = truth.difficult[mine].astype(bool)
    overlaps = _boxes.measured_iou(
        detections.boxes[ours], truth.boxes[mine], is_crowd=is_crowd
    )
    target = _assign(overlaps, is_crowd, THRESHOLDS)  # (T, D)
    hit = target >= 0
    on_crowd = hit & np.append(is_crowd, False)[target]
    return _Part(
        detections.scores[ours], hit & ~on_crowd, ~on_crowd, int((~is_crowd).sum())
    )


def _assign(overlaps: Array, is_crowd: Array, thresholds: Array) -> Array:
    """Returns which object each detection finds: (T, D), -1 for none.

    Of equal overlaps the last is found; a crowd only where no object is.

    Args:
        overlaps: (D, G), best detections first
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
        place = _last_of_most(np.where(fits, overlap, -1))  # (T,)
        hit = fits.any(axis=1)
        target[hit, row] = place[hit]
        free[hit, place[hit]] = is_crowd[place[hit]]
    return target


def _last_of_most(values: Array) -> Array:
    return values.shape[1] - 1 - values[:, ::-1].argmax(axis=1)


def _accumulate(parts: list[_Part], total: int) -> tuple[Array, Array, Array]:
    """Returns precision (T, 101), recall (T,) and scores (T, 101) of one class."""
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    is_true = np.concatenate([part.is_true for part in parts], axis=1)[:, order]
    counts = np.concatenate([part.counts for part in parts], axis=1)[:, order]
    found = np.cumsum(is_true, axis=1).astype(float)  # (T, N)
    recall = found / total
    seen = np.cumsum(counts, axis=1)
    precision = found / np.maximum(seen, 1)
    falling = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    at_levels = np.zeros((2, len(THRESHOLDS), len(RECALLS)))
    for row in range(len(THRESHOLDS)):
        places = np.searchsorted(recall[row], RECALLS, side="left")
        reached = places < len(scores)
        at_levels[0, row, reached] = falling[row, places[reached]]
        at_levels[1, row, reached] = scores[places[reached]]
    last = recall[:, -1] if len(scores) else np.zeros(len(THRESHOLDS))
    return at_levels[0], last, at_levels[1]


def match(found: Detected, truth: Objects, iou_thresh: float) -> tuple[Array, Array]:
    """Returns which object each detection of an image finds.

    Args:
        found: detections
        truth: objects
        iou_thresh: least overlap of a true detection

    Returns:
        (K,) the object's number, -1 for none; (K,) the overlap, 0 where there is none
    """
    target = np.full(len(found.class_ids), -1)
    overlap = np.zeros(len(target))
    least = np.array([round(iou_thresh, _boxes.PLACES)])
    for class_id in np.intersect1d(found.class_ids, truth.class_ids).tolist():
        ours = np.flatnonzero(found.class_ids == class_id)
        ours = ours[np.argsort(-found.scores[ours], kind="stable")]
        mine = np.flatnonzero(truth.class_ids == class_id)
        is_crowd = truth.difficult[mine].astype(bool)
        overlaps = _boxes.measured_iou(
            found.boxes[ours], truth.boxes[mine], is_crowd=is_crowd
        )
        place = _assign(overlaps, is_crowd, least)[0]  # (D,)
        hit = place >= 0
        target[ours[hit]] = mine[place[hit]]
        overlap[ours[hit]] = overlaps[hit, place[hit]]
    return target, overlap
