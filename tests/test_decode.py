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


MIDDLE = (0.5, 0.5, 0.5, 0.5)  # mid-cell, a quarter of the image's width


def test_score_is_confidence_times_class_probability():
    y = output([(0.9, 0.1), (0, 0), (0, 0), (0, 0)], [0.5, 0, 0, 0], [MIDDLE] * 4)
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    np.testing.assert_allclose(found.scores, [0.45, 0.05], atol=1e-6)
    assert found.class_ids.tolist() == [0, 1]
    # the center of cell (0, 0) is at 0.25
    np.testing.assert_allclose(found.boxes[0], [0.125, 0.125, 0.375, 0.375], atol=1e-6)


@pytest.mark.parametrize(("darknet", "count"), [(False, 1), (True, 0)])
def test_darknet_drops_a_score_equal_to_the_threshold(darknet, count):
    y = output([(0.5, 0), (0, 0), (0, 0), (0, 0)], [0.5, 0, 0, 0], [MIDDLE] * 4)
    options = {**OPTIONS, "confidence_thresh": 0.25}  # 0.5 x 0.5, exactly
    (found,) = decode.decode(y, CONFIG, **options, darknet=darknet)
    assert len(found.scores) == count


def test_two_negative_outputs_are_not_a_detection():
    y = output([(-0.9, 0.0)] * 4, [-0.9] * 4, [MIDDLE] * 4)
    assert not len(decode.decode(y, CONFIG, **OPTIONS)[0].scores)


def test_scores_and_boxes_stay_in_range():
    y = output([(1.7, 0)] * 4, [1.4] * 4, [(0.5, 0.5, 1.5, 0.5)] * 4)
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    assert found.scores.max() == 1
    assert found.boxes.min() == 0
    assert found.boxes.max() == 1


def test_score_equal_to_the_threshold_is_kept():
    y = output([(1, 0), (1, 0), (0, 0), (0, 0)], [0.5, 0.25, 0, 0], [MIDDLE] * 4)
    options = {**OPTIONS, "confidence_thresh": 0.5}
    assert decode.decode(y, CONFIG, **options)[0].scores.tolist() == [0.5]


def test_max_detections_keeps_the_best():
    y = output([(1, 0)] * 4, [0.2, 0.8, 0.4, 0.6], [MIDDLE] * 4)
    (found,) = decode.decode(y, CONFIG, **{**OPTIONS, "max_detections": 2})
    np.testing.assert_allclose(found.scores, [0.8, 0.6])


def test_class_ids_filter_the_classes():
    y = output([(0.9, 0.8)] * 4, [1.0] * 4, [MIDDLE] * 4)
    (found,) = decode.decode(y, CONFIG, **OPTIONS, class_ids=[1])
    assert set(found.class_ids.tolist()) == {1}


# Three boxes side by side: the first and second overlap by 0.6 / 1.0, the second and
# third too, the first and third by 0.2 / 1.4.
ROW = np.float32([[[0.0, 0, 0.4, 1], [0.1, 0, 0.5, 1], [0.2, 0, 0.6, 1]]])


@pytest.mark.parametrize(
    ("scores", "iou_thresh", "kept"),
    [
        (
            (0.9, 0.8, 0.7),
            0.5,
            (0.9, 0, 0.7),
        ),  # the second is suppressed and suppresses nothing
        ((0.8, 0.9, 0.7), 0.5, (0, 0.9, 0)),
        ((0.9, 0.8, 0.7), 0.6, (0.9, 0.8, 0.7)),  # IoU equal to the threshold
        ((0.9, 0.8, 0.7), 1.0, (0.9, 0.8, 0.7)),
        ((0.9, 0.8, 0.7), 0.0, (0.9, 0, 0)),
        ((0.9, 0.9, 0.9), 0.5, (0.9, 0, 0.9)),  # ties: the first is kept
        ((0, 0, 0), 0.5, (0, 0, 0)),
    ],
)
def test_nms_is_greedy(scores, iou_thresh, kept):
    scores = np.float32(scores)[None, :, None]
    if iou_thresh == 0.6:
        iou_thresh = float(boxes.iou(ROW, ROW)[0, 0, 1])
    result = decode.non_max_suppression(ROW, scores, iou_thresh)
    np.testing.assert_array_equal(result[0, :, 0], np.float32(kept))


