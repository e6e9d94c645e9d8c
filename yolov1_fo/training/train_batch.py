"""The picture of a run's first batch as augmented, with the cells of the targets."""

import logging
from typing import Any

import numpy as np
import PIL.Image
from keras import ops
from PIL.Image import Image

from yolov1_fo import augment, files, images
from yolov1_fo.boxes import Array
from yolov1_fo.pipeline import image_loading, shuffling
from yolov1_fo.runs import folders
from yolov1_fo.training import augmentation_layer, mosaic
from yolov1_fo.training.input_pipeline import InputPipeline
from yolov1_fo.training.plan import Plan
from yolov1_fo.visualize import grid_views, sheets

logger = logging.getLogger(__name__)

COUNTS = (8, 4, 3, 2, 1)
"""Possible numbers of images, which make one row or full rows."""


def write(plan: Plan, source: InputPipeline) -> None:
    """Writes the picture, unless there is one; logs a warning if it can't.

    The training is not affected: the random numbers of its steps depend on their number
    alone, and a user's layers are made anew.

    Args:
        plan: of a training for detection
        source: its input pipeline
    """
    path = plan.folder / folders.TRAIN_BATCH
    if path.exists():
        return
    try:
        with source.devices.alone():
            sheet = draw(plan, source)
        with files.atomic_file(path) as unfinished:
            unfinished.write_bytes(sheets.to_jpeg(sheet))
    except Exception as error:  # a training must not fail because of a picture
        logger.warning("'%s' can't be made: %s", path, error)


def draw(plan: Plan, source: InputPipeline) -> Image:
    """Returns the picture; see `write` for the arguments."""
    config = plan.config
    pixels, boxes, class_ids = augmented(plan, source)
    return sheets.make(
        [
            grid_views.truth(
                _resized(one),
                image_boxes[image_ids >= 0],
                image_ids[image_ids >= 0],
                config,
                plan.classes,
                neighbor_cells=config.neighbor_cells,
            )
            for one, image_boxes, image_ids in zip(
                pixels, boxes, class_ids, strict=True
            )
        ]
    )


def _resized(pixels: Array) -> Image:
    picture = PIL.Image.fromarray(np.round(255 * pixels).astype(np.uint8))
    size = (sheets.SIDE, sheets.SIDE)
    return picture.resize(size, PIL.Image.Resampling.BILINEAR)


def augmented(plan: Plan, source: InputPipeline) -> tuple[Array, Array, Array]:
    """Returns the first images of the first batch, as the network gets them.

    Args:
        plan: of the training
        source: its input pipeline

    Returns:
        (N, H, W, 3) float32 in [0, 1]; (N, M, 4) boxes in the squares; (N, M) class
        ids, -1 = no object; NumPy
    """
    config = plan.config
    size, n = config.batch_size, len(source.listing.ids)
    count = next(one for one in COUNTS if one <= size)
    rows = shuffling.rows_of_step(0, n, size, config.seed, source.sampler)
    if not (plan.augmentation or config.mosaic):
        rows = rows[:count]  # else the images of a batch depend on each other
    pixels, windows = _read(rows, source)
    boxes, class_ids = source.listing.objects.padded(rows, source.width, windows)
    batch: Any = map(ops.convert_to_tensor, (pixels, boxes, class_ids))
    if plan.augmentation:
        layer = augmentation_layer.build(plan.augmentation, config.seed)
        batch = layer(*batch)
    whole = augment.draw(config.seed, size, config)  # of step 0, as in `Draws`
    parameters = augment.Parameters(
        *(part if part is None else part[: len(rows)] for part in whole)
    )
    drawn = mosaic.draw(config.seed + 1, size) if config.mosaic else None
    pixels, boxes, class_ids = batch
    result = mosaic.augmented(pixels, boxes, class_ids, parameters, drawn, config)
    pixels, boxes, class_ids = (ops.convert_to_numpy(part)[:count] for part in result)
    return pixels, boxes, class_ids


def _read(rows: Array, source: InputPipeline) -> tuple[Array, Array | None]:
    """Returns the pixels of some images, and their windows if they are letterboxed."""
    if source.pixels is not None:
        windows = None if source.windows is None else source.windows[rows]
        return source.pixels[rows], windows
    config, listing = source.config, source.listing.take(rows)
    reads = image_loading.read_into_memory(
        listing.filepaths,
        config.image_size,
        parts=listing.parts,
        num_workers=config.num_workers,
        letterbox=config.letterbox,
        max_pixels=config.max_image_pixels,
    )
    for path, fault in reads.faults.items():
        raise ValueError(images.error_message(path, fault))
    return reads.pixels, reads.windows
