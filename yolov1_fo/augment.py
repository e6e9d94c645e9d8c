"""Random augmentation of training images and their boxes, on the device.

`draw` samples the parameters and `apply` applies them, so that the same parameters give
the same images on any device.
"""

from typing import NamedTuple

import keras
from keras import ops

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.config import AugmentConfig

MIN_BOX_SIZE = 0.005
"""Boxes below this fraction of the image's side are dropped, as in Darknet."""


class Parameters(NamedTuple):
    """The augmentation of each image.

    Attributes:
        window: (N, 4) xyxy, the crop that becomes the new image, relative to the old
            image; the edge pixels are repeated outside
        flip: (N,) 1 flips the new image left to right, 0 does not
        saturation: (N,) factor on the HSV saturation
        exposure: (N,) factor on the HSV value
        hue: (N,) added to the HSV hue, as a fraction of the circle; None leaves it
    """

    window: Array
    flip: Array
    saturation: Array
    exposure: Array
    hue: Array | None = None


def draw(
    seed: int | keras.random.SeedGenerator, n: int, config: AugmentConfig
) -> Parameters:
    """Returns random parameters for `n` images.

    Args:
        seed: the same number gives the same parameters; a generator advances by one
        n: number of images
        config: ranges of the parameters

    Source: paper section 2.2; Darknet data.c
    """
    columns = 10 if config.hue else 9
    uniform = keras.random.uniform((n, columns), seed=seed, dtype="float32")
    shift = config.jitter * (2 * uniform[:, :4] - 1)
    return Parameters(
        window=shift + ops.convert_to_tensor([0.0, 0.0, 1.0, 1.0], dtype="float32"),
        flip=ops.cast(uniform[:, 4] < config.flip, "float32"),
        saturation=_random_factor(uniform[:, 5], uniform[:, 6], config.saturation),
        exposure=_random_factor(uniform[:, 7], uniform[:, 8], config.exposure),
        hue=config.hue * (2 * uniform[:, 9] - 1) if config.hue else None,
    )


def _random_factor(amount: Array, direction: Array, largest: float) -> Array:
    """Returns factors in [1, largest], half of them inverted.

    Args:
        amount: uniform in [0, 1)
        direction: uniform in [0, 1)
        largest: at least 1
    """
    factor = 1 + (largest - 1) * amount
    return ops.where(direction < 0.5, factor, 1 / factor)


def identity(n: int) -> Parameters:
    """Returns the parameters that leave `n` images unchanged."""
    window = ops.convert_to_tensor([[0.0, 0.0, 1.0, 1.0]], dtype="float32")
    zeros, ones = ops.zeros(n, dtype="float32"), ops.ones(n, dtype="float32")
    return Parameters(ops.tile(window, (n, 1)), zeros, ones, ones)


def apply(
    images: Array,
    boxes: Array,
    class_ids: Array,
    parameters: Parameters,
    image_size: int,
    *,
    align_corners: bool = AugmentConfig.align_corners,
) -> tuple[Array, Array, Array]:
    """Returns the augmented images with their boxes.

    Args:
        images: (N, H, W, 3) RGB, uint8 or floats in [0, 255]
        boxes: (N, M, 4) xyxy, relative
        class_ids: (N, M) ints; -1 = no object
        parameters: from `draw`
        image_size: side of the new images, in pixels
        align_corners (False): rounds the window to pixels and maps its corner pixels to
            corner pixels, as Darknet does; else edges to edges

    Returns:
        images (N, image_size, image_size, 3) float32 in [0, 1]; boxes (N, M, 4) clipped
        to the new image; class ids (N, M), -1 also for dropped objects

    Source: Darknet data.c, image.c
    """
    if align_corners:
        parameters = _round_window(parameters, *images.shape[1:3])
    pixels = ops.cast(images, "float32") / 255.0
    pixels = _crop_and_resize(pixels, parameters, image_size, align_corners)
    pixels = _adjust_colors(pixels, parameters)
    boxes, class_ids = _transform_boxes(boxes, class_ids, parameters)
    return pixels, boxes, class_ids


def _round_window(parameters: Parameters, height: int, width: int) -> Parameters:
    """Returns parameters whose window begins and ends between pixels."""
    size = ops.convert_to_tensor([width, height, width, height], dtype="float32")
    return parameters._replace(window=ops.round(parameters.window * size) / size)


