import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops

from yolov1_fo import boxes

UNIT = st.floats(0, 1, width=32)


@st.composite
def some_boxes(draw, count=5):
    corners = draw(arrays(np.float32, (count, 2, 2), elements=UNIT))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=-1)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 1, 1), (0, 0, 1, 1), 1.0),
        ((0, 0, 0.5, 1), (0.25, 0, 0.75, 1), 1 / 3),  # inter 0.25, union 0.75
        ((0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1), 0.0),  # touching
        ((0, 0, 0, 0), (0, 0, 0, 0), 0.0),  # both empty
        ((0, 0, 0, 1), (0, 0, 1, 1), 0.0),  # one without width
        ((0.6, 0, 0.4, 1), (0, 0, 1, 1), 0.0),  # negative width
    ],
)
def test_iou_of_known_pairs(a, b, expected):
    assert boxes.iou([a], [b])[0, 0] == pytest.approx(expected)


@given(some_boxes(), some_boxes())
def test_iou_is_symmetric_and_in_range(a, b):
    overlap = boxes.iou(a, b)
    np.testing.assert_array_equal(overlap, boxes.iou(b, a).T)
    assert ((overlap >= 0) & (overlap <= 1)).all()


@given(some_boxes())
def test_corners_and_centers_are_inverse(xyxy):
    back = boxes.cxcywh_to_xyxy(boxes.xyxy_to_cxcywh(xyxy))
    np.testing.assert_allclose(back, xyxy, atol=1e-6)


def test_tensors_and_arrays_give_the_same_iou(rng):
    a, b = (rng.uniform(0, 1, (2, 3, 4)).astype(np.float32) for _ in range(2))
    tensor = boxes.iou(ops.convert_to_tensor(a), ops.convert_to_tensor(b))
    np.testing.assert_allclose(ops.convert_to_numpy(tensor), boxes.iou(a, b), atol=1e-6)


def test_iou_of_no_boxes():
    assert boxes.iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


@pytest.mark.parametrize(("width", "height"), [(7, 3), (640, 480), (1999, 1333)])
def test_iou_of_half_a_box_is_exactly_one_half(width, height, rng):
    """As in the VOC development kit, which computes in integer pixels."""
    size = np.array([width, height, width, height])
    for _ in range(200):
        half = rng.integers(1, max(width // 4, 2))
        left, top = rng.integers(width - 2 * half + 1), rng.integers(height)
        bottom = rng.integers(top + 1, height + 1)
        x, y, right, low = np.array([left, top, left + half, bottom]) / size
        stored = [x, y, right - x, low - y]  # FiftyOne's format
        part = [stored[0], stored[1], stored[0] + stored[2], stored[1] + stored[3]]
        full = np.array([left, top, left + 2 * half, bottom]) / size
        overlap = boxes.evaluation_iou([part], [full])
        assert overlap[0, 0] == 0.5
        assert boxes.reaches(overlap, 0.5).all()


def test_overlap_with_a_crowd_is_relative_to_the_box():
    crowd, box = [0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 1.5, 1.0]
    overlap = boxes.evaluation_iou(
        [box], [crowd, crowd], is_crowd=np.array([True, False])
    )
    assert overlap.tolist() == [[0.5, 0.2]]  # 0.25 of 0.5; 0.25 of 1.25


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ([0.0, 0.0, 1.0, 1.0], 1.0),
        # IoU 0.5; centers 0.25 apart, diagonal of the enclosing box squared 2; v is
        # 4 / pi^2 (atan 1 - atan 2)^2 = 0.041956, alpha v / (0.5 + v) = 0.077416
        ([0.0, 0.0, 1.0, 0.5], 0.5 - 0.0625 / 2 - 0.077416 * 0.041956),
        # no overlap: centers (1.5, 0) apart, enclosing box 2.5 x 1
        ([1.5, 0.0, 2.5, 1.0], -2.25 / 7.25),
    ],
)
def test_complete_iou_worked_by_hand(other, expected):
    box = np.float32([0.0, 0.0, 1.0, 1.0])
    other = np.float32(other)
    assert boxes.complete_iou(box, other) == pytest.approx(expected, abs=1e-6)
    assert boxes.complete_iou(other, box) == pytest.approx(expected, abs=1e-6)
    tensors = (ops.convert_to_tensor(part) for part in (box, other))
    assert float(boxes.complete_iou(*tensors)) == pytest.approx(expected, abs=1e-6)


def test_complete_iou_of_empty_boxes_is_finite():
    empty, box = np.zeros(4, np.float32), np.float32([0.0, 0.0, 1.0, 1.0])
    for pair in ((empty, empty), (empty, box), (box, empty)):
        assert np.isfinite(boxes.complete_iou(*pair))
