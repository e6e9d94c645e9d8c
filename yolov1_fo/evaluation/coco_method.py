"""COCO's evaluation as a method of FiftyOne's, which also stores error types."""

from typing import Any

from fiftyone.utils.eval.coco import COCOEvaluation, COCOEvaluationConfig

from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import coco, matching, operating_point
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.coco import Sweep
from yolov1_fo.evaluation.evaluation_data import EvaluationData
from yolov1_fo.evaluation.evaluation_method import ErrorAnalysisMixin, missing_label
from yolov1_fo.evaluation.evaluation_results import EvaluationResults
from yolov1_fo.evaluation.matching import Match, Matching, Progress


class EvaluationConfig(COCOEvaluationConfig):
    """FiftyOne's settings of COCO's evaluation, for `Evaluation`.

    `evaluate` adds `inclusive_corners`; `confidence_thresh`, from which predictions
    count; and, of a stored evaluation, `operating_point`: see `thresholds`.
    """

    __module__ = "yolov1_fo.evaluation"  # as stored in databases and files


class Evaluation(ErrorAnalysisMixin, COCOEvaluation):
    """COCO's evaluation as in pycocotools, which also stores `<eval_key>_error`.

    A detection is matched with the unmatched object of its class that it overlaps most.
    Objects that are `difficult`, `iscrowd` or `IsGroupOf` are COCO's crowds: they and
    detections matched with them are ignored.

    Args:
        config: its settings
    """

    __module__ = "yolov1_fo.evaluation"  # as stored in databases and files

    def match(self, data: EvaluationData, progress: Progress = None) -> Matching:
        """Matches predictions with ground truth."""
        return matching.match_coco(data, self.config.iou, progress)

    def make_results(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None,
        data: EvaluationData,
        missing: str | None,
    ) -> EvaluationResults:
        """Returns the curves of the evaluated classes."""
        curves = self.matching._replace(data=data).curves()
        pooled = operating_point.pool(list(curves.values()))
        return make_results(
            self, samples, eval_key, data, matches, data.sweep(), pooled
        )


def make_results(
    method: Evaluation,
    samples: fo_samples.Samples,
    eval_key: str | None,
    data: EvaluationData,
    matches: list[Match],
    sweep: Sweep,
    pooled: Curve,
) -> EvaluationResults:
    """Returns FiftyOne's results, with the `mAP()` of pycocotools.

    Args:
        method: the evaluation
        samples: with the predictions that count
        eval_key: name of the evaluation; None if it is not stored
        data: predictions and ground truth
        matches: of the predictions that count
        sweep: of all predictions
        pooled: curve of all predictions, of all classes together
    """
    return EvaluationResults(
        samples,
        method.config,
        eval_key,
        matches,
        sweep.precision,
        coco.RECALLS,
        coco.THRESHOLDS,
        data.classes,
        recall_sweep=sweep.recall,
        thresholds=sweep.scores,
        missing=missing_label(data.classes),
        backend=method,
        all_scores=pooled.scores,
        all_true=pooled.is_true,
        num_objects=pooled.objects,
    )
