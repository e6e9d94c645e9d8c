"""The view of the detections that are worth looking at.

All scores stay on the dataset, since mAP needs them.
"""

import logging
from collections.abc import Mapping
from typing import Any

from fiftyone import ViewExpression
from fiftyone import ViewField as F

from yolov1_fo.config import arguments
from yolov1_fo.datasets import checks, connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import confidence_filter, evaluated_field, thresholds
from yolov1_fo.evaluation.thresholds import Thresholds

logger = logging.getLogger(__name__)


@connection.one_line_errors()
def confident(
    samples: fo_samples.Samples,
    pred_field: str,
    thresh: float | Mapping[str, float] | None = None,
) -> Any:
    """Returns the view of the detections whose confidence is high enough.

    By default those of at least the recommended threshold, by class: that of the
    latest evaluation of the field by `evaluate(...)` with an `eval_key`, or else of the
    model that `apply` has written it with. Samples without such detections stay in the
    view.

    Args:
        samples: a FiftyOne dataset or view
        pred_field: field of Detections with confidences; `frames.<name>` for those of
            videos
        thresh (None): lowest confidence that is shown, or a dict of such numbers by
            name of class; other classes then have the recommended threshold

    Raises:
        ValueError: if the field can't be shown, no threshold is given or stored, or a
            number is not finite
        TypeError: if an argument has the wrong type
    """
    fo_samples.check(samples)
    checks.check_detections(samples, pred_field, "pred_field")
    _check_thresh(thresh)
    _check_confidences(samples, pred_field)
    chosen = _chosen(samples, pred_field, thresh)
    return confidence_filter.add(samples, pred_field, _by_label(chosen))


def _check_thresh(thresh: Any) -> None:
    if thresh is None:
        return
    by_class = isinstance(thresh, Mapping)
    for name, number in thresh.items() if by_class else [("", thresh)]:
        arguments.check_string("each class of thresh", name)
        argument = f"thresh of class '{name}'" if by_class else "thresh"
        arguments.check_number(argument, number, -arguments.MAX_NUMBER)


def _check_confidences(samples: fo_samples.Samples, pred_field: str) -> None:
    """Raises a ValueError if an object has no confidence; one query of the database."""
    without = samples.filter_labels(pred_field, F("confidence").exists(False))
    if len(without.limit(1)):
        raise ValueError(
            f"pred_field '{pred_field}' on {fo_samples.name(samples)} has "
            f"{evaluated_field.NO_CONFIDENCE}; only predictions can be confident"
        )


def _chosen(
    samples: fo_samples.Samples,
    pred_field: str,
    thresh: float | Mapping[str, float] | None,
) -> Thresholds:
    """Returns the thresholds given, and the recommended ones for the rest.

    Raises:
        ValueError: if some are missing
    """
    if thresh is not None and not isinstance(thresh, Mapping):
        return Thresholds(float(thresh), {})
    given = {name: float(number) for name, number in (thresh or {}).items()}
    stored = thresholds.known(samples, pred_field)
    if stored is not None:
        return Thresholds(stored.overall, {**stored.by_class, **given})
    labels = samples.distinct(f"{pred_field}.detections.label")
    missing = sorted(set(labels) - set(given))
    if not given or missing:
        classes = f", also for {', '.join(missing)}" if given else ""
        raise ValueError(
            f"pred_field '{pred_field}' on {fo_samples.name(samples)} has no "
            "recommended threshold; first call evaluate(...) with an eval_key, predict "
            f"with yolov1_fo.apply, or give thresh{classes}"
        )
    return Thresholds(0.0, given)


def _by_label(chosen: Thresholds) -> Any:
    """Returns an expression for the threshold of a detection's class."""
    if not chosen.by_class:
        return chosen.overall
    names = ViewExpression.literal([*chosen.by_class])
    place = ViewExpression({"$indexOfArray": [names, F("label")]})  # -1 for the others
    numbers = ViewExpression.literal([*chosen.by_class.values(), chosen.overall])
    return numbers[place]  # of which -1 is the last
