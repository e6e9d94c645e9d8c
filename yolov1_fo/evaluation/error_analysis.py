"""The paper's analysis of errors: of which kind is each of the strongest detections?

It works on arrays. Of each class the best N detections are looked at, N being how many
objects of that class there are to find.
"""

from collections.abc import Collection, Sequence

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detected
from yolov1_fo.evaluation.average_precision import Objects

KINDS = ("correct", "localization", "similar", "other", "background")
"""What a detection can be; the numbers of `kinds` count these."""
CORRECT, LOCALIZATION, SIMILAR, OTHER, BACKGROUND = range(len(KINDS))
NONE = -1

TOUCHES = 0.1
"""Least overlap with an object that a detection has something to do with."""

LOOKALIKES = (
    ("aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"),
    ("bird", "cat", "cow", "dog", "horse", "person", "sheep"),
    ("chair", "diningtable", "sofa"),
    ("aeroplane", "bird"),
)
"""Sets of VOC's classes that are taken for each other: vehicles, animals, furniture.

Source: Hoiem et al., Diagnosing Error in Object Detectors, 2012, section 2.1
"""


def alike(
    classes: Sequence[str], sets: Collection[Collection[str]] = LOOKALIKES
) -> Array:
    """Returns which classes are taken for each other: (C, C), true or false.

    Args:
        classes: their names
        sets (VOC's): names of classes that are similar; other names have no effect
    """
    inside = np.array([[name in one for name in classes] for one in sets], bool)
    inside = inside.reshape(len(sets), len(classes))
    together = (inside[:, :, None] & inside[:, None]).any(axis=0)
    together &= ~np.eye(len(classes), dtype=bool)
    return np.asarray(together)


def kinds(
    found: Sequence[Detected],
    objects: Sequence[Objects],
    similar: Array,
    iou_thresh: float = 0.5,
    *,
    border: float = 0.0,
) -> list[Array]:
    """Returns of which kind each detection is.

    - correct: the first on an object of its class, with an overlap of `iou_thresh`
    - localization: on an object of its class, but with less overlap, or not the first
    - similar: on an object of a class that is taken for its own
    - other: on an object of any other class
    - background: on none

    "On" is an overlap of 0.1; the first that holds counts. What finds a difficult
    object is of no kind.

    Args:
        found: detections, by image
        objects: truth, by image, in the same order; class id -1 is a class of no
            detection
        similar: (C, C) from `alike`
        iou_thresh (0.5): least overlap of a correct detection
        border (0.0): see `average_precision.curves`

    Returns:
        by image (K,): a number of `KINDS`; -1 for what is not among the best N

    Source: paper section 4.2; Hoiem et al. 2012 for detections that are not the first
    """
    overlaps = [_on(*one, similar, border) for one in zip(found, objects, strict=True)]
    firsts = np.cumsum([0, *(len(truth.boxes) for truth in objects)])
    target = np.concatenate(
        [
            np.zeros(0, int),
            *(n + one[0] for n, one in zip(firsts, overlaps, strict=False)),
        ]
    )
    on = np.concatenate([np.zeros((0, 3)), *(one[1] for one in overlaps)])
    own, lookalike, any_one = on.T
    kind = np.select(
        [
            _boxes.reaches(own, iou_thresh),
            *(_boxes.reaches(one, TOUCHES) for one in (own, lookalike, any_one)),
        ],
        [CORRECT, LOCALIZATION, SIMILAR, OTHER],
        BACKGROUND,
    )
    difficult = _joined([truth.difficult for truth in objects], bool)
    truth_ids = _joined([truth.class_ids for truth in objects], int)[~difficult]
    class_ids = _joined([one.class_ids for one in found], int)
    scores = _joined([one.scores for one in found], float)
    difficult = np.append(difficult, False)  # for a detection where there is no object
    said = np.full(len(kind), NONE)
    for class_id in range(len(similar)):
        rows = np.flatnonzero(class_ids == class_id)
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        hit = kind[rows] == CORRECT
        rows = rows[~(hit & difficult[target[rows]])]
        rows = rows[: np.count_nonzero(truth_ids == class_id)]
        hits = rows[kind[rows] == CORRECT]
        said[rows] = kind[rows]
        said[hits] = LOCALIZATION
        said[hits[np.unique(target[hits], return_index=True)[1]]] = CORRECT
    ends = np.cumsum([len(one.class_ids) for one in found])
    return np.split(said, ends[:-1]) if len(ends) else []


def _on(
    found: Detected, truth: Objects, similar: Array, border: float
) -> tuple[Array, Array]:
    """Returns which object of its class each detection overlaps most, and how far.

    Returns:
        (K,) its number in the image; (K, 3) the most overlap with an object of its
        class, of one that is similar, and of any
    """
    k = len(found.class_ids)
    if not len(truth.class_ids) or not k:
        return np.zeros(k, int), np.zeros((k, 3))
    overlap = _boxes.measured_iou(found.boxes, truth.boxes, border)  # (K, M)
    is_own = found.class_ids[:, None] == truth.class_ids[None]
    none_alike = np.zeros((len(similar), 1), bool)  # of class id -1
    is_alike = np.hstack([similar, none_alike])[found.class_ids][:, truth.class_ids]
    own = np.where(is_own, overlap, 0)
    most = [np.where(one, overlap, 0).max(axis=1) for one in (is_own, is_alike)]
    return own.argmax(axis=1), np.stack([*most, overlap.max(axis=1)], axis=-1)


def _joined(parts: Sequence[Array], kind: type) -> Array:
    return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)


def counts(
    kinds: Sequence[Array], found: Sequence[Detected], num_classes: int
) -> Array:
    """Returns how many detections of each class are of each kind: (C, 5).

    Args:
        kinds: from `kinds`
        found: the same detections
        num_classes: C
    """
    table = np.zeros((num_classes, len(KINDS)), int)
    for numbers, one in zip(kinds, found, strict=True):
        looked_at = numbers != NONE
        np.add.at(table, (one.class_ids[looked_at], numbers[looked_at]), 1)
    return table
