"""The kind of each error as a field of the predictions, kept with an evaluation."""

from collections.abc import Collection, Sequence
from typing import Any

import fiftyone as fo
import numpy as np
from fiftyone import ViewField as F

from yolov1_fo.boxes import Array
from yolov1_fo.config import spelling
from yolov1_fo.datasets import checks, class_lists
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import error_analysis, evaluation_keys, pairs
from yolov1_fo.evaluation.matching import Match, Matched, Progress
from yolov1_fo.evaluation.pairs import Compared, Field

Counts = dict[str, dict[str, int]]
"""How many detections of each class are of each kind."""


def path(pred_field: str, eval_key: str) -> str:
    """Returns where the kinds of an evaluation stand."""
    return f"{pred_field}.detections.{eval_key}_error"


def find(
    both: Compared,
    iou_thresh: float,
    similar: Collection[Collection[str]] | None = None,
) -> list[Array]:
    """Returns of which kind each detection is: numbers of `error_analysis.KINDS`.

    Args:
        both: predictions beside the truth
        iou_thresh: least overlap of a correct detection
        similar (VOC's): sets of classes that are taken for each other
    """
    sets = error_analysis.LOOKALIKES if similar is None else similar
    alike = error_analysis.alike(both.classes, sets)
    n = len(both.classes)
    return error_analysis.kinds(
        [_measured(one, n) for one in both.found],
        [_measured(one, n) for one in both.objects],
        alike,
        iou_thresh,
        border=both.border,
    )


def _measured(one: Any, num_classes: int) -> Any:
    """Returns detections or objects, with -1 for classes that are not measured."""
    ids = one.class_ids
    return one._replace(class_ids=np.where(ids < num_classes, ids, -1))


def write(
    samples: fo_samples.Samples,
    pred_field: str,
    eval_key: str,
    found: Field,
    kinds: list[Array],
) -> None:
    """Writes the kind of each detection beside what an evaluation says of it."""
    names = np.array([*error_analysis.KINDS, None], object)  # the last for -1
    rows = found.spread([names[one].tolist() for one in kinds])
    samples.set_values(path(pred_field, eval_key), rows, progress=False)


def are_kept(samples: fo_samples.Samples, eval_key: str) -> bool:
    """Returns whether an evaluation has kept the kinds of its errors."""
    if eval_key not in samples.list_evaluations():
        return False
    config = samples.get_evaluation_info(eval_key).config
    field = getattr(config, "pred_field", None)
    if field is None:
        return False
    kinds = path(field, eval_key)
    return samples.has_field(kinds) or samples.has_frame_field(kinds)


def check_kept(samples: fo_samples.Samples, eval_key: str) -> str:
    """Returns the predictions' field of an evaluation that has kept its errors.

    Raises:
        ValueError: if there is none of that name, or it has kept none
    """
    if not are_kept(samples, eval_key):
        kept = [key for key in samples.list_evaluations() if are_kept(samples, key)]
        raise ValueError(
            f"{fo_samples.name(samples)} has no evaluation '{eval_key}' that keeps "
            f"errors; there are: {', '.join(kept) or 'none'}; evaluate(...) with an "
            "eval_key makes one"
        )
    return str(samples.get_evaluation_info(eval_key).config.pred_field)


def _measured_on(samples: fo_samples.Samples, pred_field: str, eval_key: str) -> Any:
    """Returns the samples; of videos the view of frames that was evaluated."""
    if samples.has_frame_field(pred_field):
        return samples.load_evaluation_view(eval_key)
    return samples


def count(samples: fo_samples.Samples, eval_key: str) -> Counts:
    """Returns how many detections of each class are of each kind.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation by `evaluate(...)` or `VOCEvaluationConfig`

    Raises:
        ValueError: if it has kept no errors
    """
    pred_field = check_kept(samples, eval_key)
    samples = _measured_on(samples, pred_field, eval_key)
    by_kind = {
        kind: samples.filter_labels(
            pred_field, F(f"{eval_key}_error") == kind
        ).count_values(f"{pred_field}.detections.label")
        for kind in error_analysis.KINDS
    }
    names = sorted({name for some in by_kind.values() for name in some})
    return {
        name: {kind: some.get(name, 0) for kind, some in by_kind.items()}
        for name in names
    }


def view(
    samples: fo_samples.Samples, eval_key: str, kind: str, label: str | None = None
) -> Any:
    """Returns the detections of a kind as patches, the strongest first.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation by `evaluate(...)` or `VOCEvaluationConfig`
        kind: one of `error_analysis.KINDS`
        label (None): only those of this class

    Raises:
        ValueError: if the evaluation has kept no errors, or there is no such kind
    """
    spelling.check_choice("kind", kind, error_analysis.KINDS)
    pred_field = check_kept(samples, eval_key)
    samples = _measured_on(samples, pred_field, eval_key)
    is_wanted = F(f"{eval_key}_error") == kind
    if label is not None:
        is_wanted &= F("label") == label
    gt_field = samples.get_evaluation_info(eval_key).config.gt_field
    patches = samples.filter_labels(pred_field, is_wanted).to_patches(
        pred_field, other_fields=[gt_field]
    )
    return patches.sort_by(f"{pred_field}.confidence", reverse=True)


