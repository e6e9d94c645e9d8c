"""Matches of detections with objects, also in FiftyOne's form."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from fiftyone.core.utils import ProgressBar

from yolov1_fo.boxes import Array
from yolov1_fo.evaluation import average_precision, coco
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.evaluation_data import EvaluationData

Match = tuple[
    str | None, str | None, float | None, float | None, str | None, str | None
]
"""FiftyOne's: true label, predicted label, IoU, confidence, true id, predicted id."""
Progress = bool | Callable[..., Any] | None
"""FiftyOne's `progress` argument: True, False, its default, or a callback."""


class Matching(NamedTuple):
    """Evaluation data with the matches of all images.

    Difficult objects and detections matched with them have neither marks nor matches;
    likewise detections that do not count.

    Attributes:
        data: predictions and ground truth
        targets: (K,) index of the object matched with each detection, -1 for none, by
            image
        overlaps: (K,) their IoU, by image
        lowest: confidence from which detections count; None counts all
        num_classes: objects and detections of the first so many classes count; None
            counts all
    """

    data: EvaluationData
    targets: list[Array]
    overlaps: list[Array]
    lowest: float | None = None
    num_classes: int | None = None

    def counting(self, lowest: float | None, num_classes: int) -> "Matching":
        """Returns the matches of the detections and objects that count.

        They are those of the field without the other detections, since detections are
        matched by class and descending confidence.

        Args:
            lowest: confidence from which detections count; None counts all
            num_classes: objects and detections of the first so many classes count
        """
        counted = self._replace(lowest=lowest, num_classes=num_classes)
        targets = [
            np.where(counted.is_counted(image), target, -1)
            for image, target in enumerate(self.targets)
        ]
        return counted._replace(targets=targets)

    def is_counted(self, image: int) -> Array:
        """Returns whether each detection of an image counts: (K,) bool."""
        found = self.data.found[image]
        lowest = -math.inf if self.lowest is None else self.lowest
        return (found.scores >= lowest) & self._is_evaluated(found.class_ids)

    def is_object(self, image: int) -> Array:
        """Returns whether each object of an image counts: (M,) bool."""
        truth = self.data.objects[image]
        return ~truth.difficult & self._is_evaluated(truth.class_ids)

    def _is_evaluated(self, class_ids: Array) -> Array:
        if self.num_classes is None:
            return np.ones(len(class_ids), bool)
        return np.asarray(class_ids < self.num_classes)

    def curves(self) -> dict[str, Curve]:
        """Returns the precision-recall curve of these matches by name of class."""
        data = self.data
        curves = average_precision.matched_curves(
            data.found, data.objects, self.targets, len(data.classes)
        )
        return dict(zip(data.classes, curves, strict=True))

    @property
    def ids(self) -> list[str]:
        """Sample ids."""
        return self.data.ids

    def matches(self) -> list[list[Match]]:
        """Returns FiftyOne's matches, by image."""
        return [self._matches(image) for image in range(len(self.targets))]

    def _matches(self, image: int) -> list[Match]:
        data, target = self.data, self.targets[image]
        found, truth = data.found[image], data.objects[image]
        ids, true_ids = data.pred_field.ids[image], data.gt_field.ids[image]
        names = data.labels
        matches: list[Match] = []
        order = np.argsort(-found.scores, kind="stable")
        for row in order[self.is_counted(image)[order]].tolist():
            label, score = names[found.class_ids[row]], float(found.scores[row])
            place = int(target[row])
            if place < 0:
                matches.append((None, label, None, score, None, ids[row]))
            elif not truth.difficult[place]:
                overlap = float(self.overlaps[image][row])
                true_id = true_ids[place]
                matches.append((label, label, overlap, score, true_id, ids[row]))
        missed = self.is_object(image)
        missed[target[target >= 0]] = False
        for place in np.flatnonzero(missed).tolist():
            label = names[truth.class_ids[place]]
            matches.append((label, None, None, None, true_ids[place], None))
        return matches


def match_coco(
    data: EvaluationData, iou_thresh: float, progress: Progress = None
) -> Matching:
    """Matches detections and objects as COCO does; see `coco.match`."""
    found, objects = data.unclipped()
    images = zip(found, objects, strict=True)
    with ProgressBar(total=len(found), progress=progress) as bar:
        pairs = [coco.match(one, truth, iou_thresh) for one, truth in bar(images)]
    return Matching(data, [one[0] for one in pairs], [one[1] for one in pairs])


def match_voc(data: EvaluationData, iou_thresh: float) -> Matching:
    """Matches detections and objects as VOC does; see `average_precision.match`."""
    pairs = [
        average_precision.match(one, truth, iou_thresh, data.border)
        for one, truth in zip(data.found, data.objects, strict=True)
    ]
    return Matching(data, [one[0] for one in pairs], [one[1] for one in pairs])
