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
        hue: (N,) what is added to HSV hue, in turns of the circle; None turns nothing
    """

    window: Array
    flip: Array
    saturation: Array
    exposure: Array
    hue: Array | None = None


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
    numbers = 10 if config.hue else 9
    chance = keras.random.uniform((n, numbers), seed=seed, dtype="float32")
    moved = config.jitter * (2 * chance[:, :4] - 1)
    return Parameters(
        window=moved + ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0], dtype="float32"),
        flip=ops.cast(chance[:, 4] < config.flip, "float32"),
        saturation=_factor(chance[:, 5], chance[:, 6], config.saturation),
        exposure=_factor(chance[:, 7], chance[:, 8], config.exposure),
        hue=config.hue * (2 * chance[:, 9] - 1) if config.hue else None,
    )


def _factor(size: Array, image_size: Array, most: float) -> Array:
    """Returns a factor in [1, most], or, as often, its inverse."""
    factor = 1 + (most - 1) * size
    return ops.where(image_size < 0.5, factor, 1 / factor)


def identity(n: int) -> Parameters:
    """Returns the parameters that change nothing."""
    whole = ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0]], dtype="float32")
    none, same = ops.zeros(n, dtype="float32"), ops.ones(n, dtype="float32")
    return Parameters(ops.tile(whole, (n, 1)), none, same, same)


def apply(
    images: Array,
    boxes: Array,
    class_ids: Array,
    parameters: Parameters,
    image_size: int,
    *,
    align_corners: bool = AugmentConfig.align_corners,
) -> tuple[Array, Array, Array]:
    """Returns the varied images with their boxes.

    Args:
        images: (N, H, W, 3) RGB, bytes or floats in [0, 255]
        boxes: (N, M, 4) xyxy, relative
        class_ids: (N, M) ints; -1 where there is no object
        parameters: from `draw`
        image_size: of the new images, in pixels
        align_corners (False): the window, rounded to whole pixels, gives its corner
            pixels to the new image, as Darknet resizes; else its edges

    Returns:
        images (N, H, W, 3) float32 in [0, 1]; boxes (N, M, 4) inside the new
        image; class ids (N, M), -1 also for objects that have left it

    Source: Darknet data.c, image.c
    """
    if align_corners:
        parameters = _whole(parameters, *images.shape[1:3])
    pixels = ops.cast(images, "float32") / 255.0
    pixels = _cut_out(pixels, parameters, image_size, align_corners)
    pixels = _recolour(pixels, parameters)
    boxes, class_ids = _follow(boxes, class_ids, parameters)
    return pixels, boxes, class_ids


def _whole(parameters: Parameters, height: int, width: int) -> Parameters:
    """Returns parameters whose window begins and ends between two pixels."""
    size = ops.convert_to_tensor([width, height, width, height], dtype="float32")
    return parameters._replace(window=ops.round(parameters.window * size) / size)


def _cut_out(
    pixels: Array, parameters: Parameters, image_size: int, align_corners: bool
) -> Array:
    """Resamples the window bilinearly: one matrix for the rows, one for the columns."""
    left, top, right, bottom = ops.unstack(parameters.window, 4, axis=-1)
    height, width = pixels.shape[1:3]
    rows = _bilinear(top, bottom, height, image_size, align_corners)  # (N, side, H)
    columns = _bilinear(left, right, width, image_size, align_corners)  # (N, side, W)
    flipped = parameters.flip[:, None, None] > 0.5
    columns = ops.where(flipped, ops.flip(columns, axis=1), columns)
    pixels = ops.einsum("nyh,nhwc->nywc", rows, pixels)
    return ops.einsum("nxw,nywc->nyxc", columns, pixels)


def _bilinear(
    start: Array, end: Array, size: int, image_size: int, align_corners: bool
) -> Array:
    """Returns the weights (N, side, size) of the old pixels in each new one."""
    start, extent = size * start[:, None], size * (end - start)[:, None]
    new = ops.arange(image_size, dtype="float32")
    old = ops.arange(size, dtype="float32")
    # Where they are, in old pixels from the window's start: (N, side), (N, size).
    if align_corners:
        start, extent = ops.round(start), ops.round(extent)  # whole again, to the bit
        new, old = new * ((extent - 1) / max(image_size - 1, 1)), old - start
    else:
        new, old = extent * (new + 0.5) / image_size, old + 0.5 - start
    new = ops.clip(new, old[:, :1], old[:, -1:])  # outside, the edge is repeated
    distance = ops.abs(new[..., None] - old[:, None])
    return ops.maximum(1 - distance, 0)


def _recolour(pixels: Array, parameters: Parameters) -> Array:
    """Changes HSV saturation, value and hue, and cuts what passes black or white.

    With V the largest channel and m the smallest, S = (V - m) / V, and each channel
    is V - (V - m) f, where its f in [0, 1] depends on the hue alone.
    """
    saturation, exposure = (
        factor[:, None, None, None]
        for factor in (parameters.saturation, parameters.exposure)
    )
    value = ops.max(pixels, axis=-1, keepdims=True)
    missing = value - pixels  # (V - m) f
    if parameters.hue is not None:
        spread = ops.max(missing, axis=-1, keepdims=True)
        turned = _hue(pixels, value, spread) + parameters.hue[:, None, None]
        missing = spread * _missing(turned)
    return ops.clip((value - missing * saturation) * exposure, 0.0, 1.0)


def _hue(pixels: Array, value: Array, spread: Array) -> Array:
    """Returns the hue (N, H, W), in turns of the circle; 0 for grey."""
    red, green, blue = ops.unstack(pixels, 3, axis=-1)
    value, spread = value[..., 0], spread[..., 0]
    spread = ops.where(spread > 0, spread, 1.0)
    sixths = ops.where(
        red == value,
        (green - blue) / spread,
        ops.where(
            green == value, 2 + (blue - red) / spread, 4 + (red - green) / spread
        ),
    )
    return sixths / 6


def _missing(hue: Array) -> Array:
    """Returns how far each channel is from the largest: (N, H, W, 3), in spreads."""
    sixths = 6 * (hue - ops.floor(hue))
    places = ops.stack([(n + sixths) % 6 for n in (5, 3, 1)], axis=-1)
    return ops.clip(ops.minimum(places, 4 - places), 0.0, 1.0)


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
