"""What was predicted and what is there, image by image, as arrays."""

import logging
import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import annotations, labels
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.box_faults import BoxFaults
from yolov1_fo.decode import Detected
from yolov1_fo.evaluation import average_precision, coco
from yolov1_fo.evaluation.average_precision import Curve, Objects
from yolov1_fo.evaluation.coco import Sweep

logger = logging.getLogger(__name__)

TRUE_MAP_BELOW = 0.05
"""Above this lowest confidence a field has been thresholded, and its mAP is too low."""


class Field(NamedTuple):
    """Which objects of a field are compared.

    Attributes:
        places: (K,) where they stand in the field, by image
        lengths: how many objects the field has, by image
        ids: of the objects that are compared, by image
        left_out: how many have no box that can be used, or no label
    """

    places: list[Array]
    lengths: list[int]
    ids: list[list[str]]
    left_out: int

    def spread(self, values: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Returns a value for each object of the field; None for what is left out.

        Args:
            values: of the objects that are compared, by image
        """
        spread = []
        for places, length, some in zip(self.places, self.lengths, values, strict=True):
            row: list[Any] = [None] * length
            for place, value in zip(places.tolist(), some, strict=True):
                row[place] = value
            spread.append(row)
        return spread


class Compared(NamedTuple):
    """Predictions beside the truth.

    What has no area inside the image, or is no box, and what has no label is left out.

    Attributes:
        ids: of the samples
        found: by image, in the order of the field, boxes cut off at the image's edge;
            class ids from `len(classes)` on are classes that are not measured
        objects: by image, the same
        classes: names that are measured
        labels: all names by class id, those that are measured first
        found_field: which predictions these are
        object_field: which objects these are
        whole: boxes of `found` and of `objects` as they stand, relative, by image
        border: 1 where boxes are in pixels and both corners belong to them, else 0
    """

    ids: list[str]
    found: list[Detected]
    objects: list[Objects]
    classes: list[str]
    labels: list[str]
    found_field: Field
    object_field: Field
    whole: tuple[list[Array], list[Array]]
    border: float = 0.0

    def labels_of(self, image_size: list[Detected] | list[Objects]) -> set[str]:
        """Returns the labels that `found` or `objects` have."""
        return {self.labels[x] for one in image_size for x in one.class_ids.tolist()}

    def curves(self, iou_thresh: float) -> list[Curve]:
        """Returns VOC's precision and recall of each class."""
        return average_precision.curves(
            self.found,
            self.objects,
            len(self.classes),
            iou_thresh,
            border=self.border,
        )

    def as_coco_has_them(self) -> tuple[list[Detected], list[Objects]]:
        """Returns predictions and objects whose boxes are not cut off."""
        boxes, true_boxes = self.whole
        return (
            [one._replace(boxes=b) for one, b in zip(self.found, boxes, strict=True)],
            [
                one._replace(boxes=b)
                for one, b in zip(self.objects, true_boxes, strict=True)
            ],
        )

    def sweep(self) -> Sweep:
        """Returns COCO's precision and recall of each class."""
        return coco.sweep(*self.as_coco_has_them(), len(self.classes))

    def measuring(self, classes: Sequence[str]) -> "Compared":
        """Returns the same for other classes."""
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
) -> Compared:
    """Returns predictions beside the truth; tells of boxes that can't be used.

    Objects that are `difficult`, `iscrowd` or `IsGroupOf` are difficult.

    Args:
        samples: a checked collection
        pred_field: of Detections with confidences
        gt_field: of Detections
        classes (none): to measure
        inclusive_corners (False): boxes in pixels, both corners of which belong to them

    Raises:
        ValueError: if an object has no confidence, an image has no size where it is
            needed, or all boxes are in pixels
    """
    predicted = annotations.read(samples, pred_field)
    truth = annotations.read(samples, gt_field)
    check_confidences(samples, pred_field, predicted)
    scales = sizes(samples) if inclusive_corners else np.ones((len(truth.ids), 4))
    class_ids = {name: class_id for class_id, name in enumerate(classes)}
    ours = _Side.of(samples, pred_field, predicted, class_ids)
    theirs = _Side.of(samples, gt_field, truth, class_ids)
    return Compared(
        ids=truth.ids,
        found=[
            Detected(boxes * scale, scores, ids)
            for boxes, scores, ids, scale in zip(
                ours.cut,
                ours.pick(predicted.confidences),
                ours.ids,
                scales,
                strict=True,
            )
        ],
        objects=[
            Objects(boxes * scale, ids, difficult.astype(bool))
            for boxes, ids, difficult, scale in zip(
                theirs.cut, theirs.ids, theirs.pick(truth.ignored), scales, strict=True
            )
        ],
        classes=list(classes),
        labels=list(class_ids),
        found_field=ours.field,
        object_field=theirs.field,
        whole=(ours.whole, theirs.whole),
        border=float(inclusive_corners),
    )


