"""The view stage that hides predictions of low confidence, and views without it.

Detectors write all scores, since mAP needs them; people look at those that count.
"""

from numbers import Real
from typing import Any

from fiftyone import ViewField as F

from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets import samples as fo_samples

_CLASS = "fiftyone.core.stages.FilterLabels"


def add(samples: fo_samples.Samples, pred_field: str, lowest: Any) -> Any:
    """Returns the view of the predictions of at least a confidence.

    All samples stay in the view: `without(add(samples, ...), ...)` shows what `samples`
    shows.

    Args:
        samples: a FiftyOne dataset or view
        pred_field: field of Detections with confidences
        lowest: a number, or an expression on a detection
    """
    is_confident = F("confidence") >= lowest
    return samples.filter_labels(pred_field, is_confident, only_matches=False)


def without(samples: fo_samples.Samples, pred_field: str) -> Any:
    """Returns the samples without the stages that `add` adds for a field.

    Args:
        samples: a FiftyOne dataset or view
        pred_field: field of Detections
    """
    stages = fo_samples.stages(samples)
    kept = [stage for stage in stages if not _is_filter(stage, pred_field)]
    if len(kept) == len(stages):
        return samples
    return fo_samples.view_from_stages(fiftyone_private.root_dataset(samples), kept)


def replace(samples: fo_samples.Samples, pred_field: str, lowest: float) -> Any:
    """Returns the view of the predictions of at least another confidence.

    Stages that `add` has added for the field are replaced where the first of them is;
    without any, one is appended.

    Args:
        samples: a FiftyOne dataset or view
        pred_field: field of Detections with confidences
        lowest: lowest confidence that is shown
    """
    stages = fo_samples.stages(samples)
    places = [n for n, stage in enumerate(stages) if _is_filter(stage, pred_field)]
    if not places:
        return add(samples, pred_field, lowest)
    dataset = fiftyone_private.root_dataset(samples)
    new = fo_samples.stages(add(dataset, pred_field, lowest))
    kept = [one for n, one in enumerate(stages) if n not in places]
    kept[places[0] : places[0]] = new
    return fo_samples.view_from_stages(dataset, kept)


def lowest(samples: fo_samples.Samples, pred_field: str) -> float | None:
    """Returns the confidence from which predictions are in a view; None if from any.

    It is also None if each class has a threshold of its own.

    Args:
        samples: a FiftyOne dataset or view
        pred_field: field of Detections
    """
    found = [
        number
        for stage in fo_samples.stages(samples)
        if _is_filter(stage, pred_field)
        and isinstance(number := _threshold(stage), Real)
    ]
    return max(map(float, found), default=None)


def _is_filter(stage: dict[str, Any], pred_field: str) -> bool:
    values = dict(stage.get("kwargs") or ())
    return (
        stage.get("_cls") == _CLASS
        and values.get("field") == pred_field
        and values.get("only_matches") is False
        and _threshold(stage) is not None
    )


def _threshold(stage: dict[str, Any]) -> Any:
    """Returns what a stage compares confidences with; None if it filters otherwise."""
    expression = dict(stage.get("kwargs") or ()).get("filter")
    if not isinstance(expression, dict) or [*expression] != ["$gte"]:
        return None
    left, right = expression["$gte"]
    return right if str(left).endswith(".confidence") else None
