"""The paper's error analysis: the error types of the strongest detections.

It works on arrays. Of each class the N detections with the highest scores are analysed,
where N is the number of objects of that class.
"""

from collections.abc import Collection, Sequence

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import average_precision
from yolov1_fo.evaluation.average_precision import GroundTruth

ERROR_TYPES = ("correct", "localization", "similar", "other", "background")
"""Types of detections; `classify` returns indices into this."""
CORRECT, LOCALIZATION, SIMILAR, OTHER, BACKGROUND = range(len(ERROR_TYPES))
NONE = -1

MIN_IOU = 0.1
"""Minimum IoU of a detection with an object that it is attributed to."""

SIMILAR_CLASSES = (
    ("aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"),
    ("bird", "cat", "cow", "dog", "horse", "person", "sheep"),
    ("chair", "diningtable", "sofa"),
    ("aeroplane", "bird"),
)
"""Sets of similar VOC classes: vehicles, animals, furniture, and things that fly.

Source: Hoiem et al., Diagnosing Error in Object Detectors, 2012, section 2.1
"""


def similarity(
    classes: Sequence[str], sets: Collection[Collection[str]] = SIMILAR_CLASSES
) -> Array:
    """Returns which pairs of classes are similar: (C, C) bool.

    Args:
        classes: class names
        sets (VOC's): names of similar classes; other names are ignored
    """
    inside = np.array([[name in one for name in classes] for one in sets], bool)
    inside = inside.reshape(len(sets), len(classes))
    similar = (inside[:, :, None] & inside[:, None]).any(axis=0)
    similar &= ~np.eye(len(classes), dtype=bool)
    return np.asarray(similar)


def classify(
    found: Sequence[Detections],
    objects: Sequence[GroundTruth],
    similar: Array,
    iou_thresh: float = 0.5,
    *,
    border: float = 0.0,
) -> list[Array]:
    """Returns the error type of each detection.

    - correct: a true positive, see `average_precision`
    - localization: on an object of its class, but with a lower IoU, or a duplicate
    - similar: on an object of a similar class
    - other: on an object of any other class
    - background: on no object

    "On" means an IoU of at least 0.1; the first type that applies is returned.
    Detections matched with a difficult object have no type.

    Args:
        found: detections, by image
        objects: ground truth, by image, in the same order; class id -1 is a class that
            is not evaluated
        similar: (C, C) from `similarity`
        iou_thresh (0.5): minimum IoU of a correct detection
        border (0.0): see `average_precision.curves`

    Returns:
        (K,) by image: an index into `ERROR_TYPES`; -1 if not among the first N

    Source: paper section 4.2; Hoiem et al. 2012 for duplicates
    """
    by_image = [
        _types_of_image(*one, similar, iou_thresh, border)
        for one in zip(found, objects, strict=True)
    ]
    ends = np.cumsum([len(one) for one in by_image])
    types = np.concatenate([np.zeros(0, int), *by_image])
    class_ids = np.concatenate([np.zeros(0, int), *(one.class_ids for one in found)])
    scores = np.concatenate([np.zeros(0), *(one.scores for one in found)])
    true_ids = np.concatenate(
        [np.zeros(0, int), *(one.class_ids[~one.difficult] for one in objects)]
    )
    analysed = np.zeros(len(types), bool)
    for class_id in range(len(similar)):
        rows = np.flatnonzero((class_ids == class_id) & (types != NONE))
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        analysed[rows[: np.count_nonzero(true_ids == class_id)]] = True
    return np.split(np.where(analysed, types, NONE), ends[:-1]) if len(ends) else []


def _types_of_image(
    found: Detections,
    truth: GroundTruth,
    similar: Array,
    iou_thresh: float,
    border: float,
) -> Array:
    """Returns the error type of each detection of an image; -1 for ignored ones."""
    if not len(truth.class_ids) or not len(found.class_ids):
        return np.full(len(found.class_ids), BACKGROUND)
    target, _ = average_precision.match(found, truth, iou_thresh, border)
    is_ignored = (target >= 0) & truth.difficult[target]
    overlap = _boxes.evaluation_iou(found.boxes, truth.boxes, border)  # (K, M)
    is_own = found.class_ids[:, None] == truth.class_ids[None]
    none_similar = np.zeros((len(similar), 1), bool)  # of class id -1
    pairs = np.hstack([similar, none_similar])[found.class_ids]
    is_similar = pairs[:, truth.class_ids]
    own, alike = (np.where(one, overlap, 0).max(axis=1) for one in (is_own, is_similar))
    return np.select(
        [
            is_ignored,
            target >= 0,
            _boxes.reaches(own, min(iou_thresh, MIN_IOU)),
            _boxes.reaches(alike, MIN_IOU),
            _boxes.reaches(overlap.max(axis=1), MIN_IOU),
        ],
        [NONE, CORRECT, LOCALIZATION, SIMILAR, OTHER],
        BACKGROUND,
    )


def count_by_name(
    error_types: Sequence[Array], found: Sequence[Detections], classes: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Returns the number of detections, by name of class and error type.

    Args:
        error_types: from `classify`
        found: the same detections
        classes: class names
    """
    table = np.zeros((len(classes), len(ERROR_TYPES)), int)
    for types, one in zip(error_types, found, strict=True):
        analysed = types != NONE
        np.add.at(table, (one.class_ids[analysed], types[analysed]), 1)
    return {
        name: dict(zip(ERROR_TYPES, row, strict=True))
        for name, row in zip(classes, table.tolist(), strict=True)
    }
