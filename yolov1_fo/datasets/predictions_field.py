"""The field that a model's predictions are written to."""

from typing import Any

import fiftyone.core.labels as fol

from yolov1_fo.datasets import fiftyone_private, predicted_by, schema
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.output_fields import OutputField


class PredictionsField(OutputField):
    """A field of predictions; other labels in it are never replaced or added to.

    A field that exists must have been written by `apply`, which keeps the models' names
    in the field's `info`, or hold no labels.

    Args:
        samples: a checked collection
        label_field: its field; for videos, a frame field, with or without `frames.`
        replaces (True): whether existing predictions are replaced
        gt_field (None): that the model was trained on, which it must not write
        model (None): that predicts, for `predicted_by.record`
        has_logits (False): whether each object gets an attribute `logits`

    Raises:
        TypeError: if the field's name is not a string
        ValueError: if the name is not valid, or the field holds other labels
    """

    def __init__(
        self,
        samples: fo_samples.Samples,
        label_field: str,
        *,
        replaces: bool = True,
        gt_field: str | None = None,
        model: dict[str, Any] | None = None,
        has_logits: bool = False,
    ) -> None:
        self.gt_field, self.model, self.has_logits = gt_field, model, has_logits
        super().__init__(
            samples, label_field, fol.Detections, "label_field", replaces=replaces
        )

    def _check_labels(self, where: str) -> None:
        if self.gt_field in (self.name, self.path):
            raise ValueError(
                f"{where} is the ground truth that the model was trained on; choose "
                "another field"
            )
        if self._is_predicted():
            if self.replaces:
                self._check_no_annotations(where)
        elif self._has_labels():
            raise ValueError(
                f"{where} holds labels that were not written by Apply YOLOv1; choose "
                "another field, or delete this one first"
            )

    def declare(self) -> None:
        """Adds the field to the dataset's schema, and the model to its `info`."""
        is_new = not self.is_declared
        super().declare()
        if is_new and self.has_logits:
            schema.declare_logits(self.dataset, self.path)
            if self.is_frames_view:
                frames = fiftyone_private.own_dataset(self.samples)
                schema.declare_logits(frames, self.name)
        if is_new and self.model is not None:
            self.record(replaces=False)

    def record(self, *, replaces: bool) -> None:
        """Adds the model to those that have written the field.

        Args:
            replaces: whether no prediction of other models is left
        """
        if self.model is not None:
            predicted_by.record(self.dataset, self.path, self.model, replaces=replaces)

    def _is_predicted(self) -> bool:
        """Returns whether models have written the field, perhaps in another process."""
        if predicted_by.read(self.dataset, self.path):
            return True
        self.dataset.reload()
        return bool(predicted_by.read(self.dataset, self.path))

    def _has_labels(self) -> bool:
        stored = fiftyone_private.collection(self.dataset, of_frames=self.on_frames)
        return (
            stored.find_one({f"{self.name}.detections.0": {"$exists": True}})
            is not None
        )
