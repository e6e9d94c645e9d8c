"""Labels broken on purpose: examples of mistakes, to learn from and to measure with.

It works on arrays.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.curation.mistake_kinds import (
    KINDS,
    LOOSE_BOX,
    MISSING,
    SPURIOUS,
    WRONG_CLASS,
)
from yolov1_fo.evaluation.average_precision import GroundTruth

INTACT = -1
"""Kind of an object that is not broken."""
TRIES = 50
"""Number of random places that are tried for a box."""
MAX_IOU = 0.3
"""An invented object does not overlap others more, if such a place is found."""


class Broken(NamedTuple):
    """The labels of some images, with what is broken.

    Attributes:
        objects: the labels, by image
        kinds: (M,) index into `KINDS` of each object, `INTACT` for others, by image
        removed: (R, 4) boxes of the objects that were removed, by image
    """

    objects: list[GroundTruth]
    kinds: list[Array]
    removed: list[Array]


def break_labels(
    objects: Sequence[GroundTruth],
    num_classes: int,
    counts: dict[str, int],
    rng: np.random.Generator,
    shift: tuple[float, float] = (0.4, 0.4),
) -> Broken:
    """Returns labels of which some are broken, each at most once.

    Difficult objects stay. Classes are swapped only if there are several.

    Args:
        objects: labels, by image
        num_classes: number of classes
        counts: number of mistakes of each kind
        rng: draws them
        shift (0.4, 0.4): lowest and highest distance that a loose box is moved by, in
            a random direction, relative to its width and height
    """
    places = [
        (image, row)
        for image, one in enumerate(objects)
        for row in np.flatnonzero(~np.asarray(one.difficult, bool)).tolist()
    ]
    drawn = iter(rng.permutation(len(places)).tolist())
    copies = [_copy(one) for one in objects]
    kinds = [np.full(len(one.class_ids), INTACT) for one in objects]
    for kind in (MISSING, WRONG_CLASS, LOOSE_BOX):
        if kind == WRONG_CLASS and num_classes < 2:
            continue
        for _, number in zip(range(counts.get(kind, 0)), drawn, strict=False):
            image, row = places[number]
            kinds[image][row] = KINDS.index(kind)
            if kind == WRONG_CLASS:
                step = rng.integers(1, num_classes)
                ids = copies[image].class_ids
                ids[row] = (ids[row] + step) % num_classes
            elif kind == LOOSE_BOX:
                boxes = copies[image].boxes
                boxes[row] = _moved(boxes[row], rng.uniform(*shift), rng)
    broken = _without_removed(copies, kinds)
    return _with_invented(broken, objects, num_classes, counts.get(SPURIOUS, 0), rng)


def _copy(one: GroundTruth) -> GroundTruth:
    return GroundTruth(
        np.array(one.boxes, float).reshape(-1, 4),
        np.array(one.class_ids, int),
        np.array(one.difficult, bool),
    )


def _moved(box: Array, share: float, rng: np.random.Generator) -> Array:
    """Returns a box moved by a share of its size; inside the image, if possible."""
    size = box[2:] - box[:2]
    for _ in range(TRIES):
        angle = rng.uniform(0, 2 * np.pi)
        step = share * size * (np.cos(angle), np.sin(angle))
        moved = box + np.tile(step, 2)
        if (moved >= 0).all() and (moved <= 1).all():
            break
    return _boxes.clip(moved)


def _without_removed(objects: list[GroundTruth], kinds: list[Array]) -> Broken:
    removed = [some == KINDS.index(MISSING) for some in kinds]
    return Broken(
        [
            GroundTruth(*(part[~gone] for part in one))
            for one, gone in zip(objects, removed, strict=True)
        ],
        [some[~gone] for some, gone in zip(kinds, removed, strict=True)],
        [one.boxes[gone] for one, gone in zip(objects, removed, strict=True)],
    )


def _with_invented(
    broken: Broken,
    objects: Sequence[GroundTruth],
    num_classes: int,
    count: int,
    rng: np.random.Generator,
) -> Broken:
    """Adds objects of random classes at random places, in the sizes of real ones."""
    sizes = np.concatenate(
        [np.zeros((0, 2)), *(one.boxes[:, 2:] - one.boxes[:, :2] for one in objects)]
    )
    if not len(sizes):
        return broken
    for _ in range(count):
        image = int(rng.integers(len(objects)))
        one = broken.objects[image]
        for _ in range(TRIES):
            size = sizes[rng.integers(len(sizes))]
            corner = rng.uniform(0, 1, 2) * (1 - size)
            box = np.concatenate([corner, corner + size])[None]  # (1, 4)
            if _boxes.iou(box, one.boxes).max(initial=0) < MAX_IOU:
                break
        broken.objects[image] = GroundTruth(
            np.concatenate([one.boxes, box]),
            np.append(one.class_ids, rng.integers(num_classes)),
            np.append(one.difficult, False),
        )
        kinds = broken.kinds[image]
        broken.kinds[image] = np.append(kinds, KINDS.index(SPURIOUS))
    return broken
