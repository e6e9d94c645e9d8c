"""VOC's evaluation under the names by which FiftyOne's databases refer to it."""

from yolov1_fo.evaluation.voc import (
    VOCEvaluation,
    VOCEvaluationConfig,
    VOCResults,
)

__all__ = ["VOCEvaluation", "VOCEvaluationConfig", "VOCResults"]
