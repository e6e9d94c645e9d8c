"""What the circle of labels has left on a dataset; never imports Keras."""

from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.aggregations as foa

from yolov1_fo.curation import mistake_fields, suggestion_field
from yolov1_fo.curation.mistake_kinds import KINDS, MISSING
from yolov1_fo.datasets import fiftyone_private, predicted_by, schema


class FoundMistakes(NamedTuple):
    """Possible mistakes that `find_mistakes` has found.

    Attributes:
        name: of the attributes; views are saved as `<name>:<kind>`
        gt_field: the labels
        pred_field: the predictions
        counts: how many labels still have each kind
    """

    name: str
    gt_field: str
    pred_field: str
    counts: dict[str, int]


class SuggestedLabels(NamedTuple):
    """Suggestions that were neither accepted nor deleted.

    Attributes:
        gt_field: that they are suggested for
        field: that holds them
        labels: their number
        samples: number of samples that have some
    """

    gt_field: str
    field: str
    labels: int
    samples: int


def mistakes(dataset: fo.Dataset) -> list[FoundMistakes]:
    """Returns what each name of `find_mistakes` has found, the latest first."""
    names = dataset.list_runs(method=mistake_fields.METHOD)
    runs = [(name, dataset.get_run_info(name)) for name in names]
    runs.sort(key=lambda one: str(one[1].timestamp), reverse=True)
    return [_mistakes(dataset, name, info.config) for name, info in runs]


def _mistakes(dataset: fo.Dataset, name: str, run: Any) -> FoundMistakes:
    gt_field, pred_field = run.gt_field, run.pred_field
    paths = {field: f"{field}.detections.{name}" for field in (gt_field, pred_field)}
    wanted = [field for field, path in paths.items() if dataset.has_field(path)]
    values = dataset.aggregate([foa.CountValues(paths[field]) for field in wanted])
    by_field = dict(zip(wanted, values, strict=True))
    counts = {
        kind: by_field.get(pred_field if kind == MISSING else gt_field, {}).get(kind, 0)
        for kind in KINDS
    }
    return FoundMistakes(name, gt_field, pred_field, counts)


def suggestions(dataset: fo.Dataset) -> list[SuggestedLabels]:
    """Returns the suggestions of each field of labels, if it has some."""
    found = []
    for field in schema.detections_fields(dataset):
        gt_field = suggestion_field.gt_field_of(field)
        if gt_field is None:
            continue
        labels = dataset.filter_labels(
            field, fo.ViewField("tags").contains(suggestion_field.TAG)
        )
        if samples := len(labels):
            count = labels.count(f"{field}.detections")
            found.append(SuggestedLabels(gt_field, field, count, samples))
    return found


def label_fields(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of Detections that may be labels of a user.

    Those that a model has written, and suggestions, are left out.
    """
    return [
        field
        for field in schema.detections_fields(dataset)
        if suggestion_field.gt_field_of(field) is None
        and not predicted_by.read(dataset, field)
    ]


def prediction_fields(samples: Any, gt_field: str) -> list[str]:
    """Returns the fields of Detections that may be predictions, the best guess first.

    Args:
        samples: a dataset or view
        gt_field: the labels
    """
    dataset = fiftyone_private.root_dataset(samples)
    others = [
        field
        for field in schema.detections_fields(dataset)
        if field != gt_field and suggestion_field.gt_field_of(field) is None
    ]
    return sorted(others, key=lambda field: not predicted_by.read(dataset, field))
