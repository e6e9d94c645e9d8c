"""What is right among detections: counts and confusion matrices worked by hand."""

import math

import numpy as np
import pytest

from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import coco, operating_point, outcomes
from yolov1_fo.evaluation.average_precision import GroundTruth

LEFT, RIGHT = [0.0, 0.0, 0.4, 1.0], [0.6, 0.0, 1.0, 1.0]
MOST_OF_LEFT = [0.0, 0.0, 0.4, 0.6]  # IoU 0.6 with LEFT


def found(*rows):
    """Detections of rows (box, score, class id)."""
    rows = sorted(rows, key=lambda row: -row[1])
    boxes, scores, ids = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32),
        np.array(ids, np.int32),
    )


def truth(*rows):
    """Objects of rows (box, class id) or (box, class id, difficult)."""
    padded = [(*row, False)[:3] for row in rows]
    boxes, ids, difficult = zip(*padded, strict=True) if rows else ((), (), ())
    return GroundTruth(
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(ids, np.int32),
        np.array(difficult, bool),
    )


def outcome(detections, objects, threshs=(0.0, 0.0, 0.0)):
    return outcomes.outcome(detections, objects, np.array(threshs), 0.5)


def test_a_duplicate_is_a_false_positive():
    one = outcome(
        found((LEFT, 0.9, 0), (MOST_OF_LEFT, 0.8, 0)), truth((LEFT, 0), (RIGHT, 0))
    )
    assert (one.tp, one.fp, one.fn) == (1, 1, 1)
    assert one.is_true.tolist() == [True, False]
    assert one.is_missed.tolist() == [False, True]
    assert one.f1 == 0.5  # 2 / (2 + 1 + 1)


def test_each_class_has_its_threshold():
    detections = found((LEFT, 0.5, 0), (RIGHT, 0.5, 1))
    one = outcome(detections, truth((LEFT, 0), (RIGHT, 1)), (0.5, 0.6, 0.0))
    assert one.found.class_ids.tolist() == [0]  # a score that equals it is shown
    assert (one.tp, one.fp, one.fn) == (1, 0, 1)


def test_a_difficult_object_is_neither_found_nor_missed():
    one = outcome(found((LEFT, 0.9, 0)), truth((LEFT, 0, True), (RIGHT, 0, True)))
    assert (one.tp, one.fp, one.fn) == (0, 0, 0)
    assert one.is_ignored.tolist() == [True]
    assert math.isnan(one.f1)


def test_nothing_at_all():
    one = outcome(found(), truth())
    assert (one.tp, one.fp, one.fn) == (0, 0, 0)
    assert (
        outcomes.confusion_matrix([one], 2, 0.5).tolist() == np.zeros((3, 3)).tolist()
    )
    assert outcomes.confusion_matrix([], 1, 0.5).tolist() == [[0, 0], [0, 0]]


CASES = {
    "right": (found((LEFT, 0.9, 1)), truth((LEFT, 1)), {(1, 1): 1}),
    "another class": (found((LEFT, 0.9, 2)), truth((LEFT, 1)), {(1, 2): 1}),
    "nowhere": (found((RIGHT, 0.9, 2)), truth((LEFT, 1)), {(1, 3): 1, (3, 2): 1}),
    "a second one": (
        *(found((LEFT, 0.9, 1), (MOST_OF_LEFT, 0.8, 1)), truth((LEFT, 1))),
        {(1, 1): 1, (3, 1): 1},
    ),
    "right, and another class": (
        # The object was found: the other detection is on no further object.
        *(found((LEFT, 0.9, 2), (MOST_OF_LEFT, 0.8, 1)), truth((LEFT, 1))),
        {(1, 1): 1, (3, 2): 1},
    ),
    "two confused with one": (
        *(found((LEFT, 0.9, 2), (MOST_OF_LEFT, 0.8, 0)), truth((LEFT, 1))),
        {(1, 2): 1, (3, 0): 1},  # the higher score
    ),
    "difficult": (found((LEFT, 0.9, 1)), truth((LEFT, 1, True)), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_confusion_matrix_worked_by_hand(case):
    detections, objects, cells = CASES[case]
    expected = np.zeros((4, 4), int)
    for place, count in cells.items():
        expected[place] = count
    one = outcome(detections, objects)
    matrix = outcomes.confusion_matrix([one], 3, 0.5)
    np.testing.assert_array_equal(matrix, expected)


def random_split(rng, images=40, classes=3):
    def boxes(count):
        low = rng.uniform(0, 0.6, (count, 2))
        size = rng.uniform(0.1, 0.4, (count, 2))
        return np.hstack([low, low + size]).astype(np.float32)

    detected, objects = [], []
    for _ in range(images):
        real = boxes(rng.integers(0, 5))
        ids = rng.integers(0, classes, len(real)).astype(np.int32)
        objects.append(GroundTruth(real, ids, rng.uniform(size=len(real)) < 0.1))
        guesses = np.concatenate([real + rng.normal(0, 0.03, real.shape), boxes(4)])
        scores = np.sort(rng.uniform(size=len(guesses)))[::-1].astype(np.float32)
        guessed = rng.integers(0, classes, len(guesses)).astype(np.int32)
        guessed[: len(ids)] = np.where(
            rng.uniform(size=len(ids)) < 0.7, ids, guessed[: len(ids)]
        )
        detected.append(Detections(guesses.astype(np.float32), scores, guessed))
    return detected, objects


def test_counts_and_sums_are_those_of_the_operating_points(rng):
    detected, objects = random_split(rng)
    curves = coco.curves(detected, objects, 3, 0.5)
    threshs = np.array([0.3, 0.5, 0.4])
    each = [
        outcomes.outcome(*pair, threshs, 0.5)
        for pair in zip(detected, objects, strict=True)
    ]
    matrix = outcomes.confusion_matrix(each, 3, 0.5)
    points = [
        operating_point.at(curve, thresh)
        for curve, thresh in zip(curves, threshs, strict=True)
    ]
    assert sum(one.tp for one in each) == sum(point.tp for point in points) > 10
    assert sum(one.fp for one in each) == sum(point.fp for point in points) > 10
    assert sum(one.fn for one in each) == sum(point.fn for point in points) > 10
    assert np.diag(matrix)[:3].tolist() == [point.tp for point in points]
    assert matrix[:3].sum(axis=1).tolist() == [curve.objects for curve in curves]
    shown = [point.tp + point.fp for point in points]
    assert matrix[:, :3].sum(axis=0).tolist() == shown
    assert (matrix[:3, :3].sum() - np.trace(matrix)) > 0  # some are confused


def test_thresholds_of_a_stored_point():
    point = {"thresh": 0.25, "class_threshs": {"b": 0.5}}
    assert outcomes.thresholds(point, ["a", "b"]).tolist() == [0.25, 0.5]
    nothing = outcomes.thresholds({"thresh": None}, ["a"])
    assert nothing.tolist() == [math.inf]
