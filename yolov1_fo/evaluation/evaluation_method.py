"""The base of our evaluation methods for FiftyOne; it checks before it writes.

On a frames view, all fields of an evaluation are fields of the frames.
"""

from collections.abc import Sequence
from typing import Any

import fiftyone as fo

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import checks, class_lists, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import (
    error_fields,
    evaluation_data,
    evaluation_keys,
    marks,
    panel_note,
    registration,
)
from yolov1_fo.evaluation.evaluated_field import EvaluatedField
from yolov1_fo.evaluation.evaluation_data import EvaluationData
from yolov1_fo.evaluation.matching import Match, Matching, Progress


def check_fields(samples: fo_samples.Samples, pred_field: str, gt_field: str) -> None:
    """Raises a ValueError unless the samples are images with both fields."""
    checks.check_labeled(samples, pred_field, "pred_field")
    checks.check_detections(samples, gt_field, "gt_field")


def missing_label(classes: Sequence[str]) -> str:
    """Returns FiftyOne's label for "no object", changed if a class has that name."""
    label = "(none)"
    while label in classes:
        label += "_"
    return label


def _check_ids(samples: fo_samples.Samples, name: str, field: EvaluatedField) -> None:
    """Raises a ValueError if an object of a field has no id."""
    if count := sum(row.count(None) for row in (*field.ids, *field.other_ids)):
        objects = "1 object has" if count == 1 else f"{count} objects have"
        raise ValueError(
            f"'{name}' on {fo_samples.name(samples)} can't be marked, since {objects} "
            "no id; evaluate without an eval_key"
        )


