"""Reading predictions and ground truth of a collection as arrays."""

import logging
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import average_precision, coco
from yolov1_fo.evaluation.average_precision import Curve, GroundTruth
from yolov1_fo.evaluation.coco import Sweep
from yolov1_fo.evaluation.evaluated_field import EvaluatedField

logger = logging.getLogger(__name__)

MAX_LOWEST_CONFIDENCE = 0.05
"""If the lowest confidence is higher, the field was thresholded, which lowers mAP."""
NEEDS_CONFIDENCES = "AP needs a confidence for each object"


class EvaluationData(NamedTuple):
    """Predictions and ground truth, by image.

    Attributes:
        ids: of the samples
        found: predictions in the order of the field, with clipped boxes; class ids from
            `len(classes)` on are classes that are not evaluated
        objects: ground truth, likewise
        classes: names of the evaluated classes
        labels: all names by class id, starting with `classes`
        pred_field: the predictions
        gt_field: the ground truth
        border: 1 if boxes are in pixels and include both corners, else 0
    """

    ids: list[str]
    found: list[Detections]
    objects: list[GroundTruth]
    classes: list[str]
    labels: list[str]
    pred_field: EvaluatedField
    gt_field: EvaluatedField
    border: float = 0.0

    def labels_of(self, images: list[Detections] | list[GroundTruth]) -> set[str]:
        """Returns the labels of `found` or `objects`."""
        return {self.labels[x] for one in images for x in one.class_ids.tolist()}

    def curves(self, iou_thresh: float) -> list[Curve]:
        """Returns VOC's precision-recall curve of each class."""
        return average_precision.curves(
            self.found,
            self.objects,
            len(self.classes),
            iou_thresh,
            border=self.border,
        )

    def curves_by_name(self, iou_thresh: float) -> dict[str, Curve]:
        """Returns VOC's precision-recall curves by name of class."""
        return dict(zip(self.classes, self.curves(iou_thresh), strict=True))

    def unclipped(self) -> tuple[list[Detections], list[GroundTruth]]:
        """Returns predictions and ground truth with boxes as stored, as COCO uses."""
        predicted, true = self.pred_field.unclipped, self.gt_field.unclipped
        return (
            [x._replace(boxes=b) for x, b in zip(self.found, predicted, strict=True)],
            [x._replace(boxes=b) for x, b in zip(self.objects, true, strict=True)],
        )

    def sweep(self) -> Sweep:
        """Returns COCO's precision and recall of each class."""
        return coco.sweep(*self.unclipped(), len(self.classes))

    def for_classes(self, classes: Sequence[str]) -> "EvaluationData":
        """Returns the same data for other evaluated classes."""
        names = list(dict.fromkeys([*classes, *self.labels]))
        place = {name: number for number, name in enumerate(names)}
        new_ids = np.array([place[name] for name in self.labels], int)
        return self._replace(
            found=[x._replace(class_ids=new_ids[x.class_ids]) for x in self.found],
            objects=[x._replace(class_ids=new_ids[x.class_ids]) for x in self.objects],
            classes=list(classes),
            labels=names,
        )


def read(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    classes: Sequence[str] = (),
    *,
    inclusive_corners: bool = False,
) -> EvaluationData:
    """Reads predictions and ground truth; warns about invalid boxes.

    `difficult`, `iscrowd` and `IsGroupOf` mark difficult objects.

    Args:
        samples: a checked collection
        pred_field: of Detections with confidences
        gt_field: of Detections
        classes (none): to evaluate
        inclusive_corners (False): boxes in pixels that include both corners

    Raises:
        ValueError: if an object has no confidence, an image has no size where it is
            needed, all boxes are in pixels, or samples were added or deleted meanwhile
    """
    class_ids = {name: class_id for class_id, name in enumerate(classes)}
    predictions = EvaluatedField.read(samples, pred_field, class_ids)
    _check_confidences(samples, pred_field, predictions)
    objects = EvaluatedField.read(samples, gt_field, class_ids)
    if predictions.sample_ids != objects.sample_ids:
        raise ValueError(
            f"{fo_samples.name(samples)} has changed while it was read; evaluate again"
        )
    found_boxes, true_boxes = predictions.boxes, objects.boxes
    if inclusive_corners:
        sizes = _image_sizes(samples)  # (N, 4)
        found_boxes = [x * size for x, size in zip(found_boxes, sizes, strict=True)]
        true_boxes = [x * size for x, size in zip(true_boxes, sizes, strict=True)]
    found = zip(
        found_boxes, predictions.confidences, predictions.class_ids, strict=True
    )
    truth = zip(true_boxes, objects.class_ids, objects.ignored, strict=True)
    return EvaluationData(
        ids=objects.sample_ids,
        found=[Detections(*one) for one in found],
        objects=[GroundTruth(*one) for one in truth],
        classes=list(classes),
        labels=list(class_ids),
        pred_field=predictions,
        gt_field=objects,
        border=float(inclusive_corners),
    )


def _check_confidences(
    samples: fo_samples.Samples, pred_field: str, predicted: EvaluatedField
) -> None:
    """Checks that each object has a confidence; warns if the field was thresholded.

    Args:
        samples: a checked collection
        pred_field: of Detections
        predicted: its objects
    """
    if predicted.unscored:
        raise ValueError(
            f"pred_field '{pred_field}' on {fo_samples.name(samples)} has "
            f"{predicted.unscored}; {NEEDS_CONFIDENCES}"
        )
    confidences = predicted.confidences
    lowest = min((one.min(initial=math.inf) for one in confidences), default=math.inf)
    if MAX_LOWEST_CONFIDENCE < lowest < math.inf:
        logger.warning(
            "the lowest confidence in '%s' is %.2f, so AP is too low; apply the model "
            "with a confidence_thresh of about 0.01",
            *(pred_field, lowest),
        )


def _image_sizes(samples: fo_samples.Samples) -> Array:
    """Returns the width and height of each image twice: (N, 4), in pixels.

    Raises:
        ValueError: if a size is missing
    """
    sizes = samples.values(["metadata.width", "metadata.height"])
    if any(length is None for lengths in sizes for length in lengths):
        raise ValueError(
            "inclusive_corners needs the image sizes; first call compute_metadata() on "
            f"{fo_samples.name(samples)}"
        )
    return np.array([*sizes, *sizes], float).T
