"""Mosaics: training images that consist of parts of four images of the batch.

They show objects smaller, in other places and beside other objects, which few
photographs lack. Source: Bochkovskiy et al., YOLOv4, arXiv:2004.10934, section 3.3.
"""

import functools
from typing import NamedTuple

import keras
from keras import ops

from yolov1_fo import augment
from yolov1_fo import boxes as _boxes
from yolov1_fo.augment import Parameters
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import tiling

LAST = 0.15
"""Share of a training, at its end, without mosaics: images as they are predicted."""
ZOOM = (0.5, 1.1)
"""Smallest and largest scale of a part, relative to the image."""
STRETCH = 1.2
"""Largest factor by which a part changes the aspect ratio, or its inverse."""
_DRAWS = 16
"""Random numbers per image: four for each part."""


class Drawn(NamedTuple):
    """The random numbers of a batch.

    Attributes:
        windows: (N, 4, 4) xyxy, the crops of the images that the parts show, relative
            to the images
        chance: () uniform in [0, 1); the batch consists of mosaics if it is below the
            setting `mosaic`
    """

    windows: Array
    chance: Array


def draw(seed: int | keras.random.SeedGenerator, n: int) -> Drawn:
    """Returns random numbers for `n` images.

    Args:
        seed: the same number gives the same draws; a generator advances by one
        n: number of images
    """
    uniform = keras.random.uniform((n, _DRAWS + 1), seed=seed, dtype="float32")
    parts = ops.reshape(uniform[:, :_DRAWS], (n, 4, 4))
    zoom = ZOOM[0] * (ZOOM[1] / ZOOM[0]) ** parts[..., 0]
    stretch = STRETCH ** (parts[..., 1] - 0.5)
    # A part is half as wide as the mosaic; at zoom 1 it shows half of the image.
    size = ops.stack([0.5 / (zoom * stretch), 0.5 / (zoom / stretch)], axis=-1)
    start = parts[..., 2:] * (1 - size)
    return Drawn(ops.concatenate([start, start + size], axis=-1), uniform[0, _DRAWS])


def augmented(
    images: Array,
    boxes: Array,
    class_ids: Array,
    parameters: Parameters,
    drawn: Drawn | None,
    config: TrainConfig,
    progress: Array | float = 0.0,
) -> tuple[Array, Array, Array]:
    """Returns the augmented batch: mosaics, or each image alone as in `augment.apply`.

    Args:
        images: (N, H, W, 3) RGB, uint8 or floats in [0, 255]
        boxes: (N, M, 4) xyxy, relative
        class_ids: (N, M) ints; -1 = no object
        parameters: from `augment.draw`
        drawn: from `draw`; None makes no mosaics
        config: mosaic, image_size and align_corners
        progress (0.0): () of the training, in [0, 1]

    Returns:
        images (N, image_size, image_size, 3) float32 in [0, 1]; boxes (N, K, 4) and
        class ids (N, K), where K is 4 M, or M without mosaics
    """
    batch, size = (images, boxes, class_ids), config.image_size
    each = functools.partial(augment.apply, align_corners=config.align_corners)
    if drawn is None:
        return each(*batch, parameters, size)
    windows = drawn.windows

    def alone() -> tuple[Array, Array, Array]:
        pixels, moved, ids = each(*batch, parameters, size)
        more = 3 * boxes.shape[1]
        moved = ops.pad(moved, ((0, 0), (0, more), (0, 0)))
        return pixels, moved, ops.pad(ids, ((0, 0), (0, more)), constant_values=-1)

    def composed() -> tuple[Array, Array, Array]:
        return compose(*batch, parameters, windows, size)

    is_due = ops.logical_and(drawn.chance < config.mosaic, progress < 1 - LAST)
    pixels, boxes, class_ids = ops.cond(is_due, composed, alone)
    return pixels, boxes, class_ids


def compose(
    images: Array,
    boxes: Array,
    class_ids: Array,
    parameters: Parameters,
    windows: Array,
    image_size: int,
) -> tuple[Array, Array, Array]:
    """Returns mosaics: each image and the three after it in the batch, two by two.

    Objects that an edge cuts are left out as in tiles, see `tiling.MIN_VISIBLE`.

    Args:
        images: as in `augmented`
        boxes: as in `augmented`
        class_ids: as in `augmented`
        parameters: flip and colors of each image
        windows: (N, 4, 4) from `draw`
        image_size: side of the mosaics, in pixels; even

    Returns:
        as `augmented`
    """
    parts = []
    for number in range(4):

        def shifted(values: Array, by: int = -number) -> Array:
            return ops.roll(values, by, axis=0)

        window = windows[:, number]
        changed = Parameters(
            *(one if one is None else shifted(one) for one in parameters)
        )
        changed = changed._replace(window=window)
        old_boxes = shifted(boxes)
        pixels, moved, ids = augment.apply(
            *(shifted(images), old_boxes, shifted(class_ids), changed, image_size // 2)
        )
        visible = _boxes.area(moved) * _boxes.area(window)[:, None]
        is_kept = ops.logical_or(
            visible >= tiling.MIN_VISIBLE * _boxes.area(old_boxes),
            _boxes.area(moved) >= tiling.MIN_FILLED,
        )
        corner = [0.5 * (number % 2), 0.5 * (number // 2)]
        moved = 0.5 * moved + ops.convert_to_tensor(2 * corner, dtype="float32")
        parts.append((pixels, moved, ops.where(is_kept, ids, -ops.ones_like(ids))))
    pixels, moved, ids = zip(*parts, strict=True)
    rows = [ops.concatenate(pixels[start : start + 2], axis=2) for start in (0, 2)]
    return (
        ops.concatenate(rows, axis=1),
        ops.concatenate(moved, axis=1),
        ops.concatenate(ids, axis=1),
    )