class ErrorAnalysisMixin:
    """A mixin for FiftyOne's evaluation methods that also stores error types.

    The field of the error types is created, renamed and deleted with the evaluation.
    """

    config: Any
    matching: Matching

    def register_run(
        self,
        samples: Any,
        key: str | None,
        overwrite: bool = True,
        cleanup: bool = True,
    ) -> None:
        """Checks and reads the samples, then registers the evaluation.

        Raises:
            ValueError: if the samples can't be evaluated, or the name is in use
        """
        if not hasattr(self, "matching"):  # called by FiftyOne, which loads each sample
            check_fields(samples, self.config.pred_field, self.config.gt_field)
            self.match_samples(samples, key)
            self._check_loadable(samples)
        if key is not None:
            registration.delete_unfinished(samples, key)
        super().register_run(samples, key, overwrite=overwrite, cleanup=cleanup)  # type: ignore[misc]  # a mixin

    def match_samples(
        self,
        samples: Any,
        eval_key: str | None,
        classes: Sequence[str] = (),
        progress: Progress = None,
    ) -> Matching:
        """Reads the samples and matches predictions with ground truth.

        Args:
            samples: with checked fields
            eval_key: name of the evaluation; None if it is not stored
            classes (none): to evaluate, if they are known yet
            progress (None): FiftyOne's

        Raises:
            ValueError: if the samples can't be evaluated, or the name is in use
        """
        config = self.config
        if eval_key is not None:
            evaluation_keys.check(
                samples,
                config.pred_field,
                config.gt_field,
                eval_key,
                replaces=config.cls,
            )
        data = evaluation_data.read(  # before writing, which can change a view
            samples,
            config.pred_field,
            config.gt_field,
            classes,
            inclusive_corners=getattr(config, "inclusive_corners", False),
        )
        if eval_key is not None:
            for name, field in (
                (config.pred_field, data.pred_field),
                (config.gt_field, data.gt_field),
            ):
                _check_ids(samples, name, field)
        self.matching = self.match(data, progress)
        return self.matching

    def _check_loadable(self, samples: Any) -> None:
        """Raises a ValueError if FiftyOne can't load a sample with an invalid box."""
        data = self.matching.data
        fields = (data.pred_field, data.gt_field)
        suspects = [
            data.ids[image]
            for image in range(len(data.ids))
            if any(field.other_ids[image] for field in fields)
        ]
        for sample_id in suspects:
            try:
                samples.select(sample_id).first()
            except ValueError as error:
                raise ValueError(
                    f"FiftyOne can't load sample '{sample_id}' of "
                    f"{fo_samples.name(samples)}, because its objects have values of "
                    "another type; correct them, or call yolov1_fo.evaluate, which "
                    "leaves them out"
                ) from error

    def match(self, data: EvaluationData, progress: Progress = None) -> Matching:
        """Matches predictions with ground truth."""
        raise NotImplementedError

    def evaluate(self, doc: Any, eval_key: str | None = None) -> list[Match]:
        """Returns the matches of an image; marks are written with the results."""
        if not hasattr(self, "_matches_by_id"):
            matches = zip(self.matching.ids, self.matching.matches(), strict=True)
            self._matches_by_id = dict(matches)
        return self._matches_by_id[doc.id]

    def generate_results(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None = None,
        classes: Sequence[str] | None = None,
        missing: str | None = None,
        progress: Any = None,
    ) -> Any:
        """Returns the results; with an `eval_key`, writes marks and error types.

        If that fails, the evaluation is deleted.
        """
        config = self.config
        try:
            names = class_lists.classes_of(samples, config.gt_field, classes)
            data = self.matching.data.for_classes(names)
            results = self.make_results(samples, matches, eval_key, data, missing)
            if eval_key is not None:
                similar = getattr(config, "similar", None)
                error_types = error_fields.classify_errors(data, config.iou, similar)
                self.write(samples, eval_key, error_types)
        except BaseException:
            if eval_key is not None:
                registration.roll_back(self, samples, eval_key)
            raise
        return results

    def make_results(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None,
        data: EvaluationData,
        missing: str | None,
    ) -> Any:
        """Returns FiftyOne's results of the evaluated classes."""
        raise NotImplementedError

    def write(self, samples: Any, eval_key: str, error_types: list[Array]) -> None:
        """Writes the marks of objects, their counts, and the error types."""
        fields = self.config.pred_field, self.config.gt_field
        marks.write(samples, *fields, eval_key, self.matching, error_types)

    def register_samples(
        self, samples: Any, eval_key: str | None, dynamic: bool = True
    ) -> None:
        """Declares the fields."""
        super().register_samples(samples, eval_key, dynamic=dynamic)  # type: ignore[misc]  # a mixin
        if eval_key is None:
            return
        config, dataset = self.config, fiftyone_private.own_dataset(samples)
        path = error_fields.error_path(config.pred_field, eval_key)
        dataset.add_sample_field(path, fo.StringField)
        if fo_samples.is_frames_view(samples):
            videos = fiftyone_private.root_dataset(samples)
            for path in evaluation_keys.paths(
                config.pred_field, config.gt_field, eval_key
            ):
                videos.add_frame_field(path, type(dataset.get_field(path)))

    def get_fields(
        self, samples: Any, eval_key: str, include_custom_metrics: bool = True
    ) -> list[str]:
        """Returns all fields of the evaluation."""
        config = self.config
        fields = evaluation_keys.paths(config.pred_field, config.gt_field, eval_key)
        if samples.has_frame_field(config.pred_field):  # evaluated on a frames view
            fields = [f"frames.{field}" for field in fields]
        if include_custom_metrics:
            fields += self.get_custom_metric_fields(samples, eval_key)  # type: ignore[attr-defined]  # a mixin
        return fields

    def cleanup(self, samples: Any, eval_key: str) -> None:
        """Deletes the note and the fields, for a frames view also of its videos."""
        config = self.config
        panel_note.delete(samples, eval_key)
        fields = evaluation_keys.paths(config.pred_field, config.gt_field, eval_key)
        for dataset in (
            fiftyone_private.own_dataset(samples),
            fiftyone_private.root_dataset(samples),
        ):
            if existing := [path for path in fields if dataset.has_field(path)]:
                dataset.delete_sample_fields(existing)
            if existing := [path for path in fields if dataset.has_frame_field(path)]:
                dataset.delete_frame_fields(existing)
        self.cleanup_custom_metrics(samples, eval_key)  # type: ignore[attr-defined]  # a mixin
        fiftyone_private.delete_empty_sidebar_group(samples, eval_key)
