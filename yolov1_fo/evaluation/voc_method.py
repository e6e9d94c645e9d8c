"""VOC's evaluation as a method of FiftyOne's `evaluate_detections`.

dataset.evaluate_detections(
    "predictions", method=yolov1_fo.VOCEvaluationConfig, eval_key="voc"
)
"""

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
from yolov1_fo.evaluation import average_precision, error_fields, matching, metrics
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.error_fields import ErrorCounts
from yolov1_fo.evaluation.evaluation_data import EvaluationData
from yolov1_fo.evaluation.evaluation_method import ErrorAnalysisMixin, missing_label
from yolov1_fo.evaluation.matching import Match, Matching, Progress

RECALLS = np.linspace(0, 1, 101)
"""Recall levels of a plotted curve."""


class VOCEvaluationConfig(DetectionEvaluationConfig):
    """Settings of VOC's evaluation.

    Args:
        pred_field: field of Detections with confidences
        gt_field: field of Detections
        iou (0.5): minimum IoU of a true positive
        classwise (True): must be True
        inclusive_corners (False): measures IoU in pixels, as VOC's development kit
            does, where a box includes both corners; needs `compute_metadata()`
        similar (None): sets of similar classes for the error analysis; None uses VOC's
        custom_metrics (None): FiftyOne's
        use_masks (False): must be False
        use_boxes (False): must be False

    Raises:
        ValueError: for settings that VOC does not support
    """

    __module__ = "yolov1_fo.voc"  # as stored in databases and files

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
        spelling.check_names(
            "setting", unknown, ("iou", "inclusive_corners", "similar")
        )
        if iou is None or not 0 < iou <= 1:
            raise ValueError(f"iou must be in (0, 1], got {iou!r}")
        if not classwise or use_masks or use_boxes:
            raise ValueError(
                "VOC matches boxes of the same class only: classwise must be True, "
                "use_masks and use_boxes must be False"
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
    """Results of VOC's evaluation.

    Args:
        samples: the evaluated samples
        config: of the evaluation
        eval_key: its name
        matches: FiftyOne's
        precision: of each detection that is not ignored, by descending score, by class
        recall: likewise
        objects: number of objects of each class
        classes: class names
        **kwargs: of `DetectionResults`
    """

    __module__ = "yolov1_fo.voc"  # as stored in databases and files

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
        """Returns the precision-recall curve of a class."""
        names = self._class_names()
        if name not in names:
            raise ValueError(f"class '{name}' was not evaluated; there are: {names}")
        row = names.index(name)
        precision = np.array(self.precision[row])
        count = len(precision)
        return Curve(
            *(precision, np.array(self.recall[row]), self.objects[row], count),
            scores=np.full(count, np.nan),
        )

    def voc07(self, classes: Sequence[str] | None = None) -> float:
        """Returns the mean 11-point AP of some classes, by default all."""
        return self._mean(average_precision.voc07, classes)

    def voc10(self, classes: Sequence[str] | None = None) -> float:
        """Returns the mean area under the curves of some classes, by default all."""
        return self._mean(average_precision.voc10, classes)

    def mAP(self, classes: Sequence[str] | None = None) -> float:  # FiftyOne's name
        """Returns VOC07's mAP, as the paper reports it."""
        return self.voc07(classes)

    def _mean(self, measure: Any, classes: Sequence[str] | None) -> float:
        chosen = self._class_names() if classes is None else classes
        return average_precision.mean([measure(self.curve(name)) for name in chosen])

    def _class_names(self) -> list[str]:
        return [name for name in self.classes if name != self.missing]

    def errors(self) -> ErrorCounts:
        """Returns the number of detections of each class and error type.

        Raises:
            ValueError: if the evaluation has no `eval_key`, so they are not stored
        """
        if self.key is None:
            raise ValueError("errors are only stored with an eval_key, got None")
        return error_fields.count(self.samples, self.key)

    def plot_pr_curves(
        self,
        classes: Sequence[str] | None = None,
        backend: str = "plotly",
        **kwargs: Any,
    ) -> Any:
        """Plots the curves, with precision made monotonically decreasing.

        Args:
            classes (None): by default the three with the highest VOC10
            backend ("plotly"): FiftyOne's
            **kwargs: of FiftyOne's plot
        """
        if classes is None:
            names = self._class_names()
            names.sort(key=lambda name: -np.nan_to_num(self.voc10([name]), nan=-1))
            classes = names[:3]
        rows = [_decreasing(self.curve(name)) for name in classes]
        return fop.plot_pr_curves(rows, RECALLS, classes, backend=backend, **kwargs)

    @classmethod
    def _from_dict(
        cls, d: Any, samples: Any, config: Any, eval_key: str, **kwargs: Any
    ) -> "VOCResults":
        own = {name: d[name] for name in ("precision", "recall", "objects")}
        return super()._from_dict(d, samples, config, eval_key, **own, **kwargs)


def _decreasing(curve: Curve) -> np.ndarray:
    """Returns the maximum precision at or above each recall level."""
    reached = curve.recall[None] >= RECALLS[:, None]  # (101, K)
    return np.where(reached, curve.precision[None], 0).max(axis=1, initial=0)


class VOCEvaluation(ErrorAnalysisMixin, DetectionEvaluation):
    """VOC's evaluation.

    A detection is matched with the object of its class that it overlaps most. It is a
    false positive if a detection of a higher score has been matched with that object.
    Objects that are `difficult`, `iscrowd` or `IsGroupOf`, and detections matched with
    them, are ignored and get no `tp`, `fp` or `fn`.

    Args:
        config: its settings

    Source: VOC development kit, section 3.4
    """

    __module__ = "yolov1_fo.voc"  # as stored in databases and files

    def match(self, data: EvaluationData, progress: Progress = None) -> Matching:
        """Matches predictions with ground truth."""
        return matching.match_voc(data, self.config.iou)

    def make_results(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None,
        data: EvaluationData,
        missing: str | None,
    ) -> VOCResults:
        """Returns the curves of the evaluated classes."""
        config, names = self.config, data.classes
        curves = data.curves(config.iou)
        results = VOCResults(
            samples,
            config,
            eval_key,
            matches,
            [curve.precision for curve in curves],
            [curve.recall for curve in curves],
            [curve.objects for curve in curves],
            names,
            missing=missing or missing_label(names),
            backend=self,
        )
        values = {"voc07": results.voc07(), "voc10": results.voc10()}
        results.custom_metrics = metrics.custom_metrics(values, config.iou)
        return results
