"""VOC's evaluation under the names that are stored in databases."""

from yolov1_fo.evaluation.voc_method import (
    VOCEvaluation,
    VOCEvaluationConfig,
    VOCResults,
)

__all__ = ["VOCEvaluation", "VOCEvaluationConfig", "VOCResults"]