def _crop_and_resize(
    pixels: Array, parameters: Parameters, image_size: int, align_corners: bool
) -> Array:
    """Resamples the window bilinearly, by one matrix for rows and one for columns."""
    left, top, right, bottom = ops.unstack(parameters.window, 4, axis=-1)
    height, width = pixels.shape[1:3]
    rows = _bilinear_weights(top, bottom, height, image_size, align_corners)
    columns = _bilinear_weights(left, right, width, image_size, align_corners)
    flip = parameters.flip[:, None, None] > 0.5
    columns = ops.where(flip, ops.flip(columns, axis=1), columns)
    pixels = ops.einsum("nyh,nhwc->nywc", rows, pixels)
    return ops.einsum("nxw,nywc->nyxc", columns, pixels)


def _bilinear_weights(
    start: Array, end: Array, size: int, image_size: int, align_corners: bool
) -> Array:
    """Returns the weight of each old pixel in each new one: (N, image_size, size).

    Args:
        start: (N,) of the window, relative to the old image
        end: (N,) of the window
        size: old pixels along the axis
        image_size: new pixels along the axis
        align_corners: see `apply`
    """
    start, extent = size * start[:, None], size * (end - start)[:, None]
    new = ops.arange(image_size, dtype="float32")
    old = ops.arange(size, dtype="float32")
    # Positions in old pixels from the start of the window: (N, image_size), (N, size).
    if align_corners:
        start, extent = ops.round(start), ops.round(extent)  # exact integers again
        new, old = new * ((extent - 1) / max(image_size - 1, 1)), old - start
    else:
        new, old = extent * (new + 0.5) / image_size, old + 0.5 - start
    new = ops.clip(new, old[:, :1], old[:, -1:])  # repeats the edge pixels outside
    distance = ops.abs(new[..., None] - old[:, None])
    return ops.maximum(1 - distance, 0)


def _adjust_colors(pixels: Array, parameters: Parameters) -> Array:
    """Changes HSV saturation, value and hue; clips to [0, 1].

    With V = max(R, G, B) and m = min(R, G, B), the saturation is S = (V - m) / V, and
    each channel is V - (V - m) f, where its f in [0, 1] depends only on the hue.
    """
    saturation, exposure = (
        factor[:, None, None, None]
        for factor in (parameters.saturation, parameters.exposure)
    )
    value = ops.max(pixels, axis=-1, keepdims=True)
    difference = value - pixels  # (V - m) f
    if parameters.hue is not None:
        chroma = ops.max(difference, axis=-1, keepdims=True)  # V - m
        hue = _hue(pixels, value, chroma) + parameters.hue[:, None, None]
        difference = chroma * _hue_factors(hue)
    return ops.clip((value - difference * saturation) * exposure, 0.0, 1.0)


def _hue(pixels: Array, value: Array, chroma: Array) -> Array:
    """Returns the hue (N, H, W) as a fraction of the circle; 0 for gray."""
    red, green, blue = ops.unstack(pixels, 3, axis=-1)
    value, chroma = value[..., 0], chroma[..., 0]
    chroma = ops.where(chroma > 0, chroma, 1.0)
    sixths = ops.where(
        red == value,
        (green - blue) / chroma,
        ops.where(
            green == value, 2 + (blue - red) / chroma, 4 + (red - green) / chroma
        ),
    )
    return sixths / 6


def _hue_factors(hue: Array) -> Array:
    """Returns the f of each channel, see `_adjust_colors`: (N, H, W, 3)."""
    sixths = 6 * (hue - ops.floor(hue))
    k = ops.stack([(n + sixths) % 6 for n in (5, 3, 1)], axis=-1)
    return ops.clip(ops.minimum(k, 4 - k), 0.0, 1.0)


def _transform_boxes(
    boxes: Array, class_ids: Array, parameters: Parameters
) -> tuple[Array, Array]:
    """Returns boxes in the new image; the class ids of dropped ones are -1."""
    window = parameters.window[:, None, :]  # (N, 1, 4)
    start, extent = window[..., :2], window[..., 2:] - window[..., :2]
    corners = [(boxes[..., :2] - start) / extent, (boxes[..., 2:] - start) / extent]
    moved = _boxes.clip(ops.concatenate(corners, axis=-1))
    left, top, right, bottom = ops.unstack(moved, 4, axis=-1)
    flip = parameters.flip[:, None] > 0.5
    left, right = (
        ops.where(flip, 1 - right, left),
        ops.where(flip, 1 - left, right),
    )
    is_kept = ops.logical_and(
        right - left >= MIN_BOX_SIZE, bottom - top >= MIN_BOX_SIZE
    )
    class_ids = ops.where(is_kept, class_ids, -ops.ones_like(class_ids))
    return ops.stack([left, top, right, bottom], axis=-1), class_ids
