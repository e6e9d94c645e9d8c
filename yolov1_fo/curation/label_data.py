"""Reads labels and predictions of a collection as arrays, to compare them."""

import logging
import math
from typing import NamedTuple

from yolov1_fo.curation import whole_samples
from yolov1_fo.datasets import checks
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.average_precision import GroundTruth
from yolov1_fo.evaluation.evaluated_field import EvaluatedField
from yolov1_fo.evaluation.evaluation_data import MAX_LOWEST_CONFIDENCE

logger = logging.getLogger(__name__)


class LabelData(NamedTuple):
    """Labels and predictions, by image.

    Attributes:
        ids: of the samples
        found: predictions of all scores
        objects: labels
        num_classes: number of classes of the labels; other predictions have higher ids
        labels: names of all classes by id
        pred_field: the predictions
        gt_field: the labels
    """

    ids: list[str]
    found: list[Detections]
    objects: list[GroundTruth]
    num_classes: int
    labels: list[str]
    pred_field: EvaluatedField
    gt_field: EvaluatedField


def read(samples: fo_samples.Samples, pred_field: str, gt_field: str) -> LabelData:
    """Reads the samples that have both labels and predictions.

    Args:
        samples: a checked collection
        pred_field: of Detections with confidences
        gt_field: of Detections; checked; a sample whose value is None is not labeled

    Raises:
        ValueError: if a field is missing, a prediction has no confidence, or there is
            nothing to compare
    """
    whole = whole_samples.whole(samples)
    checks.check_detections(whole, pred_field, "pred_field")
    where = fo_samples.name(samples)
    compared = whole.exists(gt_field).exists(pred_field)
    if fo_samples.is_empty(compared):
        raise ValueError(
            f"no sample of {where} has both '{gt_field}' and '{pred_field}'"
        )
    class_ids: dict[str, int] = {}
    objects = EvaluatedField.read(compared, gt_field, class_ids)
    num_classes = len(class_ids)
    found, predicted = read_predictions(compared, pred_field, class_ids)
    if not num_classes:
        raise ValueError(f"'{gt_field}' on {where} has no objects to compare")
    _check_scores(found, pred_field, where)
    if left_out := len(whole) - len(found):
        logger.info(
            "%d samples of %s lack '%s' or '%s' and are left out",
            *(left_out, where, gt_field, pred_field),
        )
    labeled = zip(objects.boxes, objects.class_ids, objects.ignored, strict=True)
    return LabelData(
        objects.sample_ids,
        found,
        [GroundTruth(*one) for one in labeled],
        num_classes,
        list(class_ids),
        predicted,
        objects,
    )


def read_predictions(
    samples: fo_samples.Samples, pred_field: str, class_ids: dict[str, int]
) -> tuple[list[Detections], EvaluatedField]:
    """Reads the predictions of a checked collection, by image.

    Args:
        samples: a checked collection
        pred_field: of Detections
        class_ids: by label; labels that are missing are added

    Raises:
        ValueError: if a prediction has no confidence
    """
    field = EvaluatedField.read(samples, pred_field, class_ids)
    if field.unscored:
        raise ValueError(
            f"pred_field '{pred_field}' on {fo_samples.name(samples)} has "
            f"{field.unscored}"
        )
    by_image = zip(field.boxes, field.confidences, field.class_ids, strict=True)
    return [Detections(*one) for one in by_image], field


def _check_scores(found: list[Detections], pred_field: str, where: str) -> None:
    """Checks that there are predictions; warns if those of low scores are missing."""
    lowest = min(one.scores.min(initial=math.inf) for one in found)
    if lowest == math.inf:
        raise ValueError(f"'{pred_field}' on {where} has no predictions")
    if lowest > MAX_LOWEST_CONFIDENCE:
        logger.warning(
            "the lowest confidence in '%s' is %.2f, which hides what the model says "
            "about most labels; apply it with a confidence_thresh of about 0.01",
            *(pred_field, lowest),
        )
