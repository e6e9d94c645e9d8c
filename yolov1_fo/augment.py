"""Random variations of training images, with their boxes, on the device.

`draw` decides, `apply` does it: so the same parameters give the same pictures anywhere.
"""

from typing import NamedTuple

import keras
from keras import ops

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.config import AugmentConfig

SMALLEST = 0.005
"""A box that is cut to less than this part of the image's side is dropped (Darknet)."""


class Parameters(NamedTuple):
    """What is done to each image.

    Attributes:
        window: (N, 4) xyxy, the part that becomes the new image, relative to the old;
            where it lies outside, the edge is repeated
        flip: (N,) 1 mirrors the new image left to right, 0 does not
        saturation: (N,) factor on HSV saturation
        exposure: (N,) factor on HSV value
    """

    window: Array
    flip: Array
    saturation: Array
    exposure: Array


def draw(
    seed: int | keras.random.SeedGenerator, n: int, config: AugmentConfig
) -> Parameters:
    """Returns parameters for `n` images.

    Args:
        seed: the same number gives the same parameters; a generator moves on by one
        n: images
        config: how far they may vary

    Source: paper section 2.2; Darknet data.c
    """
    chance = keras.random.uniform((n, 9), seed=seed, dtype="float32")
    moved = config.jitter * (2 * chance[:, :4] - 1)
    return Parameters(
        window=moved + ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0], dtype="float32"),
        flip=ops.cast(chance[:, 4] < config.flip, "float32"),
        saturation=_factor(chance[:, 5], chance[:, 6], config.saturation),
        exposure=_factor(chance[:, 7], chance[:, 8], config.exposure),
    )


def _factor(size: Array, side: Array, most: float) -> Array:
    """Returns a factor in [1, most], or, as often, its inverse."""
    factor = 1 + (most - 1) * size
    return ops.where(side < 0.5, factor, 1 / factor)


def identity(n: int) -> Parameters:
    """Returns the parameters that change nothing."""
    whole = ops.tile(ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0]]), (n, 1))
    return Parameters(whole, ops.zeros(n), ops.ones(n), ops.ones(n))


def apply(
    images: Array, boxes: Array, class_ids: Array, parameters: Parameters, side: int
) -> tuple[Array, Array, Array]:
    """Returns the varied images with their boxes.

    Args:
        images: (N, H, W, 3) RGB, bytes or floats in [0, 255]
        boxes: (N, M, 4) xyxy, relative
        class_ids: (N, M) ints; -1 where there is no object
        parameters: from `draw`
        side: of the new images, in pixels

    Returns:
        images (N, side, side, 3) float32 in [0, 1]; boxes (N, M, 4) inside the new
        image; class ids (N, M), -1 also for objects that have left it
    """
    pixels = ops.cast(images, "float32") / 255.0
    pixels = _recolour(pixels, parameters.saturation, parameters.exposure)
    pixels = _cut_out(pixels, parameters, side)
    boxes, class_ids = _follow(boxes, class_ids, parameters)
    return pixels, boxes, class_ids


def _recolour(pixels: Array, saturation: Array, exposure: Array) -> Array:
    """Scales saturation and value as HSV would, without going there and back.

    With V the largest channel and m the smallest, S = (V - m) / V. Scaling S at fixed V
    moves each channel's distance from V; scaling V scales all channels. S and V stop
    at 1.
    """
    saturation = saturation[:, None, None, None]
    exposure = exposure[:, None, None, None]
    value = ops.max(pixels, axis=-1, keepdims=True)
    spread = value - ops.min(pixels, axis=-1, keepdims=True)
    tiny = 1e-6
    saturation = ops.minimum(saturation, value / ops.maximum(spread, tiny))
    exposure = ops.minimum(exposure, 1 / ops.maximum(value, tiny))
    return (value - (value - pixels) * saturation) * exposure


def _cut_out(pixels: Array, parameters: Parameters, side: int) -> Array:
    """Resamples the window bilinearly: one matrix for the rows, one for the columns."""
    left, top, right, bottom = ops.unstack(parameters.window, 4, axis=-1)
    flipped = parameters.flip > 0.5
    left, right = ops.where(flipped, right, left), ops.where(flipped, left, right)
    columns = _bilinear(left, right, pixels.shape[2], side)  # (N, side, W)
    rows = _bilinear(top, bottom, pixels.shape[1], side)  # (N, side, H)
    pixels = ops.einsum("nyh,nhwc->nywc", rows, pixels)
    return ops.einsum("nxw,nywc->nyxc", columns, pixels)


def _bilinear(start: Array, end: Array, size: int, side: int) -> Array:
    """Returns the weights (N, side, size) of the old pixels in each new one."""
    centres = (ops.arange(side, dtype="float32") + 0.5) / side
    where = start[:, None] + (end - start)[:, None] * centres  # (N, side), relative
    where = ops.clip(where * size - 0.5, 0, size - 1)  # in pixels
    distance = ops.abs(where[..., None] - ops.arange(size, dtype="float32"))
    return ops.maximum(1 - distance, 0)


def _follow(
    boxes: Array, class_ids: Array, parameters: Parameters
) -> tuple[Array, Array]:
    window = parameters.window[:, None, :]  # (N, 1, 4)
    start, extent = window[..., :2], window[..., 2:] - window[..., :2]
    corners = [(boxes[..., :2] - start) / extent, (boxes[..., 2:] - start) / extent]
    moved = _boxes.clip(ops.concatenate(corners, axis=-1))
    left, top, right, bottom = ops.unstack(moved, 4, axis=-1)
    flipped = parameters.flip[:, None] > 0.5
    left, right = (
        ops.where(flipped, 1 - right, left),
        ops.where(flipped, 1 - left, right),
    )
    seen = ops.logical_and(right - left >= SMALLEST, bottom - top >= SMALLEST)
    class_ids = ops.where(seen, class_ids, -ops.ones_like(class_ids))
    return ops.stack([left, top, right, bottom], axis=-1), class_ids
