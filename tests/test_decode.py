import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolov1_fo import boxes, decode, grid
from yolov1_fo.config import GridConfig

CONFIG = GridConfig(S=2, B=1, C=2)
OPTIONS = {"confidence_thresh": 0.01, "iou_thresh": 0.5, "max_detections": 100}


def output(class_probs, confidence, xywh):
    """Returns the output for four cells, row by row."""
    cells = grid.Cells(
        np.reshape(np.float32(class_probs), (1, 2, 2, 2)),
        np.reshape(np.float32(confidence), (1, 2, 2, 1)),
        np.reshape(np.float32(xywh), (1, 2, 2, 1, 4)),
    )
    return grid.join(cells)


MIDDLE = (0.5, 0.5, 0.5, 0.5)  # the middle of a cell, a quarter of the image wide


def test_score_is_confidence_times_class():
    y = output([(0.9, 0.1), (0, 0), (0, 0), (0, 0)], [0.5, 0, 0, 0], [MIDDLE] * 4)
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    np.testing.assert_allclose(found.scores, [0.45, 0.05], atol=1e-6)
    assert found.class_ids.tolist() == [0, 1]
    # the centre of cell (0, 0) is at 0.25
    np.testing.assert_allclose(found.boxes[0], [0.125, 0.125, 0.375, 0.375], atol=1e-6)


@pytest.mark.parametrize(("darknet", "count"), [(False, 1), (True, 0)])
def test_a_score_at_the_threshold_counts_but_not_in_darknets_way(darknet, count):
    y = output([(0.5, 0), (0, 0), (0, 0), (0, 0)], [0.5, 0, 0, 0], [MIDDLE] * 4)
    options = {**OPTIONS, "confidence_thresh": 0.25}  # 0.5 x 0.5, exactly
    (found,) = decode.decode(y, CONFIG, **options, darknet=darknet)
    assert len(found.scores) == count


def test_two_negatives_make_no_score():
    y = output([(-0.9, 0.0)] * 4, [-0.9] * 4, [MIDDLE] * 4)
    assert not len(decode.decode(y, CONFIG, **OPTIONS)[0].scores)


def test_scores_and_boxes_stay_in_range():
    y = output([(1.7, 0)] * 4, [1.4] * 4, [(0.5, 0.5, 1.5, 0.5)] * 4)
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    assert found.scores.max() == 1
    assert found.boxes.min() == 0
    assert found.boxes.max() == 1


def test_threshold_keeps_what_equals_it():
    y = output([(1, 0), (1, 0), (0, 0), (0, 0)], [0.5, 0.25, 0, 0], [MIDDLE] * 4)
    options = {**OPTIONS, "confidence_thresh": 0.5}
    assert decode.decode(y, CONFIG, **options)[0].scores.tolist() == [0.5]


def test_cap_keeps_the_best():
    y = output([(1, 0)] * 4, [0.2, 0.8, 0.4, 0.6], [MIDDLE] * 4)
    (found,) = decode.decode(y, CONFIG, **{**OPTIONS, "max_detections": 2})
    np.testing.assert_allclose(found.scores, [0.8, 0.6])


def test_filter_keeps_wanted_classes():
    y = output([(0.9, 0.8)] * 4, [1.0] * 4, [MIDDLE] * 4)
    (found,) = decode.decode(y, CONFIG, **OPTIONS, class_ids=[1])
    assert set(found.class_ids.tolist()) == {1}


# Three boxes side by side: the first and second overlap by 0.6 / 1.0, the second and
# third too, the first and third by 0.2 / 1.4.
ROW = np.float32([[[0.0, 0, 0.4, 1], [0.1, 0, 0.5, 1], [0.2, 0, 0.6, 1]]])


@pytest.mark.parametrize(
    ("scores", "iou_thresh", "kept"),
    [
        ((0.9, 0.8, 0.7), 0.5, (0.9, 0, 0.7)),  # the third outlives its suppressor
        ((0.8, 0.9, 0.7), 0.5, (0, 0.9, 0)),
        ((0.9, 0.8, 0.7), 0.6, (0.9, 0.8, 0.7)),  # an equal overlap is allowed
        ((0.9, 0.8, 0.7), 1.0, (0.9, 0.8, 0.7)),
        ((0.9, 0.8, 0.7), 0.0, (0.9, 0, 0)),
        ((0.9, 0.9, 0.9), 0.5, (0.9, 0, 0.9)),  # of equals the first stays
        ((0, 0, 0), 0.5, (0, 0, 0)),
    ],
)
def test_suppress_is_greedy(scores, iou_thresh, kept):
    scores = np.float32(scores)[None, :, None]
    if iou_thresh == 0.6:
        iou_thresh = float(boxes.iou(ROW, ROW)[0, 0, 1])
    result = decode.suppress(ROW, scores, iou_thresh)
    np.testing.assert_array_equal(result[0, :, 0], np.float32(kept))


