"""The kind of each error as a field of the predictions, kept with an evaluation."""

from collections.abc import Collection
from typing import Any

import fiftyone as fo
import numpy as np
from fiftyone import ViewField as F

from yolov1_fo import error_analysis, spelling
from yolov1_fo import samples as fo_samples
from yolov1_fo.boxes import Array
from yolov1_fo.compared import Compared

Counts = dict[str, dict[str, int]]
"""How many detections of each class are of each kind."""


def path(pred_field: str, eval_key: str) -> str:
    """Returns where the kinds of an evaluation stand."""
    return f"{pred_field}.detections.{eval_key}_error"


def find(
    compared: Compared,
    iou_thresh: float,
    similar: Collection[Collection[str]] | None = None,
) -> list[Array]:
    """Returns of which kind each detection is: numbers of `error_analysis.KINDS`.

    Args:
        compared: predictions beside the truth
        iou_thresh: least overlap of a correct detection
        similar (VOC's): sets of classes that are taken for each other
    """
    sets = error_analysis.LOOKALIKES if similar is None else similar
    alike = error_analysis.alike(compared.classes, sets)
    return error_analysis.kinds(compared.found, compared.objects, alike, iou_thresh)


def write(
    samples: fo_samples.Samples, pred_field: str, eval_key: str, kinds: list[Array]
) -> None:
    """Writes the kind of each detection beside what an evaluation says of it."""
    names = np.array([*error_analysis.KINDS, None], object)  # the last for -1
    rows = [names[one].tolist() for one in kinds]
    samples.set_values(path(pred_field, eval_key), rows)


def are_kept(samples: fo_samples.Samples, eval_key: str) -> bool:
    """Returns whether an evaluation has kept the kinds of its errors."""
    if eval_key not in samples.list_evaluations():
        return False
    config = samples.get_evaluation_info(eval_key).config
    field = getattr(config, "pred_field", None)
    return field is not None and samples.has_field(path(field, eval_key))


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


def count(samples: fo_samples.Samples, eval_key: str) -> Counts:
    """Returns how many detections of each class are of each kind.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation by `evaluate(...)` or `VOCEvaluationConfig`

    Raises:
        ValueError: if it has kept no errors
    """
    pred_field = check_kept(samples, eval_key)
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
    is_wanted = F(f"{eval_key}_error") == kind
    if label is not None:
        is_wanted &= F("label") == label
    gt_field = samples.get_evaluation_info(eval_key).config.gt_field
    patches = samples.filter_labels(pred_field, is_wanted).to_patches(
        pred_field, other_fields=[gt_field]
    )
    return patches.sort_by(f"{pred_field}.confidence", reverse=True)


class WithErrors:
    """Has an evaluation of FiftyOne's keep the field of its errors.

    A mixin: the field is made, renamed and deleted with the evaluation's others.
    """

    config: Any

    def register_samples(
        self, samples: Any, eval_key: str | None, dynamic: bool = True
    ) -> None:
        """Declares the field."""
        super().register_samples(samples, eval_key, dynamic=dynamic)  # type: ignore[misc]  # a mixin
        if eval_key is not None:
            field = path(self.config.pred_field, eval_key)
            samples._dataset.add_sample_field(field, fo.StringField)

    def get_fields(
        self, samples: Any, eval_key: str, include_custom_metrics: bool = True
    ) -> list[str]:
        """Returns all fields of the evaluation."""
        fields = super().get_fields(samples, eval_key, include_custom_metrics)  # type: ignore[misc]  # a mixin
        return [*fields, path(self.config.pred_field, eval_key)]

    def cleanup(self, samples: Any, eval_key: str) -> None:
        """Deletes the fields."""
        field = path(self.config.pred_field, eval_key)
        samples._dataset.delete_sample_field(field, error_level=1)
        super().cleanup(samples, eval_key)  # type: ignore[misc]  # a mixin
