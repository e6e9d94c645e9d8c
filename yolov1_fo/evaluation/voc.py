"""VOC's evaluation as a method of FiftyOne's `evaluate_detections`.

dataset.evaluate_detections(
    "predictions", method=yolov1_fo.VOCEvaluationConfig, eval_key="voc"
)
"""

import math
from collections.abc import Sequence
from typing import Any

import fiftyone.core.plots as fop
import numpy as np
from fiftyone.utils.eval.detection import (
    DetectionEvaluation,
    DetectionEvaluationConfig,
    DetectionResults,
)

from yolov1_fo.config import spelling
from yolov1_fo.evaluation import average_precision, error_fields, matching
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.error_fields import Counts
from yolov1_fo.evaluation.matching import Match, Matched, Progress
from yolov1_fo.evaluation.pairs import Compared

LEVELS = np.linspace(0, 1, 101)
"""Levels of recall at which a curve is drawn."""


def metrics(values: dict[str, float], iou_thresh: float) -> dict[str, Any]:
    """Returns numbers as FiftyOne keeps metrics, so that its panel shows them.

    Args:
        values: voc07, voc10 and ap50, or some of them
        iou_thresh: of VOC's
    """
    labels = {
        "voc07": f"VOC07 mAP@{iou_thresh:g}",
        "voc10": f"VOC10 mAP@{iou_thresh:g}",
        "ap50": "COCO AP@0.5",
    }
    return {
        f"yolov1_fo/{key}": {
            "key": key,
            "value": None if math.isnan(value) else value,
            "label": labels[key],
            "lower_is_better": False,
        }
        for key, value in values.items()
    }


def missing_of(classes: Sequence[str]) -> str | None:
    """Returns how FiftyOne calls "no object": its own word unless a class has it."""
    word = "(none)"
    while word in classes:
        word += "_"
    return word


class VOCEvaluationConfig(DetectionEvaluationConfig):
    """Settings of VOC's evaluation.

    Args:
        pred_field: field of Detections with confidences
        gt_field: field of Detections
        iou (0.5): least overlap of a true detection
        classwise (True): VOC knows no other way
        inclusive_corners (False): measures overlaps in pixels, as VOC's development kit
            does: both corners belong to a box; needs `compute_metadata()`
        similar (None): sets of classes that are taken for each other, for the analysis
            of errors; None takes VOC's
        custom_metrics (None): FiftyOne's
        use_masks (False): boxes are compared, nothing else
        use_boxes (False): the same

    Raises:
        ValueError: for what VOC does not know
    """

    __module__ = "yolov1_fo.voc"  # as databases and files name it

    def __init__(
        self,
        pred_field: str,
        gt_field: str,
        iou: float | None = 0.5,
        classwise: bool | None = True,
        inclusive_corners: bool = False,
        similar: Sequence[Sequence[str]] | None = None,
        custom_metrics: Any = None,
        use_masks: bool = False,
        use_boxes: bool = False,
        **unknown: Any,
    ) -> None:
        spelling.check("setting", unknown, ("iou", "inclusive_corners", "similar"))
        if iou is None or not 0 < iou <= 1:
            raise ValueError(f"iou must be in (0, 1], got {iou!r}")
        if not classwise or use_masks or use_boxes:
            raise ValueError(
                "VOC compares boxes of one class; classwise must be True, use_masks "
                "and use_boxes False"
            )
        super().__init__(
            pred_field,
            gt_field,
            iou=iou,
            classwise=True,
            custom_metrics=custom_metrics,
        )
        self.inclusive_corners = inclusive_corners
        self.similar = None if similar is None else [list(one) for one in similar]

    @property
    def method(self) -> str:
        """The name of the method."""
        return "voc"