def test_classes_suppress_each_other_only_if_class_agnostic():
    scores = np.float32([[[0.9, 0.1], [0.2, 0.8], [0, 0]]])
    by_class = decode.non_max_suppression(ROW, scores, 0.5)
    agnostic = decode.non_max_suppression(ROW, scores, 0.5, class_agnostic=True)
    np.testing.assert_array_equal(by_class[0] > 0, [[1, 0], [0, 1], [0, 0]])
    np.testing.assert_array_equal(agnostic[0] > 0, [[1, 0], [0, 0], [0, 0]])


def suppress_simply(some, scores, iou_thresh):
    """Returns the scores (K, C) of an image that a plain loop keeps."""
    kept = np.zeros_like(scores)
    overlaps = boxes.iou(some, some)
    for c in range(scores.shape[1]):
        left = list(np.argsort(-scores[:, c], kind="stable"))
        while left:
            best = left.pop(0)
            kept[best, c] = scores[best, c]
            left = [i for i in left if overlaps[best, i] <= iou_thresh]
    return kept


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.5, 0.8]))
def test_nms_equals_a_simple_loop(seed, iou_thresh):
    rng = np.random.default_rng(seed)
    some = np.sort(rng.uniform(0, 1, (2, 9, 2, 2)), axis=2).reshape(2, 9, 4)
    scores = np.round(rng.uniform(-0.5, 1, (2, 9, 3)).clip(0), 1)  # with ties
    expected = [
        suppress_simply(*one, iou_thresh) for one in zip(some, scores, strict=True)
    ]
    np.testing.assert_array_equal(
        decode.non_max_suppression(some, scores, iou_thresh), expected
    )


def test_only_candidates_are_compared(rng, monkeypatch):
    """A whole grid would need K x K overlaps, of which most boxes have no part."""
    compared = []
    iou = boxes.iou

    def counting(first, second):
        compared.append((first.shape, second.shape))
        return iou(first, second)

    monkeypatch.setattr(decode._boxes, "iou", counting)
    corners = np.sort(rng.random((2, 800, 2, 2)), axis=2).reshape(2, 800, 4)
    scores = np.zeros((2, 800, 3))
    scores[0, rng.choice(800, 40, replace=False)] = rng.random((40, 3))
    scores[1, rng.choice(800, 25, replace=False), 1] = rng.random(25)
    kept = decode.non_max_suppression(corners, scores, 0.4)
    assert compared == [((2, 40, 4), (2, 40, 4))]
    for image in range(2):
        np.testing.assert_array_equal(
            kept[image], suppress_simply(corners[image], scores[image], 0.4)
        )


def test_an_image_gives_the_same_detections_alone_and_in_a_batch(rng):
    config = GridConfig(S=4, B=2, C=3)
    y = rng.normal(0.3, 0.4, (5, grid.output_size(config)))
    batch = decode.decode(y, config, **OPTIONS)
    for row, found in enumerate(batch):
        (alone,) = decode.decode(y[row : row + 1], config, **OPTIONS)
        for a, b in zip(found, alone, strict=True):
            np.testing.assert_array_equal(a, b)


def test_empty_batch():
    assert (
        decode.decode(np.zeros((0, grid.output_size(CONFIG))), CONFIG, **OPTIONS) == []
    )


EMPTY_BOXES = {
    "left of the image": (-3.0, 0.5, 0.5, 0.5),
    "below the image": (0.5, 9.0, 0.5, 0.5),
    "touching its corner": (-0.5, -0.5, 0.5, 0.5),  # ends at 0
    "without width": (0.5, 0.5, 0.0, 0.5),
    "without height": (0.5, 0.5, 0.5, 0.0),
}