class _Side(NamedTuple):
    """The objects of one field that can be compared, by image."""

    whole: list[Array]  # (K, 4)
    cut: list[Array]  # (K, 4)
    ids: list[Array]  # (K,)
    field: Field

    @classmethod
    def of(
        cls,
        samples: fo_samples.Samples,
        name: str,
        records: annotations.Records,
        class_ids: dict[str, int],
    ) -> "_Side":
        """Reads them; `class_ids` learns the labels that it lacks."""
        boxes = labels.read_boxes(records.bounding_boxes)
        where = fo_samples.name(samples)
        BoxFaults.of(
            boxes.faults, boxes.image, records.bounding_boxes, records.filepaths
        ).tell(name, where)
        named: list[str | None] = [
            x if isinstance(x, str) else None for row in records.labels for x in row
        ]
        if unnamed := named.count(None):
            logger.warning(
                "%d of %d objects of '%s' on %s have no label and are left out",
                unnamed,
                len(named),
                name,
                where,
            )
        for label in sorted({x for x in named if x is not None} - set(class_ids)):
            class_ids[label] = len(class_ids)
        flat = np.array([-1 if x is None else class_ids[x] for x in named], int)
        used = boxes.usable & (flat >= 0)
        rows = np.flatnonzero(used)
        lengths = [len(row) for row in records.labels]
        first = np.cumsum([0, *lengths])[:-1]
        ends = np.searchsorted(boxes.image[rows], np.arange(1, len(lengths)))

        def by_image(values: Array) -> list[Array]:
            return np.split(values[rows], ends) if lengths else []

        places = by_image(np.arange(len(flat)) - first[boxes.image])
        ids = [row or [] for row in samples.values(f"{name}.detections.id")]
        kept = [[row[k] for k in p] for row, p in zip(ids, places, strict=True)]
        field = Field(places, lengths, kept, len(flat) - len(rows))
        return cls(by_image(boxes.xyxy), by_image(boxes.cut()), by_image(flat), field)

    def pick(self, values: Sequence[Sequence[Any]]) -> list[Array]:
        """Returns the values of these objects, of those of all in the field."""
        return [
            np.array([row[k] for k in places], float)
            for row, places in zip(values, self.field.places, strict=True)
        ]


def check_confidences(
    samples: fo_samples.Samples, pred_field: str, predicted: annotations.Records
) -> None:
    """Raises a ValueError if an object has no confidence; warns of a high threshold.

    Args:
        samples: a checked collection
        pred_field: of Detections
        predicted: what was read of it
    """
    lowest = math.inf
    for path, row in zip(predicted.filepaths, predicted.confidences, strict=True):
        for value in row:
            if not isinstance(value, numbers.Real) or not math.isfinite(value):
                what = (
                    "objects without confidence"
                    if value is None
                    else f"a confidence that is no number, {value!r} in '{path}'"
                )
                raise ValueError(
                    f"pred_field '{pred_field}' on {fo_samples.name(samples)} has "
                    f"{what}; AP needs one for each"
                )
            lowest = min(lowest, value)
    if TRUE_MAP_BELOW < lowest < math.inf:
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
