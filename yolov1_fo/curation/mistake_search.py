"""Finds possible mistakes in labels, given predictions; never imports Keras."""

import logging

from yolov1_fo.config import arguments
from yolov1_fo.curation import (
    label_data,
    mistake_scores,
    trained_on,
    whole_samples,
)
from yolov1_fo.curation.label_data import LabelData
from yolov1_fo.curation.mistake_fields import MistakeFields
from yolov1_fo.curation.mistake_report import MistakeReport, PossibleMistake
from yolov1_fo.curation.mistake_scores import Mistake
from yolov1_fo.datasets import checks

logger = logging.getLogger(__name__)

MIN_SCORE = 0.3
"""Less likely mistakes are left out; a label that is right rarely reaches this."""


def check(fields: MistakeFields, min_score: float) -> None:
    """Raises an error unless mistakes can be searched and written.

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if a field or `min_score` is not valid
    """
    arguments.check_number("min_score", min_score, 0, 1)
    arguments.check_string("pred_field", fields.pred_field)
    arguments.check_string("gt_field", fields.gt_field)
    if fields.pred_field == fields.gt_field:
        raise ValueError(
            f"pred_field and gt_field must be different, got '{fields.gt_field}' twice"
        )
    fields.check()
    whole = whole_samples.whole(fields.samples)
    checks.check_detections(whole, fields.gt_field, "gt_field")


def search(
    fields: MistakeFields,
    *,
    min_score: float = MIN_SCORE,
    run_key: str | None = None,
) -> MistakeReport:
    """Compares labels with predictions, and writes what may be wrong.

    Args:
        fields: what to compare, and where to write; checked
        min_score (0.3): less likely mistakes are left out
        run_key (None): training run of the model that has predicted

    Raises:
        ValueError: if there is nothing to compare, or no such run
    """
    data = label_data.read(fields.samples, fields.pred_field, fields.gt_field)
    learned = trained_on.warn(fields.samples, fields.pred_field, run_key)
    found = mistake_scores.find(data.found, data.objects, data.num_classes)
    mistakes = [one for one in found if one.score >= min_score]
    fields.write(data, mistakes, min_score=min_score, trained_on=learned)
    return MistakeReport(
        fields,
        [_described(one, data) for one in mistakes],
        len(data.ids),
        sum(len(one.class_ids) for one in data.objects),
        learned,
    )


def _described(one: Mistake, data: LabelData) -> PossibleMistake:
    """Returns a mistake with ids and names in place of rows."""
    ids: list[str | None] = []
    names: list[str | None] = []
    for row, field, parts in (
        (one.target, data.gt_field, data.objects),
        (one.detection, data.pred_field, data.found),
    ):
        is_there = row >= 0
        ids.append(field.ids[one.image][row] if is_there else None)
        class_id = parts[one.image].class_ids[row] if is_there else -1
        names.append(data.labels[class_id] if is_there else None)
    return PossibleMistake(one.kind, one.score, data.ids[one.image], *ids, *names)
