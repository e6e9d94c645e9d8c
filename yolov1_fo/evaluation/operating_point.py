"""The operating point: the confidence threshold of best F1, for those who show boxes.

It works on arrays. A detection is shown if its score is at least the threshold, so that
a threshold never separates equal scores.

The highest point of a curve fits the accidents of a small split. Therefore F1 is
averaged over neighboring ranks first, and the threshold lies in the middle of the
widest gap between two scores where the average is as good.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.evaluation.average_precision import Curve

MIN_OBJECTS = 10
"""A class with fewer objects has the threshold of all classes."""
MAX_CLASSES = 1000
"""Number of classes that can have a threshold of their own, those of most objects.

They are stored in a document of the database.
"""
THRESHOLDS = np.linspace(0, 1, 101)
"""Thresholds of a stored curve."""
WINDOW = 0.2
"""Ranks over which F1 is averaged, as a share of the number of objects."""
TOLERANCE = 0.002
"""An average F1 that is lower by at most this is as good."""


class OperatingPoint(NamedTuple):
    """What is shown at a threshold.

    Attributes:
        thresh: lowest score that is shown; NaN if there is none to recommend, since no
            detection is a true positive; then nothing is shown
        precision: TP / (TP + FP); NaN if nothing is shown
        recall: TP / (TP + FN); NaN if there are no objects
        f1: 2 TP / (2 TP + FP + FN), the harmonic mean of both; NaN if nothing is shown
            and there are no objects
        tp: number of true positives
        fp: number of false positives
        fn: number of objects that are not found
    """

    thresh: float
    precision: float
    recall: float
    f1: float
    tp: int
    fp: int
    fn: int

    def __str__(self) -> str:
        if math.isnan(self.thresh):
            return "F1 0: no detection is a true positive"
        return (
            f"F1 {self.f1:.2f} at a confidence of at least {self.thresh:.3g}: "
            f"precision {self.precision:.2f}, recall {self.recall:.2f}"
        )

    def to_json(self) -> dict[str, float | None]:
        """Returns it with None in place of NaN; `from_json(p.to_json()) == p`."""
        return {name: _json(value) for name, value in self._asdict().items()}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Returns what `to_json` wrote; numbers that are missing are NaN, counts 0."""
        thresh, precision, recall, f1 = (_float(stored.get(x)) for x in cls._fields[:4])
        tp, fp, fn = (int(stored.get(name) or 0) for name in cls._fields[4:])
        return cls(thresh, precision, recall, f1, tp, fp, fn)


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _json(value: float) -> float | None:
    return value if math.isfinite(value) else None


def pool(curves: Sequence[Curve]) -> Curve:
    """Returns the curve of the detections and objects of several classes together."""
    scores = np.concatenate([np.zeros(0), *(one.scores for one in curves)])
    order = np.argsort(-scores, kind="stable")
    is_true = np.concatenate([np.zeros(0, bool), *(one.is_true for one in curves)])
    objects = sum(one.objects for one in curves)
    return Curve.of(scores[order], is_true[order], objects)


def at(curve: Curve, thresh: float) -> OperatingPoint:
    """Returns what is shown at a threshold.

    Args:
        curve: of one class, or of `pool`
        thresh: lowest score that is shown; NaN shows nothing
    """
    shown = int(np.count_nonzero(curve.scores >= thresh))
    tp = round(float(curve.recall[shown - 1]) * curve.objects) if shown else 0
    fp, fn = shown - tp, curve.objects - tp
    return OperatingPoint(
        float(thresh),
        _ratio(tp, shown),
        _ratio(tp, curve.objects),
        _ratio(2 * tp, shown + curve.objects),
        *(tp, fp, fn),
    )


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def recommend(curve: Curve) -> OperatingPoint:
    """Returns the point of best F1; its threshold is NaN without true positives.

    With less than 10 objects it is the highest point of the curve itself.

    Args:
        curve: of one class, or of `pool`
    """
    if not curve.is_true.any():
        return at(curve, math.nan)
    scores = curve.scores
    gaps = -np.diff(scores)  # (K - 1,), after 1, 2, ... detections
    ends = np.append(np.flatnonzero(gaps > 0) + 1, len(scores))  # where one may cut
    half = int(WINDOW * curve.objects / 2)
    f1 = _moving_mean(_f1_by_rank(curve, ends), half)[ends]
    best = f1.argmax()
    is_good = (np.abs(ends - ends[best]) <= half) & (f1 >= f1[best] - TOLERANCE)
    is_good[best] = True
    widths = np.append(gaps, 0)[ends - 1]
    end = int(ends[np.where(is_good, widths, -1).argmax()])
    return at(curve, _between(scores, end))


