import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolov1_fo.evaluation import operating_point as op
from yolov1_fo.evaluation.average_precision import Curve


def curve(pairs, objects):
    """Returns the curve of (score, is a true positive), in any order."""
    pairs = sorted(pairs, key=lambda pair: -pair[0])
    scores, is_true = np.array(pairs, float).reshape(-1, 2).T
    return Curve.of(scores, is_true.astype(bool), objects)


def brute_force(pairs, objects, thresh):
    """Returns precision, recall and F1 of the pairs that reach a threshold."""
    shown = [is_true for score, is_true in pairs if score >= thresh]
    precision = sum(shown) / len(shown) if shown else math.nan
    recall = sum(shown) / objects if objects else math.nan
    total = len(shown) + objects
    return precision, recall, 2 * sum(shown) / total if total else math.nan


@st.composite
def detections(draw):
    """Pairs with many equal scores, and a number of objects that allows them."""
    scores = st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.8, 0.9])
    pairs = draw(st.lists(st.tuples(scores, st.booleans()), max_size=30))
    return pairs, sum(is_true for _, is_true in pairs) + draw(st.integers(0, 20))


@given(detections(), st.floats(0, 1))
def test_a_point_equals_that_of_brute_force(made, thresh):
    pairs, objects = made
    point = op.at(curve(pairs, objects), thresh)
    expected = brute_force(pairs, objects, thresh)
    np.testing.assert_allclose(point[1:4], expected, rtol=1e-12)
    assert point.tp + point.fn == objects
    assert point.tp + point.fp == sum(score >= thresh for score, _ in pairs)


@given(detections())
def test_a_recommended_threshold_describes_itself(made):
    pairs, objects = made
    one = curve(pairs, objects)
    point = op.recommend(one)
    np.testing.assert_equal(op.at(one, point.thresh), point)
    stored = json.loads(json.dumps(point.to_json(), allow_nan=False))
    np.testing.assert_equal(op.OperatingPoint.from_json(stored), point)


@given(detections())
def test_of_few_objects_the_highest_point_is_recommended(made):
    pairs, objects = made
    if objects >= op.MIN_OBJECTS or not any(is_true for _, is_true in pairs):
        return
    best = max(brute_force(pairs, objects, score)[2] for score, _ in pairs)
    assert op.recommend(curve(pairs, objects)).f1 == pytest.approx(best, rel=1e-12)


def test_a_threshold_worked_by_hand():
    # F1 of the first 1, 2, 3, 4: 2/4, 4/5, 4/6, 4/7; the threshold is between 0.7, 0.4
    pairs = [(0.9, True), (0.7, True), (0.4, False), (0.3, False)]
    point = op.recommend(curve(pairs, 3))
    assert point == op.OperatingPoint(
        pytest.approx(0.55), 1, pytest.approx(2 / 3), pytest.approx(0.8), 2, 0, 1
    )
    assert str(point) == (
        "F1 0.80 at a confidence of at least 0.55: precision 1.00, recall 0.67"
    )


def test_equal_scores_are_not_separated():
    pairs = [(0.5, True), (0.5, True), (0.5, False), (0.5, False), (0.2, False)]
    point = op.recommend(curve(pairs, 2))
    assert (point.tp, point.fp) == (2, 2)
    assert 0.2 < point.thresh < 0.5


def test_neighboring_numbers_are_separated():
    low = 0.5
    high = np.nextafter(low, 1)
    point = op.recommend(curve([(high, True), (low, False)], 1))
    assert (point.tp, point.fp) == (1, 0)


@pytest.mark.parametrize(
    ("pairs", "objects", "f1"),
    [
        ([], 0, math.nan),
        ([], 3, 0),
        ([(0.5, False)], 0, math.nan),
        ([(0.5, False)], 2, 0),
    ],
)
def test_without_true_positives_nothing_is_recommended(pairs, objects, f1):
    point = op.recommend(curve(pairs, objects))
    expected = (math.nan, math.nan, 0 if objects else math.nan, f1, 0, 0, objects)
    np.testing.assert_equal(tuple(point), expected)
    assert str(point) == "F1 0: no detection is a true positive"
    assert json.dumps(point.to_json(), allow_nan=False)
    np.testing.assert_equal(op.OperatingPoint.from_json(point.to_json()), point)


def test_one_detection_is_its_own_threshold():
    assert op.recommend(curve([(0.3, True)], 1))[:4] == (0.3, 1, 1, 1)


