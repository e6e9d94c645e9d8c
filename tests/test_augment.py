import colorsys

import numpy as np
import pytest
from keras import ops

from yolov1_fo import augment
from yolov1_fo.config import AugmentConfig


def parameters(window=(0, 0, 1, 1), flip=0, saturation=1, exposure=1, hue=None, n=1):
    return augment.Parameters(
        ops.convert_to_tensor(np.tile(np.float32(window), (n, 1))),
        ops.convert_to_tensor(np.full(n, flip, np.float32)),
        ops.convert_to_tensor(np.full(n, saturation, np.float32)),
        ops.convert_to_tensor(np.full(n, exposure, np.float32)),
        None if hue is None else ops.convert_to_tensor(np.full(n, hue, np.float32)),
    )


def apply(images, boxes, class_ids, params, image_size=None, **settings):
    image_size = image_size or images.shape[1]
    result = augment.apply(
        ops.convert_to_tensor(images),
        ops.convert_to_tensor(np.float32(boxes)),
        ops.convert_to_tensor(np.int32(class_ids)),
        params,
        image_size,
        **settings,
    )
    return [ops.convert_to_numpy(part) for part in result]


def make_image(rng, image_size=16, n=1):
    return rng.integers(0, 256, (n, image_size, image_size, 3)).astype(np.uint8)


BOX = [[[0.25, 0.125, 0.5, 0.75]]]


def test_identity_changes_nothing(rng):
    image = make_image(rng)
    pixels, boxes, ids = apply(image, BOX, [[1]], augment.identity(1))
    np.testing.assert_allclose(pixels, image / 255, atol=1e-6)
    np.testing.assert_array_equal(boxes, BOX)
    assert ids.tolist() == [[1]]


def test_flipping_mirrors_pixels_and_boxes(rng):
    image = make_image(rng)
    pixels, boxes, _ = apply(image, BOX, [[1]], parameters(flip=1))
    np.testing.assert_allclose(pixels, image[:, :, ::-1] / 255, atol=1e-6)
    np.testing.assert_allclose(boxes, [[[0.5, 0.125, 0.75, 0.75]]])


def test_flipping_twice_is_the_identity(rng):
    image = make_image(rng)
    once, boxes, ids = apply(image, BOX, [[0]], parameters(flip=1))
    twice, boxes, _ = apply(once * 255, boxes, ids, parameters(flip=1))
    np.testing.assert_allclose(twice, image / 255, atol=1e-5)
    np.testing.assert_allclose(boxes, BOX)


def test_window_at_pixel_borders_is_a_crop(rng):
    image = make_image(rng, image_size=16)
    params = parameters(window=(0.25, 0.5, 0.75, 1.0))
    pixels, boxes, _ = apply(image, BOX, [[0]], params, image_size=8)
    np.testing.assert_allclose(pixels, image[:, 8:16, 4:12] / 255, atol=1e-5)
    # x: (0.25 - 0.25) / 0.5 and (0.5 - 0.25) / 0.5; y: clipped and (0.75 - 0.5) / 0.5
    np.testing.assert_allclose(boxes, [[[0, 0, 0.5, 0.5]]])


def test_edge_pixels_are_repeated_outside(rng):
    image = make_image(rng, image_size=16)
    params = parameters(window=(-0.5, 0, 0.5, 1))
    pixels, *_ = apply(image, BOX, [[0]], params)
    np.testing.assert_allclose(pixels[:, :, 0], image[:, :, 0] / 255, atol=1e-6)
    np.testing.assert_allclose(pixels[:, :, 8:], image[:, :, :8] / 255, atol=1e-5)


