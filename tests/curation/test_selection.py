"""Which images to label next, on arrays."""

import numpy as np
import pytest

from yolov1_fo.curation import selection
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.thresholds import Thresholds

NONE = np.zeros((0, 2))


def found(*scores, class_ids=None):
    ids = np.zeros(len(scores), int) if class_ids is None else np.array(class_ids)
    return Detections(np.zeros((len(scores), 4)), np.array(scores, float), ids)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], 0),
        ([0.4], 1 / 3),  # at the threshold
        ([0.7], 0.5 / 3),  # half way to 1
        ([0.2], 0.5 / 3),  # half way to 0
        ([1, 0], 0),
        ([0.4, 0.4, 0.4], 1),
        ([0.4, 0.4, 0.4, 0.7, 0.2], 1),  # the three most doubtful count
    ],
)
def test_doubt_is_highest_at_the_threshold(scores, expected):
    limits = Thresholds(0.4, {})
    assert selection.doubt(found(*scores), ["cat"], limits) == pytest.approx(expected)


def test_each_class_has_its_own_threshold():
    limits = Thresholds(0.4, {"dog": 0.8})
    one = found(0.8, 0.8, class_ids=[0, 1])
    # cat: 0.2 / 0.6, dog: 1
    doubt = selection.doubt(one, ["cat", "dog"], limits)
    assert doubt == pytest.approx((1 / 3 + 1) / 3)


@pytest.mark.parametrize("thresh", [0.0, 1.0])
def test_an_extreme_threshold_is_no_division_by_zero(thresh):
    doubt = selection.doubt(found(0.0, 0.5, 1.0), ["cat"], Thresholds(thresh, {}))
    assert 0 <= doubt <= 1


def test_the_most_doubtful_image_is_first_and_the_next_one_differs():
    doubts = np.array([0.5, 0.9, 0.8, 0.4])
    embeddings = np.array([[0, 1], [1, 0], [1, 0.01], [-1, 0]])
    # Images 1 and 2 are nearly the same; 3 is opposite: 2 * 0.46 > sqrt(2) * 0.55.
    assert selection.choose(doubts, embeddings, NONE, 3) == [1, 3, 0]
    assert selection.choose(doubts, embeddings, NONE, 9) == [1, 3, 0, 2]


def test_images_like_labeled_ones_come_last():
    doubts = np.array([0.9, 0.5])
    embeddings = np.array([[2.0, 0.0], [0.0, 3.0]])
    assert selection.choose(doubts, embeddings, NONE, 1) == [0]
    assert selection.choose(doubts, embeddings, np.array([[1.0, 0.0]]), 1) == [1]


def test_of_equal_images_the_first_is_chosen():
    doubts, embeddings = np.full(4, 0.5), np.ones((4, 2))
    assert selection.choose(doubts, embeddings, NONE, 3) == [0, 1, 2]


def test_images_without_features_or_doubt_can_be_chosen():
    zeros = np.zeros((3, 2))
    assert selection.choose(np.zeros(3), zeros, zeros, 2) == [0, 1]
    assert selection.choose(np.zeros(0), NONE, NONE, 2) == []