def test_the_widest_gap_is_found_where_f1_is_flat():
    """Of a perfect detector, which finds 200 objects above 0.8 and noise below 0.2."""
    rng = np.random.default_rng(1)
    pairs = [(score, True) for score in rng.uniform(0.8, 1, 200)]
    pairs += [(score, False) for score in rng.uniform(0, 0.2, 2000)]
    point = op.recommend(curve(pairs, 200))
    assert point.f1 == 1
    assert point.thresh == pytest.approx(0.5, abs=0.01)


def test_the_last_detection_has_no_advantage():
    pairs = [(0.9 - 0.05 * rank, True) for rank in range(10)] + [(0.02, False)]
    assert op.recommend(curve(pairs, 10)).f1 == 1


def synthetic(rng, objects):
    """A detector that finds most objects, with noise of low scores."""
    found = rng.random(objects) < 0.8
    true = 1 / (1 + np.exp(-rng.normal(1.0, 1.3, found.sum())))
    false = 1 / (1 + np.exp(-rng.normal(-1.5, 1.2, 3 * objects)))
    pairs = [(score, True) for score in true] + [(score, False) for score in false]
    return curve(pairs, objects)


def all_f1(one):
    """Returns F1 at each score of a curve without equal scores."""
    return 2 * np.cumsum(one.is_true) / (np.arange(1, 1 + one.detections) + one.objects)


def test_f1_on_a_held_out_half_is_nearly_the_best_there():
    rng = np.random.default_rng(3)
    lost, lost_by_highest = [], []
    for _ in range(50):
        mine, other = synthetic(rng, 500), synthetic(rng, 500)
        best = all_f1(other).max()
        lost.append(best - op.at(other, op.recommend(mine).thresh).f1)
        highest = mine.scores[all_f1(mine).argmax()]
        lost_by_highest.append(best - op.at(other, highest).f1)
    assert max(lost) < 0.03
    assert np.mean(lost) < np.mean(lost_by_highest)


def test_classes_have_a_threshold_of_their_own_if_they_have_objects():
    many = curve([(0.9, True)] * 10 + [(0.1, False)] * 5, 10)
    few = curve([(0.4, True)] * 9 + [(0.2, False)] * 5, 9)
    wrong = curve([(0.8, False)] * 3, 30)
    curves = [many, few, wrong, curve([], 0)]
    overall = op.recommend(op.pool(curves))
    points, is_own = op.by_class(curves, overall)
    assert is_own == [True, False, False, False]
    assert points[0].thresh == pytest.approx(0.5)
    assert {point.thresh for point in points[1:]} == {overall.thresh}
    assert points[1] == op.at(few, overall.thresh)
    assert op.class_threshs(
        curves, ["a", "b", "c", "d"], op.recommend(op.pool(curves))
    ) == {"a": points[0].thresh}


def test_only_the_largest_classes_have_a_threshold_of_their_own():
    curves = [
        curve([(0.9, True)] * 10, 10 + (number == 7))
        for number in range(op.MAX_CLASSES + 5)
    ]
    names = [f"class {number}" for number in range(len(curves))]
    own = op.class_threshs(curves, names, op.recommend(op.pool(curves)))
    assert len(own) == op.MAX_CLASSES
    assert "class 7" in own
    assert names[-1] not in own


@given(st.lists(detections(), max_size=4))
def test_pooled_classes_are_all_detections_together(classes):
    pooled = op.pool([curve(*one) for one in classes])
    pairs = [pair for one in classes for pair in one[0]]
    expected = curve(pairs, sum(objects for _, objects in classes))
    for thresh in (0.0, 0.2, 0.5, 1.0):
        np.testing.assert_equal(op.at(pooled, thresh), op.at(expected, thresh))


def test_the_summary_is_compact_json():
    rng = np.random.default_rng(4)
    curves = [synthetic(rng, 200), synthetic(rng, 5)]
    stored = json.loads(json.dumps(op.summary(curves, ["a.b", "$c"], 0.5)))
    assert set(stored) == {
        *op.OperatingPoint._fields,
        *("iou_thresh", "class_threshs", "curve"),
    }
    assert list(stored["class_threshs"]) == ["a.b"]
    assert {len(values) for values in stored["curve"].values()} == {101}
    pooled = op.pool(curves)
    assert stored["curve"]["thresh"][31] == 0.31
    assert stored["curve"]["recall"][31] == pytest.approx(
        op.at(pooled, 0.31).recall, abs=1e-4
    )
    assert stored["curve"]["precision"][100] is None  # nothing is shown
    assert op.OperatingPoint.from_json(stored) == op.recommend(pooled)