class WithErrors:
    """An evaluation of FiftyOne's that is checked whole before anything is written.

    A mixin. It keeps the field of its errors, which is made, renamed and deleted with
    the evaluation's others. On a view of frames all of them are fields of the frames.
    """

    config: Any
    matched: Matched

    def register_run(
        self,
        samples: Any,
        key: str | None,
        overwrite: bool = True,
        cleanup: bool = True,
    ) -> None:
        """Checks and reads before anything is written.

        Raises:
            ValueError: if the samples can't be measured, or the name is taken
        """
        if not hasattr(self, "matched"):  # FiftyOne's call, which loads each sample
            self.prepare(samples, key)
            self._check_loadable(samples)
        if key is not None:
            evaluation_keys.forget_unfinished(samples, key)
        super().register_run(samples, key, overwrite=overwrite, cleanup=cleanup)  # type: ignore[misc]  # a mixin

    def prepare(
        self,
        samples: Any,
        eval_key: str | None,
        classes: Sequence[str] = (),
        progress: Progress = None,
    ) -> Matched:
        """Checks, reads, and finds out which detection finds which object.

        Args:
            samples: a dataset or view
            eval_key: name of the evaluation, if it is kept
            classes (none): to measure, if they are known yet
            progress (None): FiftyOne's

        Raises:
            ValueError: if the samples can't be measured, or the name is taken
        """
        config = self.config
        checks.check_labelled(samples, config.pred_field, "pred_field")
        checks.check_detections(samples, config.gt_field, "gt_field")
        if eval_key is not None:
            evaluation_keys.check(
                samples,
                config.pred_field,
                config.gt_field,
                eval_key,
                replaces=config.cls,
            )
        both = pairs.read(  # a view may change with what is written
            samples,
            config.pred_field,
            config.gt_field,
            classes,
            inclusive_corners=getattr(config, "inclusive_corners", False),
        )
        self.matched = self.match(both, progress)
        return self.matched

    def _check_loadable(self, samples: Any) -> None:
        """Raises a ValueError if FiftyOne can't load a sample with a malformed box."""
        both = self.matched.compared
        fields = (both.found_field, both.object_field)
        odd = [
            both.ids[image]
            for image in range(len(both.ids))
            if any(len(f.places[image]) < f.lengths[image] for f in fields)
        ]
        for sample_id in odd:
            try:
                samples.select(sample_id).first()
            except ValueError as error:
                raise ValueError(
                    f"FiftyOne can't load sample '{sample_id}' of "
                    f"{fo_samples.name(samples)}, whose objects have values of another "
                    "kind; correct them, or call yolov1_fo.evaluate, which leaves "
                    "them out"
                ) from error

    def match(self, both: Compared, progress: Progress = None) -> Matched:
        """Returns which detection finds which object."""
        raise NotImplementedError

    def evaluate(self, doc: Any, eval_key: str | None = None) -> list[Match]:
        """Returns what was matched in an image; marks are written with the results."""
        if not hasattr(self, "_by_image"):
            matches = zip(self.matched.ids, self.matched.matches(), strict=True)
            self._by_image = dict(matches)
        return self._by_image[doc.id]

    def generate_results(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None = None,
        classes: Sequence[str] | None = None,
        missing: str | None = None,
        progress: Any = None,
    ) -> Any:
        """Returns what was found; writes marks and kinds of error if there is a key.

        If that fails, the evaluation is taken back.
        """
        config = self.config
        try:
            names = class_lists.classes_of(samples, config.gt_field, classes)
            both = self.matched.compared.measuring(names)
            results = self.results_of(samples, matches, eval_key, both, missing)
            if eval_key is not None:
                similar = getattr(config, "similar", None)
                self.write(samples, eval_key, find(both, config.iou, similar))
        except BaseException:
            if eval_key is not None:
                evaluation_keys.take_back(self, samples, eval_key)
            raise
        return results

    def results_of(
        self,
        samples: Any,
        matches: list[Match],
        eval_key: str | None,
        both: Compared,
        missing: str | None,
    ) -> Any:
        """Returns FiftyOne's results of the classes that `both` measures."""
        raise NotImplementedError

    def write(self, samples: Any, eval_key: str, kinds: list[Array]) -> None:
        """Writes the marks of objects, their numbers, and the kinds of error."""
        config = self.config
        self.matched.write(samples, config.pred_field, config.gt_field, eval_key)
        found = self.matched.compared.found_field
        write(samples, config.pred_field, eval_key, found, kinds)

    def register_samples(
        self, samples: Any, eval_key: str | None, dynamic: bool = True
    ) -> None:
        """Declares the fields."""
        super().register_samples(samples, eval_key, dynamic=dynamic)  # type: ignore[misc]  # a mixin
        if eval_key is not None:
            field = path(self.config.pred_field, eval_key)
            samples._dataset.add_sample_field(field, fo.StringField)

    def get_fields(
        self, samples: Any, eval_key: str, include_custom_metrics: bool = True
    ) -> list[str]:
        """Returns all fields of the evaluation."""
        config = self.config
        fields = evaluation_keys.paths(config.pred_field, config.gt_field, eval_key)
        if samples.has_frame_field(config.pred_field):  # made on a view of frames
            fields = [f"frames.{field}" for field in fields]
        if include_custom_metrics:
            fields += self.get_custom_metric_fields(samples, eval_key)  # type: ignore[attr-defined]  # a mixin
        return fields

    def cleanup(self, samples: Any, eval_key: str) -> None:
        """Deletes the fields; of a view of frames those of the frames too."""
        config = self.config
        fields = evaluation_keys.paths(config.pred_field, config.gt_field, eval_key)
        for dataset in (samples._dataset, samples._root_dataset):
            if there := [field for field in fields if dataset.has_field(field)]:
                dataset.delete_sample_fields(there)
            if there := [field for field in fields if dataset.has_frame_field(field)]:
                dataset.delete_frame_fields(there)
        self.cleanup_custom_metrics(samples, eval_key)  # type: ignore[attr-defined]  # a mixin
        samples._delete_empty_sidebar_group(eval_key)
