"""What detections say about labels: features of each object, and of each place without.

It works on arrays. Detections of all scores count, so that those of every class at a
box are known: non-maximum suppression by class keeps one of each.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.average_precision import GroundTruth

MIN_SCORE, MAX_SCORE = 0.01, 0.99
"""Scores outside count as these; an object without a detection has the lowest."""
OVERLAPS = (0.3, 0.5, 0.7)
"""IoUs with an object from which on detections count for it."""
MIN_OVERLAP = 0.15
"""A detection of its class that overlaps an object less does not locate it."""
IS_LABELED = 0.5
"""A detection that overlaps an object at least so much is no place without object."""
MIN_PLACE_SCORE = 0.05
"""Detections of lower scores are no places."""
MIN_AREA = 1e-4
"""Smaller areas, relative to the image, count as this."""


class Evidence(NamedTuple):
    """Features of the objects of some images, and of places without an object.

    Difficult objects have none, but a detection that overlaps one is no place.

    Attributes:
        objects: (M, 13) features of the objects
        object_rows: (M, 4) image, object in it, its best detection of its class, and
            that of another class; -1 where there is none
        places: (P, 7) features of the places
        place_rows: (P, 2) image, detection in it
    """

    objects: Array
    object_rows: Array
    places: Array
    place_rows: Array


def gather(found: Sequence[Detections], objects: Sequence[GroundTruth]) -> Evidence:
    """Returns what the detections of some images say about their objects.

    Args:
        found: detections, by image
        objects: labels, by image
    """
    of_objects, of_places = [np.zeros((0, 13))], [np.zeros((0, 7))]
    object_rows, place_rows = [np.zeros((0, 4), int)], [np.zeros((0, 2), int)]
    for image, (one, truth) in enumerate(zip(found, objects, strict=True)):
        overlaps = _boxes.evaluation_iou(truth.boxes, one.boxes)  # (M, K)
        features, rows = _objects(one, truth, overlaps)
        of_objects.append(features)
        object_rows.append(np.insert(rows, 0, image, axis=1))
        features, rows = _places(one, truth, overlaps)
        of_places.append(features)
        place_rows.append(np.stack([np.full(len(rows), image), rows], axis=1))
    return Evidence(
        *(np.concatenate(of_objects), np.concatenate(object_rows)),
        *(np.concatenate(of_places), np.concatenate(place_rows)),
    )


def _objects(
    found: Detections, truth: GroundTruth, overlaps: Array
) -> tuple[Array, Array]:
    """Returns features (M, 13) and rows (M, 3) of an image's objects."""
    scores = np.asarray(found.scores, float)
    is_own = truth.class_ids[:, None] == found.class_ids[None]  # (M, K)
    columns = [
        _log_odds(_best(scores, is_meant & (overlaps >= overlap)))
        for is_meant in (np.ones_like(is_own), is_own, ~is_own)
        for overlap in OVERLAPS
    ]
    is_nearest = np.zeros_like(is_own)
    if is_own.size:
        is_nearest[overlaps.argmax(axis=0), np.arange(len(scores))] = True
    own = _argbest(scores, is_own & is_nearest & (overlaps > MIN_OVERLAP))
    other = _argbest(scores, ~is_own & (overlaps >= IS_LABELED))
    has_own, every = own >= 0, np.arange(len(own))
    own_score, own_overlap = np.zeros(len(own)), np.full(len(own), 0.5)
    own_score[has_own] = scores[own[has_own]]
    own_overlap[has_own] = overlaps[every[has_own], own[has_own]]
    among = _boxes.evaluation_iou(truth.boxes, truth.boxes)
    among[every, every] = 0
    columns += [_log_odds(own_score), own_overlap]
    columns += [_log_area(truth.boxes), among.max(axis=1, initial=0)]
    rows = np.stack([every, own, other], axis=1)
    wanted = ~np.asarray(truth.difficult, bool)
    return np.stack(columns, axis=1)[wanted], rows[wanted]


def _places(
    found: Detections, truth: GroundTruth, overlaps: Array
) -> tuple[Array, Array]:
    """Returns features (P, 7) and rows (P,) of an image's places without object."""
    scores = np.asarray(found.scores, float)
    labeled = overlaps.max(axis=0, initial=0)  # (K,)
    among = _boxes.evaluation_iou(found.boxes, found.boxes)
    order = np.argsort(-scores, kind="stable")
    rank = np.empty(len(scores), int)
    rank[order] = np.arange(len(scores))
    is_better = rank[None] < rank[:, None]  # (K, K)
    better = np.where(is_better, among, 0).max(axis=1, initial=0)
    explained = is_better & (labeled >= IS_LABELED)[None]
    beside = np.where(explained, among, 0).max(axis=1, initial=0)
    shared = _intersections(truth.boxes, found.boxes)  # (M, K)
    of_found = shared / np.maximum(_boxes.area(found.boxes), MIN_AREA)[None]
    of_truth = shared / np.maximum(_boxes.area(truth.boxes), MIN_AREA)[:, None]
    columns = [
        *(_log_odds(scores), labeled, better, beside),
        *(of_found.max(axis=0, initial=0), of_truth.max(axis=0, initial=0)),
        _log_area(found.boxes),
    ]
    is_place = (labeled < IS_LABELED) & (better <= IS_LABELED)
    rows = np.flatnonzero(is_place & (scores >= MIN_PLACE_SCORE))
    return np.stack(columns, axis=1)[rows], rows


def _best(scores: Array, is_meant: Array) -> Array:
    """Returns the best of some scores (K,) in each row of a mask (M, K)."""
    return np.where(is_meant, scores[None], 0).max(axis=1, initial=0)


def _argbest(scores: Array, is_meant: Array) -> Array:
    """Returns where `_best` is; -1 in rows without."""
    if not is_meant.size:
        return np.full(len(is_meant), -1)
    best = np.where(is_meant, scores[None], -1).argmax(axis=1)
    return np.where(is_meant.any(axis=1), best, -1)


def _log_odds(scores: Array) -> Array:
    scores = np.clip(scores, MIN_SCORE, MAX_SCORE)
    return np.log(scores / (1 - scores))


def _log_area(boxes: Array) -> Array:
    return np.log(np.maximum(_boxes.area(boxes), MIN_AREA))


def _intersections(boxes_a: Array, boxes_b: Array) -> Array:
    """Returns the areas that boxes (M, 4) and (K, 4) share: (M, K)."""
    low = np.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    high = np.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    return _boxes.area(np.concatenate([low, high], axis=-1))
