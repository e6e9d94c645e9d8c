import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.test_images import saved, turned
from yolov1_fo import boxes, images
from yolov1_fo.image_files import letterboxing, resizing

SIDES = st.integers(1, 3000)
SQUARES = st.sampled_from([1, 32, 63, 448])


@st.composite
def boxes_in_image(draw):
    corners = draw(st.lists(st.floats(0, 1, width=32), min_size=8, max_size=8))
    return np.sort(np.reshape(corners, (2, 2, 2)), axis=1).reshape(2, 4)


@pytest.mark.parametrize(
    ("size", "window"),
    [
        ((100, 200), (0, 8, 32, 24)),  # 32 / 200 * 100 = 16, 8 above
        ((200, 100), (8, 0, 24, 32)),
        ((7, 7), (0, 0, 32, 32)),
        ((1, 1), (0, 0, 32, 32)),
        ((1, 1000), (0, 15, 32, 16)),  # 0.032 becomes a pixel; 31 / 2 = 15 above
        ((1000, 1), (15, 0, 16, 32)),
        ((33, 64), (0, 7, 32, 24)),  # 16.5 becomes 17; 15 / 2 = 7 above
    ],
)
def test_the_window_has_the_aspect_ratio_of_the_image(size, window):
    found = letterboxing.windows_in_pixels([size], 32)
    assert found.tolist() == [list(window)]
    relative = letterboxing.windows([size, size], 32)
    np.testing.assert_array_equal(relative, np.float64([window, window]) / 32)


@given(SIDES, SIDES, SQUARES)
def test_a_window_is_centered_and_touches_two_edges(height, width, image_size):
    ((left, top, right, bottom),) = letterboxing.windows_in_pixels(
        [(height, width)], image_size
    )
    assert max(right - left, bottom - top) == image_size
    assert min(right - left, bottom - top) >= 1
    for before, after in ((left, right), (top, bottom)):
        assert image_size - after - before in (0, 1)
    exact = min(height, width) * image_size / max(height, width)
    assert abs(min(right - left, bottom - top) - max(exact, 1)) <= 0.5


@given(SIDES, SIDES, SQUARES, boxes_in_image())
def test_to_the_square_and_back_is_nothing(height, width, image_size, xyxy):
    window = letterboxing.windows([(height, width)], image_size)
    square = letterboxing.image_to_square(xyxy, window)
    assert (window[:, :2] <= square[:, :2]).all()
    back = letterboxing.square_to_image(square, window)
    np.testing.assert_allclose(back, xyxy, atol=1e-12)
    inside = letterboxing.square_to_image(xyxy, window)
    back = letterboxing.image_to_square(inside, window)
    np.testing.assert_allclose(back, xyxy, atol=1e-12)
    as_float32 = letterboxing.square_to_image(square.astype(np.float32), window)
    np.testing.assert_allclose(as_float32, xyxy, atol=1e-4)


@pytest.mark.parametrize("size", [(480, 640), (1000, 300), (1, 90)])
def test_the_iou_does_not_change(rng, size):
    start = rng.uniform(0, 0.7, (50, 2))
    xyxy = np.concatenate([start, start + rng.uniform(0.05, 0.3, (50, 2))], axis=-1)
    window = letterboxing.windows([size], 448)
    square = letterboxing.image_to_square(xyxy, window)
    before, after = (boxes.evaluation_iou(x, x) for x in (xyxy, square))
    assert ((before > 0) & (before < 1)).sum() > 50
    np.testing.assert_allclose(after, before, atol=1e-9)


@pytest.mark.parametrize(
    "size", [(50, 70), (70, 50), (20, 9), (200, 64), (64, 1000), (1, 90), (700, 1)]
)
def test_pixels_are_those_of_the_resized_image_on_gray(rng, size):
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    square = resizing.resize_letterboxed(image, 32)
    assert square.shape == (32, 32, 3)
    ((left, top, right, bottom),) = letterboxing.windows_in_pixels([size], 32)
    way = cv2.INTER_AREA if max(size) >= 64 else cv2.INTER_LINEAR
    expected = cv2.resize(image, (right - left, bottom - top), interpolation=way)
    np.testing.assert_array_equal(square[top:bottom, left:right], expected)
    beside = np.ones((32, 32), bool)
    beside[top:bottom, left:right] = False
    assert beside.any()
    assert (square[beside] == resizing.GRAY).all()


@pytest.mark.parametrize("side", [1, 20, 32, 50, 200])
def test_a_square_image_is_only_resized(rng, side):
    image = rng.integers(0, 256, (side, side, 3), np.uint8)
    np.testing.assert_array_equal(
        resizing.resize_letterboxed(image, 32), resizing.resize(image, 32)
    )


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_the_size_is_that_of_the_upright_image(tmp_path, orientation, suffix):
    picture = np.full((20, 60, 3), (200, 100, 50), np.uint8)
    path = turned(picture, tmp_path / f"a.{suffix}", orientation)
    image, fault, size = images.decode(path, 32, letterbox=True)
    assert (fault, size) == (None, (20, 60))
    upright = images.read(path)
    np.testing.assert_array_equal(image, resizing.resize_letterboxed(upright, 32))
    np.testing.assert_array_equal(image, images.read(path, 32, letterbox=True))
    assert (image[0] == resizing.GRAY).all()
    assert (image[16] != resizing.GRAY).all()


def test_a_photograph_on_its_side_fills_the_other_edges(tmp_path):
    picture = np.full((60, 20, 3), 10, np.uint8)
    path = turned(picture, tmp_path / "a.jpg", 6)
    assert cv2.imread(str(path), cv2.IMREAD_IGNORE_ORIENTATION).shape == (20, 60)
    image, _, size = images.decode(path, 30, letterbox=True)
    assert size == (60, 20)
    assert (image[:, 10:20] < 20).all()
    assert (image[:, [*range(10), *range(20, 30)]] == resizing.GRAY).all()


def test_letterboxes_of_darknet_are_refused(tmp_path, rng):
    picture = rng.integers(0, 256, (20, 30, 3), np.uint8)
    path = saved(picture, tmp_path / "a.png")
    with pytest.raises(ValueError, match="letterbox can't be combined with align_"):
        images.read(path, 32, letterbox=True, align_corners=True)