def _f1_by_rank(curve: Curve, ends: Array) -> Array:
    """Returns F1 of the first 0, 1, ... K detections; in the mean for equal scores."""
    ranks = np.arange(len(curve.scores) + 1)
    true_so_far = np.append(0, np.cumsum(curve.is_true))
    places = np.append(0, ends)
    return 2 * np.interp(ranks, places, true_so_far[places]) / (ranks + curve.objects)


def _moving_mean(values: Array, half: int) -> Array:
    """Returns means over windows of 2 half + 1 values, narrower near both ends."""
    if not half:
        return values
    sums = np.append(0, np.cumsum(values))
    places = np.arange(len(values))
    halves = np.minimum(half, np.minimum(places, places[::-1]))
    low, high = places - halves, places + halves + 1
    return (sums[high] - sums[low]) / (high - low)


def _between(scores: Array, count: int) -> float:
    """Returns a threshold that the first `count` scores reach and no other."""
    lowest = float(scores[count - 1])
    if count == len(scores):
        return lowest
    middle = (lowest + float(scores[count])) / 2
    return middle if middle > scores[count] else lowest


def by_class(
    curves: Sequence[Curve], overall: OperatingPoint
) -> tuple[list[OperatingPoint], list[bool]]:
    """Returns the point of each class, and whether its threshold is its own.

    Classes of few objects, or without a true positive, have the overall threshold.

    Args:
        curves: of each class
        overall: of all classes, from `recommend(pool(curves))`
    """
    points, is_own = [], []
    order = np.argsort([-one.objects for one in curves], kind="stable")
    largest = set(order[:MAX_CLASSES].tolist())
    for number, curve in enumerate(curves):
        own = curve.objects >= MIN_OBJECTS and number in largest
        point = recommend(curve) if own else at(curve, overall.thresh)
        if own and math.isnan(point.thresh):
            own, point = False, at(curve, overall.thresh)
        points.append(point)
        is_own.append(own)
    return points, is_own


def class_threshs(
    curves: Sequence[Curve], classes: Sequence[str], overall: OperatingPoint
) -> dict[str, float]:
    """Returns the thresholds of the classes that have one of their own.

    Args:
        curves: of each class
        classes: their names
        overall: of all classes, from `recommend(pool(curves))`
    """
    points, is_own = by_class(curves, overall)
    chosen = zip(classes, points, is_own, strict=True)
    return {name: point.thresh for name, point, own in chosen if own}


def summary(
    curves: Sequence[Curve], classes: Sequence[str], iou_thresh: float
) -> dict[str, Any]:
    """Returns the operating point of a checkpoint as JSON.

    Args:
        curves: of each class
        classes: their names
        iou_thresh: minimum IoU of a true positive

    Returns:
        the parts of `OperatingPoint.to_json`; iou_thresh; class_threshs, the thresholds
        of classes that have one of their own; curve, with lists of 101 thresh,
        precision and recall, None where they are not defined
    """
    pooled = pool(curves)
    overall = recommend(pooled)
    points = [at(pooled, thresh) for thresh in THRESHOLDS]
    names = ("thresh", "precision", "recall")
    return {
        **overall.to_json(),
        "iou_thresh": iou_thresh,
        "class_threshs": class_threshs(curves, classes, overall),
        "curve": {
            name: [_json(round(getattr(point, name), 4)) for point in points]
            for name in names
        },
    }
