"""How many predictions of a field are shown, and which confidence they should have."""

import math
from typing import Any, NamedTuple

import fiftyone as fo
import numpy as np
from fiftyone import ViewField as F

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.datasets import samples as fo_samples


class Advice(NamedTuple):
    """The threshold at which the predictions of a field should be looked at.

    Attributes:
        thresh: lowest confidence that is shown; None if none is known
        model: that made the predictions; empty if unknown
        eval_key: latest evaluation of these predictions; None without
    """

    thresh: float | None = None
    model: str = ""
    eval_key: str | None = None


def advise(dataset: fo.Dataset, pred_field: str) -> Advice:
    """Returns the threshold of best F1 of a field's predictions.

    It is that of their latest evaluation, or else that of the model's validation split,
    which its run or model card has.

    Args:
        dataset: the dataset
        pred_field: field of Detections; `frames.<name>` for those of videos
    """
    models = predicted_by.read(dataset, pred_field)  # reloads the dataset if necessary
    model = models[-1] if models else {}
    key = latest_evaluation(dataset, pred_field)
    stored = getattr(_config(dataset, key), "operating_point", None) or {}
    threshs = (stored.get("thresh"), model.get("thresh"))
    thresh = next((one for one in threshs if _is_number(one)), None)
    return Advice(thresh, str(model.get("model", "")), key)


def _config(dataset: fo.Dataset, eval_key: str | None) -> Any:
    return None if eval_key is None else dataset.get_evaluation_info(eval_key).config


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def latest_evaluation(dataset: fo.Dataset, pred_field: str) -> str | None:
    """Returns the latest evaluation of the predictions that a field has now.

    Those of earlier predictions, which have been replaced, do not count.

    Args:
        dataset: the dataset
        pred_field: field of Detections
    """
    name = pred_field.removeprefix("frames.")
    keys = dataset.list_evaluations(type="detection", pred_field=name)
    newest_first = sorted(
        (key for key in keys if _has_results(dataset, key)),
        key=lambda key: dataset.get_evaluation_info(key).timestamp,
        reverse=True,
    )
    return next(
        (key for key in newest_first if _is_current(dataset, pred_field, key)), None
    )


def _has_results(dataset: fo.Dataset, eval_key: str) -> bool:
    return bool(fiftyone_private.evaluation_document(dataset, eval_key).results)


def _is_current(dataset: fo.Dataset, pred_field: str, eval_key: str) -> bool:
    """Returns whether a prediction has the evaluation's mark: new ones have none."""
    is_marked = F(f"{pred_field}.detections").filter(F(eval_key).exists()).length() > 0
    return bool(len(dataset.match(is_marked).limit(1)))


def confidences(samples: fo_samples.Samples, pred_field: str) -> Array:
    """Returns the confidences of a field's predictions in ascending order: (K,).

    It is one aggregation. Objects without confidence, which no threshold shows, come
    first, as -infinity.

    Args:
        samples: a FiftyOne dataset or view
        pred_field: field of Detections
    """
    found = samples.values(f"{pred_field}.detections.confidence", unwind=True)
    numbers = [-math.inf if one is None else one for one in found]
    return np.sort(np.array(numbers, float))


def count(scores: Array, lowest: float) -> int:
    """Returns how many of ascending confidences (K,) are at least `lowest`."""
    return len(scores) - int(np.searchsorted(scores, lowest, side="left"))


def describe(shown: int, total: int, lowest: float | None, advice: Advice) -> str:
    """Returns in one line how many predictions are shown, and why.

    Args:
        shown: number of predictions that are shown
        total: number of predictions
        lowest: confidence from which they are shown; None shows all
        advice: of the field

    Example:
        >>> describe(262, 19578, 0.3125, Advice(0.3125, "first"))
        '262 of 19,578 predictions shown: confidence of at least 0.312, the best F1.'
    """
    if lowest is not None:
        reason = ", the best F1" if lowest == advice.thresh else ""
        return (
            f"{shown:,} of {total:,} predictions shown: confidence of at least "
            f"{lowest:.3g}{reason}."
        )
    line = f"All {total:,} predictions shown"
    if advice.thresh is not None:
        return f"{line}."
    return (
        f"{line}: no confidence threshold is known for this model. "
        "'Evaluate YOLOv1' finds that of the best F1."
    )