@pytest.mark.parametrize("box", EMPTY_BOXES.values(), ids=EMPTY_BOXES)
def test_boxes_without_area_in_the_image_are_dropped_except_by_darknet(box):
    y = output([(0.9, 0)] * 4, [1.0] * 4, [box, MIDDLE, MIDDLE, MIDDLE])
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    assert len(found.scores) == 3
    assert boxes.area(found.boxes).min() > 0
    (found,) = decode.decode(y, CONFIG, **OPTIONS, darknet=True)
    assert len(found.scores) == 4


def test_boxes_of_negative_size_are_dropped():
    config = GridConfig(S=2, B=1, C=2, sqrt=False)
    y = output([(0.9, 0)] * 4, [1.0] * 4, [(0.5, 0.5, -0.5, 0.5), *[MIDDLE] * 3])
    assert len(decode.decode(y, config, **OPTIONS)[0].scores) == 3


def test_tiny_boxes_are_kept():
    y = output(
        [(0.9, 0)] * 4, [1.0] * 4, [(0.5, 0.5, 1e-3, 1e-3)] * 4
    )  # 1e-6 of the image
    (found,) = decode.decode(y, CONFIG, **OPTIONS)
    assert len(found.scores) == 4
    assert boxes.area(found.boxes).min() > 0


@pytest.mark.parametrize("darknet", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("where", ["class_probs", "confidence", "boxes"])
def test_values_that_are_not_finite_are_not_detections(where, bad, darknet):
    cells = grid.Cells(
        np.full((1, 2, 2, 2), 0.9, np.float32),
        np.full((1, 2, 2, 1), 0.9, np.float32),
        np.tile(np.float32(MIDDLE), (1, 2, 2, 1, 1)),
    )
    getattr(cells, where)[0, 0, 0, ...] = bad
    (found,) = decode.decode(grid.join(cells), CONFIG, **OPTIONS, darknet=darknet)
    assert np.isfinite(found.scores).all()
    assert np.isfinite(found.boxes).all()
    if not np.isfinite(bad) or where == "boxes":  # 1e30 squared overflows
        assert len(found.scores) == 6


def test_letterboxed_boxes_are_relative_to_the_image():
    """The image fills the middle half of the square's height."""
    windows = np.array([[0, 0.25, 1, 0.75]])
    inside = (1.0, 1.0, 0.5**0.5, 0.25**0.5)  # in the middle of the square
    over_the_edge = (0.5, 0.5, 0.5**0.5, 0.5**0.5)  # 0 to 0.5 in the square
    beside = (0.5, 0.2, 0.5**0.5, 0.2**0.5)  # 0 to 0.2 of the height
    for box, expected in (
        (inside, [0.25, 0.25, 0.75, 0.75]),
        (over_the_edge, [0, 0, 0.5, 0.5]),
        (beside, None),
    ):
        y = output([(1, 0), *[(0, 0)] * 3], [1, 0, 0, 0], [box] * 4)
        (found,) = decode.decode(y, CONFIG, **OPTIONS, windows=windows)
        assert len(found.scores) == (expected is not None)
        if expected is not None:
            np.testing.assert_allclose(found.boxes, [expected], atol=1e-6)
            assert found.boxes.dtype == np.float32


def test_boxes_beside_the_image_take_no_place_of_others():
    windows = np.array([[0, 0.5, 1, 1]])  # the lower half
    y = output([(1, 0)] * 4, [0.9, 0.8, 0.2, 0.1], [(0.5, 0.5, 0.5, 0.5)] * 4)
    options = {**OPTIONS, "max_detections": 1}
    (found,) = decode.decode(y, CONFIG, **options, windows=windows)
    np.testing.assert_allclose(found.scores, [0.2])


def test_an_image_that_fills_the_square_is_decoded_as_without_a_window(rng):
    y = rng.uniform(-0.2, 1.2, (3, grid.output_size(CONFIG))).astype(np.float32)
    whole = np.tile([0.0, 0.0, 1.0, 1.0], (3, 1))
    for plain, windowed in zip(
        decode.decode(y, CONFIG, **OPTIONS),
        decode.decode(y, CONFIG, **OPTIONS, windows=whole),
        strict=True,
    ):
        for a, b in zip(plain, windowed, strict=True):
            np.testing.assert_array_equal(a, b)