class VOCResults(DetectionResults):
    """What VOC's evaluation found.

    Args:
        samples: that were evaluated
        config: of the evaluation
        eval_key: its name
        matches: FiftyOne's
        precision: by class, of each detection that counts, from the best on
        recall: the same
        objects: how many there are of each class
        classes: their names
        **kwargs: of `DetectionResults`
    """

    __module__ = "yolov1_fo.voc"  # as databases and files name it

    def __init__(
        self,
        samples: Any,
        config: VOCEvaluationConfig,
        eval_key: str | None,
        matches: list[Match],
        precision: Sequence[Sequence[float]],
        recall: Sequence[Sequence[float]],
        objects: Sequence[int],
        classes: Sequence[str],
        **kwargs: Any,
    ) -> None:
        super().__init__(samples, config, eval_key, matches, classes=classes, **kwargs)
        self.precision = [[float(value) for value in row] for row in precision]
        self.recall = [[float(value) for value in row] for row in recall]
        self.objects = [int(count) for count in objects]

    def curve(self, name: str) -> Curve:
        """Returns precision and recall of a class."""
        there = [one for one in self.classes if one != self.missing]
        if name not in there:
            raise ValueError(f"class '{name}' was not measured; there are: {there}")
        row = there.index(name)
        precision = np.array(self.precision[row])
        return Curve(
            precision, np.array(self.recall[row]), self.objects[row], len(precision)
        )

    def voc07(self, classes: Sequence[str] | None = None) -> float:
        """Returns the mean AP by 11 levels of recall; of all classes unless named."""
        return self._mean(average_precision.voc07, classes)

    def voc10(self, classes: Sequence[str] | None = None) -> float:
        """Returns the mean area under the curves; of all classes unless named."""
        return self._mean(average_precision.voc10, classes)

    def mAP(self, classes: Sequence[str] | None = None) -> float:  # FiftyOne says so
        """Returns VOC07's mean AP, as the paper reports it."""
        return self.voc07(classes)

    def _mean(self, measure: Any, classes: Sequence[str] | None) -> float:
        names = [name for name in self.classes if name != self.missing]
        chosen = names if classes is None else classes
        return average_precision.mean([measure(self.curve(name)) for name in chosen])

    def errors(self) -> Counts:
        """Returns how many detections of each class are of each kind of error.

        Raises:
            ValueError: of an evaluation without a name, whose kinds are not kept
        """
        if self.key is None:
            raise ValueError("errors are kept with an eval_key, got None")
        return error_fields.count(self.samples, self.key)

    def plot_pr_curves(
        self,
        classes: Sequence[str] | None = None,
        backend: str = "plotly",
        **kwargs: Any,
    ) -> Any:
        """Plots the curves, their precision made falling.

        Args:
            classes (None): by default the three with the best VOC10
            backend ("plotly"): FiftyOne's
            **kwargs: of FiftyOne's plot
        """
        names = [name for name in self.classes if name != self.missing]
        if classes is None:
            names.sort(key=lambda name: -np.nan_to_num(self.voc10([name]), nan=-1))
            classes = names[:3]
        rows = [_falling(self.curve(name)) for name in classes]
        return fop.plot_pr_curves(rows, LEVELS, classes, backend=backend, **kwargs)

    @classmethod
    def _from_dict(
        cls, d: Any, samples: Any, config: Any, eval_key: str, **kwargs: Any
    ) -> "VOCResults":
        own = {name: d[name] for name in ("precision", "recall", "objects")}
        return super()._from_dict(d, samples, config, eval_key, **own, **kwargs)


def _falling(curve: Curve) -> np.ndarray:
    """Returns the best precision at each level of recall, or beyond it."""
    reached = curve.recall[None] >= LEVELS[:, None]  # (101, K)
    return np.where(reached, curve.precision[None], 0).max(axis=1, initial=0)


class VOCEvaluation(error_fields.WithErrors, DetectionEvaluation):
    """VOC's evaluation.

    A detection takes the object of its class that it overlaps most; if a better one has
    taken it, it is false. Objects that are `difficult`, `iscrowd` or `IsGroupOf`
    neither count nor cost, and neither does what finds them: they stay without `tp`,
    `fp` and `fn`.

    Args:
        config: its settings

    Source: VOC development kit, section 3.4
    """

    __module__ = "yolov1_fo.voc"  # as databases and files name it

    def match(self, both: Compared, progress: Progress = None) -> Matched:
        """Returns which detection finds which object."""
        return matching.as_voc(both, self.config.iou)

    def results_of(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None,
        both: Compared,
        missing: str | None,
    ) -> VOCResults:
        """Returns the curves of the classes that `both` measures."""
        config, names = self.config, both.classes
        curves = both.curves(config.iou)
        results = VOCResults(
            samples,
            config,
            eval_key,
            matches,
            [curve.precision for curve in curves],
            [curve.recall for curve in curves],
            [curve.objects for curve in curves],
            names,
            missing=missing or missing_of(names),
            backend=self,
        )
        means = {"voc07": results.voc07(), "voc10": results.voc10()}
        results.custom_metrics = metrics(means, config.iou)
        return results
