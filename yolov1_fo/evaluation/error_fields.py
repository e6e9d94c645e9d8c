"""The error type of each prediction, as a field that belongs to an evaluation."""

from collections.abc import Collection
from typing import Any

import numpy as np
from fiftyone import ViewField as F

from yolov1_fo.boxes import Array
from yolov1_fo.config import spelling
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import confidence_filter, error_analysis
from yolov1_fo.evaluation.error_analysis import ERROR_TYPES
from yolov1_fo.evaluation.evaluation_data import EvaluationData

ErrorCounts = dict[str, dict[str, int]]
"""Number of detections, by class and error type."""


def error_path(pred_field: str, eval_key: str) -> str:
    """Returns the path of an evaluation's error types."""
    return f"{pred_field}.detections.{eval_key}_error"


def classify_errors(
    data: EvaluationData,
    iou_thresh: float,
    similar: Collection[Collection[str]] | None = None,
) -> list[Array]:
    """Returns the error type of each detection, by image; see `error_analysis`.

    Args:
        data: predictions and ground truth
        iou_thresh: minimum IoU of a correct detection
        similar (VOC's): sets of similar classes
    """
    sets = error_analysis.SIMILAR_CLASSES if similar is None else similar
    count = len(data.classes)
    return error_analysis.classify(
        [_evaluated(one, count) for one in data.found],
        [_evaluated(one, count) for one in data.objects],
        error_analysis.similarity(data.classes, sets),
        iou_thresh,
        border=data.border,
    )


def _evaluated(one: Any, num_classes: int) -> Any:
    """Returns detections or objects, with class id -1 for classes not evaluated."""
    ids = one.class_ids
    return one._replace(class_ids=np.where(ids < num_classes, ids, -1))


def has_errors(samples: fo_samples.Samples, eval_key: str) -> bool:
    """Returns whether an evaluation exists and has stored error types."""
    if eval_key not in samples.list_evaluations():
        return False
    config = samples.get_evaluation_info(eval_key).config
    pred_field = getattr(config, "pred_field", None)
    if pred_field is None:
        return False
    path = error_path(pred_field, eval_key)
    return samples.has_field(path) or samples.has_frame_field(path)


def _check_has_errors(samples: fo_samples.Samples, eval_key: str) -> str:
    """Returns the predictions field of an evaluation with stored error types.

    Raises:
        ValueError: if there is no such evaluation
    """
    if not has_errors(samples, eval_key):
        keys = [key for key in samples.list_evaluations() if has_errors(samples, key)]
        raise ValueError(
            f"{fo_samples.name(samples)} has no evaluation '{eval_key}' with error "
            f"types; there are: {', '.join(keys) or 'none'}; evaluate(...) with an "
            "eval_key creates one"
        )
    return str(samples.get_evaluation_info(eval_key).config.pred_field)


def _evaluated_samples(
    samples: fo_samples.Samples, pred_field: str, eval_key: str
) -> Any:
    """Returns the samples; for videos, the frames view that was evaluated."""
    if samples.has_frame_field(pred_field):
        evaluated = samples.load_evaluation_view(eval_key)
        return confidence_filter.without(evaluated, pred_field)
    return samples


def count(samples: fo_samples.Samples, eval_key: str) -> ErrorCounts:
    """Returns the number of detections of each class and error type.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation by `evaluate(...)` or `VOCEvaluationConfig`

    Raises:
        ValueError: if it has no error types
    """
    pred_field = _check_has_errors(samples, eval_key)
    samples = _evaluated_samples(samples, pred_field, eval_key)
    by_type = {
        error_type: samples.filter_labels(
            pred_field, F(f"{eval_key}_error") == error_type
        ).count_values(f"{pred_field}.detections.label")
        for error_type in ERROR_TYPES
    }
    names = sorted({name for some in by_type.values() for name in some})
    return {
        name: {error_type: some.get(name, 0) for error_type, some in by_type.items()}
        for name in names
    }


def view(
    samples: fo_samples.Samples,
    eval_key: str,
    error_type: str,
    label: str | None = None,
) -> Any:
    """Returns the detections of an error type as patches, by descending confidence.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation by `evaluate(...)` or `VOCEvaluationConfig`
        error_type: one of `ERROR_TYPES`
        label (None): only detections of this class

    Raises:
        ValueError: if the evaluation has no error types, or there is no such type
    """
    spelling.check_choice("error_type", error_type, ERROR_TYPES)
    pred_field = _check_has_errors(samples, eval_key)
    samples = _evaluated_samples(samples, pred_field, eval_key)
    is_wanted = F(f"{eval_key}_error") == error_type
    if label is not None:
        is_wanted &= F("label") == label
    gt_field = samples.get_evaluation_info(eval_key).config.gt_field
    patches = samples.filter_labels(pred_field, is_wanted).to_patches(
        pred_field, other_fields=[gt_field]
    )
    return patches.sort_by(f"{pred_field}.confidence", reverse=True)
