"""What a model has found in samples, and from which confidence it counts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.thresholds import Thresholds


class ModelDetections(NamedTuple):
    """What a model has found in some samples.

    Attributes:
        found: detections by sample id
        classes: names by class id
        model: name of the model
        thresholds: lowest confidences that count
    """

    found: dict[str, Detections]
    classes: Sequence[str]
    model: str
    thresholds: Thresholds


def recommended(model: dict[str, Any]) -> Thresholds | None:
    """Returns the operating point of a model, from `prediction.describe`."""
    if model.get("thresh") is None:
        return None
    by_class = {str(name): float(one) for name, one in model["class_threshs"]}
    return Thresholds(float(model["thresh"]), by_class)
