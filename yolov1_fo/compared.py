"""What was predicted and what is there, image by image, as arrays."""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo import average_precision, labels
from yolov1_fo import samples as fo_samples
from yolov1_fo.average_precision import Curve, Objects
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detected

logger = logging.getLogger(__name__)

TRUE_MAP_BELOW = 0.05
"""Above this lowest confidence a field has been thresholded, and its mAP is too low."""


class Compared(NamedTuple):
    """Predictions beside the truth.

    Attributes:
        found: by image, in the order of the field; class id -1 is a class that is not
            measured
        objects: by image
        classes: names
        border: 1 where boxes are in pixels and both corners belong to them, else 0
    """

    found: list[Detected]
    objects: list[Objects]
    classes: list[str]
    border: float = 0.0

    def curves(self, iou_thresh: float) -> list[Curve]:
        """Returns precision and recall of each class."""
        return average_precision.curves(
            self.found,
            self.objects,
            len(self.classes),
            iou_thresh,
            border=self.border,
        )


def read(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    classes: Sequence[str],
    *,
    inclusive_corners: bool = False,
) -> Compared:
    """Returns predictions beside the truth.

    Objects that are `difficult`, `iscrowd` or `IsGroupOf` are difficult.

    Args:
        samples: a checked collection
        pred_field: of Detections with confidences; see `check_confidences`
        gt_field: of Detections
        classes: to measure
        inclusive_corners (False): boxes in pixels, both corners of which belong to them

    Raises:
        ValueError: if an image has no size where it is needed
    """
    predicted = fo_samples.read(samples, pred_field)
    truth = fo_samples.read(samples, gt_field)
    numbers = {name: class_id for class_id, name in enumerate(classes)}
    scales = sizes(samples) if inclusive_corners else np.ones((len(truth.ids), 4))

    def class_ids(row: list[str]) -> Array:
        return np.array([numbers.get(label, -1) for label in row], int)

    found = [
        Detected(labels.to_xyxy(boxes) * scale, np.array(scores, float), class_ids(row))
        for boxes, scores, row, scale in zip(
            predicted.bounding_boxes,
            predicted.confidences,
            predicted.labels,
            scales,
            strict=True,
        )
    ]
    objects = [
        Objects(labels.to_xyxy(boxes) * scale, class_ids(row), np.array(ignored, bool))
        for boxes, row, ignored, scale in zip(
            truth.bounding_boxes, truth.labels, truth.ignored, scales, strict=True
        )
    ]
    return Compared(found, objects, list(classes), float(inclusive_corners))


def check_confidences(samples: fo_samples.Samples, pred_field: str) -> None:
    """Raises a ValueError if an object has no confidence; warns of a high threshold."""
    path = f"{pred_field}.detections"
    objects, scored = samples.count(path), samples.count(f"{path}.confidence")
    if scored < objects:
        raise ValueError(
            f"pred_field '{pred_field}' on {fo_samples.name(samples)} has objects "
            "without confidence; AP needs one for each"
        )
    lowest = samples.bounds(f"{path}.confidence")[0] if scored else 0.0
    if lowest > TRUE_MAP_BELOW:
        logger.warning(
            "the lowest confidence in '%s' is %.2f; AP is true only down to about "
            "0.01, so apply the model with a lower confidence_thresh",
            pred_field,
            lowest,
        )


def sizes(samples: fo_samples.Samples) -> Array:
    """Returns the width and height of each image twice: (N, 4), in pixels.

    Raises:
        ValueError: if one is not known
    """
    known = samples.values(["metadata.width", "metadata.height"])
    if any(length is None for lengths in known for length in lengths):
        raise ValueError(
            "inclusive_corners needs the sizes of the images; first call "
            f"compute_metadata() on {fo_samples.name(samples)}"
        )
    return np.array([*known, *known], float).T
