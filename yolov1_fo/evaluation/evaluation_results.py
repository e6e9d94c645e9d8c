"""The results of an evaluation: FiftyOne's, with the curve of all predictions.

FiftyOne's matches are those of the predictions that count, from which its Model
Evaluation panel computes precision, recall, F1 and the confusion matrix. mAP is that of
all predictions, and so is the curve, for other thresholds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fiftyone.utils.eval.coco import COCODetectionResults
from fiftyone.utils.eval.detection import DetectionResults

from yolov1_fo.evaluation import operating_point
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.operating_point import OperatingPoint


class EvaluationResults(COCODetectionResults):
    """FiftyOne's results, with the curve of all predictions.

    Args:
        *args: of `COCODetectionResults`
        all_scores: of all predictions, the highest first
        all_true: whether each of them is a true positive
        num_objects: number of objects
        **kwargs: of `COCODetectionResults`
    """

    __module__ = "yolov1_fo.evaluation"  # as stored in databases and files

    def __init__(
        self,
        *args: Any,
        all_scores: Sequence[float] = (),
        all_true: Sequence[bool] = (),
        num_objects: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.all_scores = [float(one) for one in all_scores]
        self.all_true = [bool(one) for one in all_true]
        self.num_objects = int(num_objects)

    @property
    def curve(self) -> Curve:
        """The curve of all classes together."""
        scores, is_true = np.array(self.all_scores), np.array(self.all_true, bool)
        return Curve.of(scores, is_true, self.num_objects)

    def at(self, thresh: float) -> OperatingPoint:
        """Returns precision, recall, F1 and counts of all classes at a threshold."""
        return operating_point.at(self.curve, thresh)

    @classmethod
    def _from_dict(
        cls, d: Any, samples: Any, config: Any, eval_key: str, **kwargs: Any
    ) -> "EvaluationResults":
        own = {name: d[name] for name in ("all_scores", "all_true", "num_objects")}
        return super()._from_dict(d, samples, config, eval_key, **own, **kwargs)


def curve_of(results: DetectionResults) -> Curve:
    """Returns the curve of all classes together.

    Args:
        results: of an evaluation of detections; those of other methods, and of earlier
            versions, have the matches of all predictions

    Raises:
        ValueError: if the results have no confidences
    """
    if isinstance(results, EvaluationResults):
        return results.curve
    found = results.ypred != results.missing
    confidences = np.array([None]) if results.confs is None else results.confs[found]
    if any(one is None for one in confidences.tolist()):
        raise ValueError(
            f"evaluation '{results.key}' has no confidences; evaluate again"
        )
    is_true = results.ytrue[found] == results.ypred[found]
    scores = confidences.astype(float)
    order = np.argsort(-scores, kind="stable")
    objects = int(np.count_nonzero(results.ytrue != results.missing))
    return Curve.of(scores[order], is_true[order], objects)
