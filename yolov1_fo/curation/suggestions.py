"""suggest(samples, source): labels for samples without, from a model's detections."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments
from yolov1_fo.curation import (
    label_data,
    model_detections,
    suggestion_field,
    whole_samples,
)
from yolov1_fo.curation.model_detections import ModelDetections
from yolov1_fo.curation.suggestion_field import SuggestionField
from yolov1_fo.datasets import (
    annotations,
    checks,
    connection,
    fiftyone_boxes,
    predicted_by,
)
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import thresholds
from yolov1_fo.evaluation.evaluated_field import EvaluatedField
from yolov1_fo.evaluation.thresholds import Thresholds

logger = logging.getLogger(__name__)


class Suggestions(NamedTuple):
    """What `suggest` has written; prints as a line.

    Attributes:
        field: that holds the suggestions
        samples: number of samples that have some now
        labels: number of suggested labels
        duplicates: number of detections that were left out, since they are labelled
        model: name of the model
    """

    field: str
    samples: int
    labels: int
    duplicates: int
    model: str

    def __str__(self) -> str:
        return (
            f"{self.labels} labels suggested for {self.samples} samples in "
            f"'{self.field}', from {self.model}; {self.duplicates} detections are "
            "labelled already"
        )


@connection.one_line_errors()
def suggest(
    samples: fo_samples.Samples,
    source: Any,
    gt_field: str = "ground_truth",
    *,
    thresh: float | None = None,
    iou_thresh: float = 0.5,
    include_labelled: bool = False,
    batch_size: int = 16,
    progress: bool | Callable[..., Any] | None = None,
) -> Suggestions:
    """Suggests labels: a model's detections at the operating point.

    They are written to `<gt_field>_suggested` of the samples whose `gt_field` is None;
    an empty value means that there is no object. The labels and their samples get the
    tag `suggested`, and each label `source`, the name of the model. `accept` takes them
    over. Earlier suggestions for these samples are replaced.

    Of detections that overlap, also of different classes, only the best is suggested.

    Args:
        samples: a FiftyOne dataset or view of images
        source: a model from `load_model`, or the field of its predictions
        gt_field ("ground_truth"): field of Detections; may not exist yet
        thresh (None): lowest confidence; by default that of best F1, by class, of the
            latest evaluation of the field, or else of the model's validation split
        iou_thresh (0.5): detections that overlap a label of their class, or a better
            detection, by this IoU are left out
        include_labelled (False): also suggests what samples with labels lack
        batch_size (16): images per forward pass of a model
        progress (None): as in FiftyOne, for a model

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if the samples or an argument do not fit, the field of suggestions
            holds other labels, or there is no threshold
    """
    arguments.check_number("iou_thresh", iou_thresh, 0, 1)
    arguments.check_bool("include_labelled", include_labelled)
    if thresh is not None:
        arguments.check_number("thresh", thresh, 0, 1)
    samples = whole_samples.checked(samples)
    is_labelled = suggestion_field.check_gt_field(samples, gt_field)
    output = SuggestionField(samples, gt_field)
    chosen = whole_samples.whole(samples)
    if is_labelled and not include_labelled:
        chosen = chosen.exists(gt_field, False)
    if isinstance(source, str):
        predictions = _read(samples, chosen, source, thresh)
    else:
        from yolov1_fo.curation import model_suggestions  # imports Keras

        predictions = model_suggestions.predict(
            chosen, source, thresh, batch_size=batch_size, progress=progress
        )
    existing: dict[str, tuple[Array, Array]] = {}
    if is_labelled and include_labelled:
        existing = _labels(chosen, gt_field, predictions.classes)
    return _write(output, predictions, existing, iou_thresh)


def _write(
    output: SuggestionField,
    predictions: ModelDetections,
    existing: dict[str, tuple[Array, Array]],
    iou_thresh: float,
) -> Suggestions:
    suggested, duplicates = {}, 0
    for sample_id, found in predictions.found.items():
        shown = _best(found, predictions, iou_thresh)
        new = (
            _unlabelled(shown, *existing[sample_id], iou_thresh) if existing else shown
        )
        duplicates += len(shown.scores) - len(new.scores)
        document = fiftyone_boxes.to_document(*new, predictions.classes)
        suggested[sample_id] = [
            {**one, "tags": [suggestion_field.TAG], "source": predictions.model}
            for one in document["detections"]
        ]
    output.write(suggested)
    counts = [len(labels) for labels in suggested.values()]
    return Suggestions(
        *(output.name, int(np.count_nonzero(counts)), sum(counts), duplicates),
        predictions.model,
    )


def _best(
    found: Detections, predictions: ModelDetections, iou_thresh: float
) -> Detections:
    """Returns the detections at the operating point, without those of a better one."""
    names = [predictions.classes[class_id] for class_id in found.class_ids.tolist()]
    lowest = predictions.thresholds.of(names)
    overlaps = _boxes.evaluation_iou(found.boxes, found.boxes)
    kept: list[int] = []
    for row in np.argsort(-np.asarray(found.scores), kind="stable").tolist():
        is_shown = found.scores[row] >= lowest[row]
        if is_shown and not _boxes.reaches(overlaps[row, kept], iou_thresh).any():
            kept.append(row)
    return Detections(*(part[kept] for part in found))


def _unlabelled(
    found: Detections, boxes: Array, class_ids: Array, iou_thresh: float
) -> Detections:
    """Returns the detections that overlap no label (boxes (M, 4)) of their class."""
    overlaps = _boxes.evaluation_iou(found.boxes, boxes)  # (K, M)
    is_same = found.class_ids[:, None] == class_ids[None]
    is_labelled = (is_same & _boxes.reaches(overlaps, iou_thresh)).any(axis=1)
    return Detections(*(part[~is_labelled] for part in found))


def _read(
    samples: fo_samples.Samples, chosen: Any, pred_field: str, thresh: float | None
) -> ModelDetections:
    """Reads predictions from a field; samples without a value are left out."""
    checks.check_detections(whole_samples.whole(samples), pred_field, "source")
    models = predicted_by.read(whole_samples.dataset_of(samples), pred_field)
    predicted = chosen.exists(pred_field)
    class_ids: dict[str, int] = {}
    found, _ = label_data.read_predictions(predicted, pred_field, class_ids)
    return ModelDetections(
        dict(zip(predicted.values("id"), found, strict=True)),
        list(class_ids),
        models[-1]["model"] if models else pred_field,
        _thresholds(samples, pred_field, models, thresh),
    )


def _thresholds(
    samples: fo_samples.Samples,
    pred_field: str,
    models: list[dict[str, Any]],
    thresh: float | None,
) -> Thresholds:
    """Returns the thresholds given, of the latest evaluation, or of the model."""
    if thresh is not None:
        return Thresholds(thresh, {})
    stored = thresholds.latest(samples, pred_field)
    if stored is None and models:
        stored = model_detections.recommended(models[-1])
    if stored is None:
        raise ValueError(
            f"'{pred_field}' on {fo_samples.name(samples)} has no recommended "
            "threshold; first call evaluate(...) with an eval_key, or give thresh"
        )
    return stored


def _labels(
    samples: Any, gt_field: str, classes: Sequence[str]
) -> dict[str, tuple[Array, Array]]:
    """Returns the boxes (M, 4) and class ids (M,) of each sample's labels."""
    class_ids = {name: class_id for class_id, name in enumerate(classes)}
    records = annotations.read(samples, gt_field)
    field = EvaluatedField.read(samples, gt_field, records, class_ids)
    labels = zip(field.boxes, field.class_ids, strict=True)
    return dict(zip(records.ids, labels, strict=True))
