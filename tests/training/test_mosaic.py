"""Mosaics: pixels and boxes of the parts, and when they are made."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from tests.training.test_learner import batch, changed
from yolov1_fo import augment
from yolov1_fo.config import TrainConfig
from yolov1_fo.training import mosaic
from yolov1_fo.training.learner_builder import build_learner
from yolov1_fo.training.schedules import Schedule
from yolov1_fo.training.time_limit import Pace

WHOLE = np.tile(np.float32([0, 0, 1, 1]), (4, 4, 1))
"""Windows that show each image whole."""


@pytest.fixture
def config(micro):
    settings = {k: v for k, v in micro.items() if k != "progress"}
    return TrainConfig(**settings, C=2, epochs=2, mosaic=1.0)


def squares(size=64):
    """Returns four images with a bright square each, its box and its class."""
    images = np.zeros((4, size, size, 3), np.uint8)
    boxes = np.zeros((4, 2, 4), np.float32)
    for number in range(4):
        left, top, side = 8 * number, 4 * number, 16 + 4 * number
        images[number, top : top + side, left : left + side] = 255
        edges = np.float32([left, top, left + side, top + side])
        boxes[number, 0] = edges / size
    class_ids = np.array([[number, -1] for number in range(4)], np.int32)
    return images, boxes, class_ids


def composed(windows, parameters=None):
    parameters = augment.identity(4) if parameters is None else parameters
    parts = mosaic.compose(*squares(), parameters, windows, 64)
    return [ops.convert_to_numpy(part) for part in parts]


def test_a_mosaic_shows_an_image_and_the_three_after_it():
    images, boxes, class_ids = composed(WHOLE)
    assert images.shape == (4, 64, 64, 3)
    assert boxes.shape == (4, 8, 4)
    assert class_ids.tolist() == [
        [(number + part // 2) % 4 if part % 2 == 0 else -1 for part in range(8)]
        for number in range(4)
    ]
    for image, one, ids in zip(images, boxes, class_ids, strict=True):
        lit = np.zeros((64, 64), bool)
        for left, top, right, bottom in np.round(64 * one[ids >= 0]).astype(int):
            lit[top:bottom, left:right] = True
        np.testing.assert_allclose(image[..., 0], lit, atol=1e-5)


def test_flipped_parts_stay_in_their_place():
    flipped = augment.identity(4)._replace(flip=np.float32([1, 0, 0, 0]))
    images, boxes, _ = composed(WHOLE, flipped)
    straight, straight_boxes, _ = composed(WHOLE)
    np.testing.assert_allclose(
        images[0, :32, :32], straight[0, :32, :32][:, ::-1], atol=1e-6
    )
    np.testing.assert_allclose(images[0, 32:], straight[0, 32:], atol=1e-6)
    assert boxes[0, 0, 0] == pytest.approx(0.5 - straight_boxes[0, 0, 2])
    # The same image is the last part of the next mosaic.
    np.testing.assert_allclose(images[1, 32:, 32:], images[0, :32, :32], atol=1e-6)


@pytest.mark.parametrize(
    ("left", "is_kept"), [(0.0, True), (0.18, True), (0.19, False), (0.5, False)]
)
def test_objects_that_are_mostly_cut_off_are_left_out(left, is_kept):
    """The square of the first image is 0.25 wide: a quarter of it ends at 0.1875."""
    windows = WHOLE.copy()
    windows[0, 0] = [left, 0, left + 0.75, 0.75]
    _, boxes, class_ids = composed(windows)
    assert class_ids[0, 0] == (0 if is_kept else -1)
    if is_kept:
        expected = [0, 0, 0.5 * (0.25 - left) / 0.75, 0.5 * 0.25 / 0.75]
        np.testing.assert_allclose(boxes[0, 0], expected, atol=1e-6)


def test_an_object_that_fills_a_part_is_kept():
    images, boxes, class_ids = squares()
    boxes[0, 0] = [0, 0, 1, 1]
    windows = WHOLE.copy()
    windows[0, 0] = [0.2, 0.2, 0.65, 0.65]  # a fifth of the object is visible
    _, moved, ids = mosaic.compose(
        images, boxes, class_ids, augment.identity(4), windows, 64
    )
    assert ops.convert_to_numpy(ids)[0, 0] == 0
    np.testing.assert_allclose(ops.convert_to_numpy(moved)[0, 0], [0, 0, 0.5, 0.5])


def test_parts_show_half_of_an_image_up_to_all_of_it():
    drawn = mosaic.draw(0, 2000)
    windows = ops.convert_to_numpy(drawn.windows)
    size = windows[..., 2:] - windows[..., :2]
    low, high = 0.5 / mosaic.ZOOM[1], 0.5 / mosaic.ZOOM[0]
    stretch = mosaic.STRETCH**0.5
    assert low / stretch <= size.min() < 1.02 * low / stretch
    assert 0.98 * high * stretch < size.max() <= high * stretch
    aspect = size[..., 0] / size[..., 1]
    assert 1 / mosaic.STRETCH <= aspect.min() < 0.84
    assert 1.19 < aspect.max() <= mosaic.STRETCH + 1e-6
    inside = size.max(axis=-1) <= 1
    assert windows[inside].min() >= 0
    assert windows[inside].max() <= 1 + 1e-6
    again = mosaic.draw(0, 2000)
    np.testing.assert_array_equal(windows, ops.convert_to_numpy(again.windows))
    assert 0 <= float(drawn.chance) < 1


@pytest.mark.parametrize(
    ("share", "chance", "progress", "is_mosaic"),
    [
        *((0.5, 0.49, 0.0, True), (0.5, 0.5, 0.0, False)),
        *((1.0, 0.9, 0.84, True), (1.0, 0.9, 0.86, False)),
    ],
)
def test_mosaics_are_made_when_they_are_due(config, share, chance, progress, is_mosaic):
    config = replace(config, mosaic=share, image_size=64)
    drawn = mosaic.Drawn(ops.convert_to_tensor(WHOLE), ops.convert_to_tensor(chance))
    batch, parameters = squares(), augment.identity(4)
    images, boxes, class_ids = mosaic.augmented(
        *map(ops.convert_to_tensor, batch), parameters, drawn, config, progress
    )
    assert boxes.shape == (4, 8, 4)
    alone = augment.apply(*batch, parameters, 64)
    if is_mosaic:
        alone = mosaic.compose(*batch, parameters, WHOLE, 64)
    count = alone[1].shape[1]
    np.testing.assert_array_equal(images, alone[0])
    np.testing.assert_array_equal(boxes[:, :count], alone[1])
    np.testing.assert_array_equal(class_ids[:, :count], alone[2])
    assert (ops.convert_to_numpy(class_ids)[:, count:] == -1).all()


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True])
def test_a_training_with_mosaics(config, rng, monkeypatch, jit):
    compile_it = keras.Model.compile

    def compiled(self, **settings):
        compile_it(self, **{**settings, "jit_compile": jit})

    monkeypatch.setattr(keras.Model, "compile", compiled)
    learner = build_learner(changed(config, flip=0.0), 2)
    history = learner.fit(batch(rng, config), batch_size=2, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.slow
def test_the_same_step_has_the_same_mosaics(config, rng):
    one = batch(rng, config)
    targets = [
        ops.convert_to_numpy(build_learner(it, 2)(one, training=True)["y_true"])
        for it in (config, config, changed(config, seed=1), changed(config, mosaic=0))
    ]
    np.testing.assert_array_equal(targets[0], targets[1])
    for other in targets[2:]:
        assert np.abs(targets[0] - other).max() > 1e-3


def test_progress_follows_the_pace_of_a_time_limit(config):
    schedule = Schedule(config, steps_per_epoch=10)
    assert float(schedule.progress(5)) == pytest.approx(0.25)
    assert float(schedule.progress(50)) == 1
    limited = replace(config, max_minutes=1, schedule="cosine")
    schedule = Schedule(limited, steps_per_epoch=10)
    assert float(schedule.progress(5)) == pytest.approx(0.25)
    schedule.set_pace(Pace(4, 0.2, 8))
    assert float(schedule.progress(6)) == pytest.approx(0.6)


def test_mosaic_is_a_probability():
    with pytest.raises(ValueError, match="mosaic must be"):
        TrainConfig(mosaic=1.5)
