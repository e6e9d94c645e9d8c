"""What is right among the detections that are shown, by image and by class.

It works on arrays. Detections and objects are matched as in `coco`, so that the counts
are those of the operating point.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import coco
from yolov1_fo.evaluation.average_precision import GroundTruth


class Outcome(NamedTuple):
    """The detections of an image that are shown, and its objects.

    Attributes:
        found: the detections, best first
        truth: the objects
        is_true: (K,) whether each detection is a true positive
        is_ignored: (K,) whether it is matched with a difficult object
        is_missed: (M,) whether each object is a false negative
    """

    found: Detections
    truth: GroundTruth
    is_true: Array
    is_ignored: Array
    is_missed: Array

    @property
    def tp(self) -> int:
        """Number of true positives."""
        return int(np.count_nonzero(self.is_true))

    @property
    def fp(self) -> int:
        """Number of false positives."""
        return int(np.count_nonzero(~self.is_true & ~self.is_ignored))

    @property
    def fn(self) -> int:
        """Number of objects that are not found."""
        return int(np.count_nonzero(self.is_missed))

    @property
    def f1(self) -> float:
        """2 TP / (2 TP + FP + FN); NaN without detections and objects."""
        count = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / count if count else math.nan


def thresholds(point: Mapping[str, Any], classes: Sequence[str]) -> Array:
    """Returns the threshold of each class: (C,), infinite where nothing is shown.

    Args:
        point: of `operating_point.summary`
        classes: their names
    """
    overall = point.get("thresh")
    own = point.get("class_threshs") or {}
    values = [own.get(name, overall) for name in classes]
    return np.array([math.inf if one is None else one for one in values], np.float64)


def outcome(
    found: Detections, truth: GroundTruth, threshs: Array, iou_thresh: float
) -> Outcome:
    """Returns what is right in an image.

    Args:
        found: all detections of the image, best first
        truth: its objects
        threshs: (C,) lowest score that is shown, by class
        iou_thresh: minimum IoU of a true positive
    """
    is_shown = found.scores >= threshs[found.class_ids]
    shown = Detections(*(part[is_shown] for part in found))
    target, _ = coco.match(shown, truth, iou_thresh)
    difficult = np.asarray(truth.difficult, bool)
    is_ignored = np.append(difficult, False)[target]
    is_missed = ~difficult
    is_missed[target[target >= 0]] = False
    return Outcome(shown, truth, (target >= 0) & ~is_ignored, is_ignored, is_missed)


def confusion_matrix(
    outcomes: Sequence[Outcome], num_classes: int, iou_thresh: float
) -> Array:
    """Returns how often objects of each class are detected as each class.

    A detection that is not a true positive is counted with the object of another class
    that it overlaps most, if that object was not found.

    Args:
        outcomes: by image
        num_classes: C
        iou_thresh: minimum IoU of a detection with the object of another class

    Returns:
        (C + 1, C + 1) int64: rows are classes of objects, columns are classes of
        detections; the last row has detections on no object, the last column objects
        that are not detected. A row of a class has the sum of its objects
    """
    matrix = np.zeros((num_classes + 1, num_classes + 1), np.int64)
    for one in outcomes:
        right = one.found.class_ids[one.is_true]
        np.add.at(matrix, (right, right), 1)
        missed = np.flatnonzero(one.is_missed)
        wrong = np.flatnonzero(~one.is_true & ~one.is_ignored)
        for row, column in _confused(one, wrong, missed, iou_thresh):
            matrix[row, column] += 1
    return matrix


def _confused(
    one: Outcome, wrong: Array, missed: Array, iou_thresh: float
) -> list[tuple[int, int]]:
    """Returns true and detected class of each wrong detection and missed object."""
    found_ids, true_ids = one.found.class_ids[wrong], one.truth.class_ids[missed]
    overlaps = _boxes.evaluation_iou(
        one.found.boxes[wrong], one.truth.boxes[missed]
    )  # (W, M)
    overlaps = np.where(found_ids[:, None] == true_ids[None], 0.0, overlaps)
    pairs, free = [], np.ones(len(missed), bool)
    for row, class_id in enumerate(found_ids.tolist()):
        candidates = np.where(free, overlaps[row], 0.0)
        best = int(candidates.argmax()) if len(missed) else -1
        if best >= 0 and bool(_boxes.reaches(candidates[best], iou_thresh)):
            free[best] = False
            pairs.append((int(true_ids[best]), class_id))
        else:
            pairs.append((-1, class_id))
    return pairs + [(class_id, -1) for class_id in true_ids[free].tolist()]
