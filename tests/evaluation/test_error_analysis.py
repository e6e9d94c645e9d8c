"""Each error type, worked by hand."""

import numpy as np
import pytest

from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import error_analysis as errors
from yolov1_fo.evaluation.average_precision import GroundTruth

CAT, DOG, CAR = range(3)
SIMILAR = errors.similarity(["cat", "dog", "car"])


def box(left, width=0.2):
    return [left, 0.0, left + width, 0.2]


def found(*rows):
    """Rows of (box, score, class id)."""
    boxes, scores, class_ids = zip(*rows, strict=True) if rows else ([], [], [])
    return Detections(
        np.array(boxes).reshape(-1, 4), np.array(scores), np.array(class_ids, int)
    )


def objects(*rows):
    """Rows of (box, class id, difficult)."""
    boxes, class_ids, difficult = zip(*rows, strict=True) if rows else ([], [], [])
    return GroundTruth(
        np.array(boxes).reshape(-1, 4),
        np.array(class_ids, int),
        np.array(difficult, bool),
    )


def names(kinds):
    return [["-" if n < 0 else errors.ERROR_TYPES[n] for n in one] for one in kinds]


def test_every_error_type():
    truth = [
        objects((box(0.0), CAT, 0), (box(0.3), DOG, 0), (box(0.6), CAR, 0)),
        objects(*((box(0.3 * n), CAT, 0) for n in range(3)), (box(0.0), DOG, 0)),
    ]
    detections = [
        found(
            (box(0.0), 0.9, CAT),  # the cat itself
            (box(0.1), 0.8, CAT),  # half outside it: inter .1 of union .3, 1/3
            (box(0.3), 0.7, CAT),  # the dog, which is similar
            (box(0.6), 0.6, CAT),  # the car, which is not
            (box(0.3), 0.5, DOG),
            (box(0.8), 0.4, CAR),  # touches the car's edge: 0
        ),
        found(
            (box(0.0), 0.1, CAT), (box(0.0), 0.2, DOG)
        ),  # the fifth detection of four cats
    ]
    assert names(errors.classify(detections, truth, SIMILAR)) == [
        ["correct", "localization", "similar", "other", "correct", "background"],
        ["-", "correct"],
    ]
    types = errors.classify(detections, truth, SIMILAR)
    counted = errors.count_by_name(types, detections, ["cat", "dog", "car"])
    rows = [[1, 1, 1, 1, 0], [2, 0, 0, 0, 0], [0, 0, 0, 0, 1]]
    assert [list(row.values()) for row in counted.values()] == rows
    assert list(counted["car"]) == list(errors.ERROR_TYPES)


def test_only_the_first_detection_of_an_object_is_correct():
    truth = [objects((box(0.0), CAT, 0), (box(0.5), CAT, 0))]
    detections = [found((box(0.0), 0.8, CAT), (box(0.01), 0.9, CAT))]
    assert names(errors.classify(detections, truth, SIMILAR)) == [
        ["localization", "correct"]
    ]


def test_difficult_objects_are_ignored():
    truth = [objects((box(0.0), CAT, 1), (box(0.5), CAT, 0))]
    detections = [
        found(
            (box(0.0), 0.9, CAT),
            (box(0.5), 0.8, CAT),  # the first of one
            (box(0.5), 0.7, CAT),
        )
    ]
    assert names(errors.classify(detections, truth, SIMILAR)) == [["-", "correct", "-"]]


def test_the_iou_threshold():
    truth = [objects((box(0.0), CAT, 0))]
    detections = [found((box(0.08), 0.9, CAT))]  # inter .12 of union .28: 3/7
    assert names(errors.classify(detections, truth, SIMILAR)) == [["localization"]]
    assert names(errors.classify(detections, truth, SIMILAR, 0.4)) == [["correct"]]


def test_objects_of_classes_that_are_not_evaluated():
    truth = [objects((box(0.0), -1, 0), (box(0.5), CAR, 0))]
    detections = [found((box(0.0), 0.9, CAR))]
    assert names(errors.classify(detections, truth, SIMILAR)) == [["other"]]


@pytest.mark.parametrize(
    ("detections", "truth", "expected"),
    [
        ([], [], []),
        ([found()], [objects()], [[]]),
        ([found((box(0.0), 0.9, CAT))], [objects()], [["-"]]),
        ([found()], [objects((box(0.0), CAT, 0))], [[]]),
        (
            [found((box(0.0), 0.9, CAT)), found()],
            [objects(), objects((box(0.0), CAT, 0))],
            [["background"], []],
        ),
    ],
)
def test_empty(detections, truth, expected):
    assert names(errors.classify(detections, truth, SIMILAR)) == expected


def test_similar_classes():
    assert SIMILAR.tolist() == [
        [False, True, False],
        [True, False, False],
        [False, False, False],
    ]
    own = errors.similarity(["apple", "pear", "nut"], [("apple", "pear")])
    assert own[0].tolist() == [False, True, False]
    assert errors.similarity(["a", "b"], []).tolist() == [[False, False]] * 2


def test_inclusive_corners_measure_iou_in_pixels():
    """Widths of 12, 10 shared: IoU 10 / 14, or 11 / 15 with inclusive corners."""
    truth = [objects(([0, 0, 12, 10], CAT, 0))]
    detections = [found(([2, 0, 14, 10], 0.9, CAT))]  # union 0 to 14
    assert names(errors.classify(detections, truth, SIMILAR, 0.72)) == [
        ["localization"]
    ]
    assert names(errors.classify(detections, truth, SIMILAR, 0.72, border=1)) == [
        ["correct"]
    ]