def test_boxes_match_a_painted_square(rng):
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, 16:40, 8:24] = 255
    box = [[[8 / 64, 16 / 64, 24 / 64, 40 / 64]]]
    for window in rng.uniform(-0.1, 0.1, (20, 4)) + np.array([0, 0, 1, 1]):
        flip = int(rng.integers(2))
        pixels, boxes, _ = apply(
            image, box, [[0]], parameters(window=window, flip=flip), image_size=256
        )
        rows, columns = np.nonzero(pixels[0, :, :, 0] > 0.5)
        square = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(np.array(square) / 256, boxes[0, 0], atol=1 / 256)


def test_align_corners_rounds_the_window_to_pixels(rng):
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, 16:40, 8:24] = 255
    box = [[[8 / 64, 16 / 64, 24 / 64, 40 / 64]]]
    for window in rng.uniform(-0.1, 0.1, (20, 4)) + np.array([0, 0, 1, 1]):
        params = parameters(window=window)
        rounded = parameters(window=np.round(window * 64) / 64)
        found, expected = (
            apply(image, box, [[0]], one, image_size=256, align_corners=True)
            for one in (params, rounded)
        )
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize(
    ("box", "class_id"),
    [
        ((0.1, 0.1, 0.4, 0.4), -1),  # entirely outside the window
        ((0.1, 0.1, 0.5001, 0.9), -1),  # less than 0.005 is inside
        ((0.1, 0.6, 0.6, 0.9), 4),
        ((0.6, 0.6, 0.6, 0.6), -1),  # empty
    ],
)
def test_objects_outside_the_window_are_dropped(rng, box, class_id):
    params = parameters(window=(0.5, 0.5, 1, 1))
    _, boxes, ids = apply(make_image(rng), [[box]], [[4]], params)
    assert ids.tolist() == [[class_id]]
    assert ((boxes >= 0) & (boxes <= 1)).all()


@pytest.mark.parametrize("saturation", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("exposure", [0.7, 1.0, 1.4])
@pytest.mark.parametrize("hue", [None, -0.3, 0.1])
def test_colors_change_as_in_hsv(rng, saturation, exposure, hue):
    image = make_image(rng, image_size=8)
    image[0, 0, :3] = [[0, 0, 0], [255, 255, 255], [90, 90, 90]]
    params = parameters(saturation=saturation, exposure=exposure, hue=hue)
    pixels, *_ = apply(image, BOX, [[0]], params)
    for before, after in zip(
        image.reshape(-1, 3) / 255, pixels.reshape(-1, 3), strict=True
    ):
        h, s, v = colorsys.rgb_to_hsv(*before)
        h = (h + (hue or 0)) % 1
        expected = colorsys.hsv_to_rgb(h, s * saturation, v * exposure)
        np.testing.assert_allclose(after, np.clip(expected, 0, 1), atol=2e-5)


def test_draw_is_a_function_of_its_seed():
    first, again, other = (augment.draw(s, 6, AugmentConfig()) for s in (1, 1, 2))
    for a, b, c in zip(first[:4], again[:4], other[:4], strict=True):
        np.testing.assert_array_equal(a, b)
        assert not np.array_equal(a, c)


def test_draw_uses_the_full_range_of_the_settings():
    config = AugmentConfig(jitter=0.1, flip=0.25, saturation=2.0, exposure=1.0, hue=0.1)
    window, flip, saturation, exposure, hue = map(
        ops.convert_to_numpy, augment.draw(0, 4000, config)
    )
    shift = window - [0, 0, 1, 1]
    assert -0.1 <= shift.min() < -0.09
    assert 0.09 < shift.max() <= 0.1
    assert flip.mean() == pytest.approx(0.25, abs=0.03)
    assert 0.5 <= saturation.min() < 0.51
    assert 1.98 < saturation.max() <= 2.0
    assert (saturation > 1).mean() == pytest.approx(0.5, abs=0.03)
    assert (exposure == 1).all()
    assert -0.1 <= hue.min() < -0.099
    assert 0.099 < hue.max() <= 0.1


def test_hue_is_off_by_default():
    assert augment.draw(0, 3, AugmentConfig()).hue is None
