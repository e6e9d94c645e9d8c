"""What `suggest` suggests, given a model's detections; never imports Keras."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments
from yolov1_fo.curation import (
    label_data,
    suggestion_field,
    whole_samples,
)
from yolov1_fo.curation.model_detections import ModelDetections
from yolov1_fo.curation.suggestion_field import SuggestionField
from yolov1_fo.datasets import checks, fiftyone_boxes, predicted_by
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import thresholds
from yolov1_fo.evaluation.evaluated_field import EvaluatedField
from yolov1_fo.evaluation.thresholds import Thresholds

IOU_THRESH = 0.5


class Suggestions(NamedTuple):
    """What `suggest` has written; prints as a line.

    Attributes:
        field: that holds the suggestions
        samples: number of samples that have some now
        labels: number of suggested labels
        duplicates: number of detections that were left out, since they are labeled
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
            "labeled already"
        )


class SuggestionSearch(NamedTuple):
    """A search for suggestions; the arguments of `suggest`, checked by `check`."""

    samples: Any
    gt_field: str
    thresh: float | None
    iou_thresh: float
    include_labeled: bool

    def check(self) -> "SuggestionSearch":
        """Returns the search with checked samples.

        Raises:
            TypeError: if an argument has the wrong type
            ValueError: if the samples or an argument do not fit, or the field of
                suggestions holds other labels
        """
        arguments.check_number("iou_thresh", self.iou_thresh, 0, 1)
        arguments.check_bool("include_labeled", self.include_labeled)
        if self.thresh is not None:
            arguments.check_number("thresh", self.thresh, 0, 1)
        checked = self._replace(samples=whole_samples.checked(self.samples))
        suggestion_field.check_gt_field(checked.samples, self.gt_field)
        _ = checked.output
        return checked

    @property
    def output(self) -> SuggestionField:
        """The field that they are written to."""
        return SuggestionField(self.samples, self.gt_field)

    @property
    def is_labeled(self) -> bool:
        """Whether the field of labels exists."""
        return suggestion_field.check_gt_field(self.samples, self.gt_field)

    @property
    def chosen(self) -> Any:
        """The samples that get suggestions, with all their fields and labels."""
        whole = whole_samples.whole(self.samples)
        if self.is_labeled and not self.include_labeled:
            return whole.exists(self.gt_field, False)
        return whole

    def read(self, pred_field: str) -> ModelDetections:
        """Returns predictions of a field; samples without a value are left out.

        Raises:
            ValueError: if the field does not fit, or there is no threshold
        """
        everything = whole_samples.whole(self.samples)
        checks.check_detections(everything, pred_field, "source")
        dataset = whole_samples.dataset_of(self.samples)
        models = predicted_by.read(dataset, pred_field)
        predicted = self.chosen.exists(pred_field)
        class_ids: dict[str, int] = {}
        found, _ = label_data.read_predictions(predicted, pred_field, class_ids)
        return ModelDetections(
            dict(zip(predicted.values("id"), found, strict=True)),
            list(class_ids),
            models[-1]["model"] if models else pred_field,
            self.thresholds(pred_field),
        )

    def thresholds(self, pred_field: str) -> Thresholds:
        """Returns the lowest confidences of predictions that are suggested.

        Raises:
            ValueError: if none is given or known
        """
        if self.thresh is not None:
            return Thresholds(self.thresh, {})
        found = thresholds.known(self.samples, pred_field)
        if found is None:
            raise ValueError(
                f"'{pred_field}' on {fo_samples.name(self.samples)} has no recommended "
                "threshold; first call evaluate(...) with an eval_key, or give thresh"
            )
        return found

    def find(
        self, predictions: ModelDetections
    ) -> tuple[dict[str, list[dict[str, Any]]], Suggestions]:
        """Returns the labels to suggest, as stored, by sample id; and their counts."""
        existing: dict[str, tuple[Array, Array]] = {}
        if self.is_labeled and self.include_labeled:
            existing = _labels(self.chosen, self.gt_field, predictions.classes)
        suggested, duplicates = {}, 0
        for sample_id, found in predictions.found.items():
            shown = new = _best(found, predictions, self.iou_thresh)
            if existing:
                new = _unlabeled(shown, *existing[sample_id], self.iou_thresh)
            duplicates += len(shown.scores) - len(new.scores)
            document = fiftyone_boxes.to_document(*new, predictions.classes)
            suggested[sample_id] = [
                {**one, "tags": [suggestion_field.TAG], "source": predictions.model}
                for one in document["detections"]
            ]
        counts = [len(labels) for labels in suggested.values()]
        name = suggestion_field.name_of(self.gt_field)
        return suggested, Suggestions(
            *(name, int(np.count_nonzero(counts)), sum(counts), duplicates),
            predictions.model,
        )

    def write(self, predictions: ModelDetections) -> Suggestions:
        """Writes the suggestions."""
        suggested, counts = self.find(predictions)
        self.output.write(suggested)
        return counts


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


def _unlabeled(
    found: Detections, boxes: Array, class_ids: Array, iou_thresh: float
) -> Detections:
    """Returns the detections that overlap no label (boxes (M, 4)) of their class."""
    overlaps = _boxes.evaluation_iou(found.boxes, boxes)  # (K, M)
    is_same = found.class_ids[:, None] == class_ids[None]
    is_labeled = (is_same & _boxes.reaches(overlaps, iou_thresh)).any(axis=1)
    return Detections(*(part[~is_labeled] for part in found))


def _labels(
    samples: Any, gt_field: str, classes: Sequence[str]
) -> dict[str, tuple[Array, Array]]:
    """Returns the boxes (M, 4) and class ids (M,) of each sample's labels."""
    class_ids = {name: class_id for class_id, name in enumerate(classes)}
    field = EvaluatedField.read(samples, gt_field, class_ids)
    labels = zip(field.boxes, field.class_ids, strict=True)
    return dict(zip(field.sample_ids, labels, strict=True))
