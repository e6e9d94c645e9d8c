"""What a model has found in samples, and from which confidence it counts."""

from collections.abc import Sequence
from typing import NamedTuple

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