def test_classes_suppress_each_other_only_if_asked():
    scores = np.float32([[[0.9, 0.1], [0.2, 0.8], [0, 0]]])
    by_class = decode.suppress(ROW, scores, 0.5)
    agnostic = decode.suppress(ROW, scores, 0.5, class_agnostic=True)
    np.testing.assert_array_equal(by_class[0] > 0, [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(agnostic[0] > 0, [[1, 0], [0, 0], [0, 0]])


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.5, 0.8]))
def test_suppress_equals_the_plain_loop(seed, iou_thresh):
    rng = np.random.default_rng(seed)
    some = np.sort(rng.uniform(0, 1, (2, 9, 2, 2)), axis=2).reshape(2, 9, 4)
    scores = np.round(rng.uniform(-0.5, 1, (2, 9, 3)).clip(0), 1)  # with ties
    expected = np.zeros_like(scores)
    for n in range(2):
        for c in range(3):
            left = list(np.argsort(-scores[n, :, c], kind="stable"))
            while left:
                best = left.pop(0)
                expected[n, best, c] = scores[n, best, c]
                overlaps = boxes.iou(some[n], some[n])[best]
                left = [i for i in left if overlaps[i] <= iou_thresh]
    np.testing.assert_array_equal(decode.suppress(some, scores, iou_thresh), expected)


def test_one_image_alone_equals_itself_in_a_batch(rng):
    config = GridConfig(S=4, B=2, C=3)
    y = rng.normal(0.3, 0.4, (5, grid.outputs(config)))
    together = decode.decode(y, config, **OPTIONS)
    for row, found in enumerate(together):
        (alone,) = decode.decode(y[row : row + 1], config, **OPTIONS)
        for a, b in zip(found, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def test_no_images_give_nothing():
    assert decode.decode(np.zeros((0, grid.outputs(CONFIG))), CONFIG, **OPTIONS) == []


AROUND = {
    "left of the image": (-3.0, 0.5, 0.5, 0.5),
    "below the image": (0.5, 9.0, 0.5, 0.5),
    "beside its corner": (-0.5, -0.5, 0.5, 0.5),  # touches it: from -0.5 to 0
    "without width": (0.5, 0.5, 0.0, 0.5),
    "without height": (0.5, 0.5, 0.5, 0.0),
}


@pytest.mark.parametrize("box", AROUND.values(), ids=AROUND)
def test_a_box_without_area_in_the_image_is_none_but_in_darknets_way(box):
    y = output([(0.9, 0)] * 4, [1.0] * 4, [box, MIDDLE, MIDDLE, MIDDLE])
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    assert len(found.scores) == 3
    assert boxes.area(found.boxes).min() > 0
    (found,) = decode.decode(y, CONFIG, **OPTIONS, darknet=True)
    assert len(found.scores) == 4


def test_without_roots_a_negative_size_is_none():
    config = GridConfig(S=2, B=1, C=2, sqrt=False)
    y = output([(0.9, 0)] * 4, [1.0] * 4, [(0.5, 0.5, -0.5, 0.5), *[MIDDLE] * 3])
    assert len(decode.decode(y, config, **OPTIONS)[0].scores) == 3


def test_the_smallest_box_with_area_stays():
    y = output([(0.9, 0)] * 4, [1.0] * 4, [(0.5, 0.5, 1e-3, 1e-3)] * 4)  # a millionth
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    assert len(found.scores) == 4
    assert boxes.area(found.boxes).min() > 0


@pytest.mark.parametrize("darknet", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("where", ["class_probs", "confidence", "boxes"])
def test_what_is_not_finite_is_no_detection(where, bad, darknet):
    cells = grid.Cells(
        np.full((1, 2, 2, 2), 0.9, np.float32),
        np.full((1, 2, 2, 1), 0.9, np.float32),
        np.tile(np.float32(MIDDLE), (1, 2, 2, 1, 1)),
    )
    getattr(cells, where)[0, 0, 0, ...] = bad
    (found,) = decode.decode(grid.join(cells), CONFIG, **OPTIONS, darknet=darknet)
    assert np.isfinite(found.scores).all()
    assert np.isfinite(found.boxes).all()
    if not np.isfinite(bad) or where == "boxes":  # the root of 1e30 is no float
        assert len(found.scores) == 6
