"""to_tf_dataset(samples, ...): images and boxes as a `tf.data.Dataset`."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from yolov1_fo import images
from yolov1_fo.config import MAX_IMAGE_PIXELS, arguments
from yolov1_fo.datasets import checks, class_lists, connection, media_files
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.pipeline import shuffling, streaming
from yolov1_fo.pipeline.listing import split_readable
from yolov1_fo.training import examples

logger = logging.getLogger(__name__)


@connection.one_line_errors()
def to_tf_dataset(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    *,
    classes: Sequence[str] | None = None,
    image_size: int = 448,
    letterbox: bool = False,
    batch_size: int = 16,
    shuffle: bool = False,
    seed: int = 0,
    epochs: int = 1,
    drop_remainder: bool = False,
    num_workers: int = 0,
    max_image_pixels: int = MAX_IMAGE_PIXELS,
    media_field: str = media_files.FILEPATH,
) -> Any:
    """Returns a `tf.data.Dataset` of uint8 images and padded boxes, for your own loop.

    Files that are missing, truncated or not images are skipped and logged.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): its field of Detections
        classes (None): names in the order of their ids; by default the dataset's
        image_size (448): width and height that images are resized to, in pixels
        letterbox (False): keeps the aspect ratio of images and fills the rest with
            gray; boxes are relative to the square
        batch_size (16): images per batch
        shuffle (False): uses another order in each epoch
        seed (0): of the order
        epochs (1): passes over the samples
        drop_remainder (False): drops the last batch if it is not full
        num_workers (0): threads that decode images; 0 uses one per CPU core
        max_image_pixels (200 million): larger images are skipped
        media_field ("filepath"): the field with the image files, as paths or URLs

    Returns:
        batches `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy
        relative, "class_ids": (N, M) int32, -1 = no object}`

    Raises:
        ValueError: if the samples, the field or a class do not fit
    """
    samples = fo_samples.ungrouped(samples)
    checks.check_labeled(samples, gt_field, "gt_field")
    for argument, value in (("image_size", image_size), ("batch_size", batch_size)):
        arguments.check_integer(argument, value, 1)
    arguments.check_bool("letterbox", letterbox)
    names = class_lists.classes_of(samples, gt_field, classes)
    listing = examples.load(samples, gt_field, names, media_field)
    examples.warn_of_unused(listing, names, gt_field)
    listing, bad = split_readable(listing, num_workers, max_image_pixels)
    for path, fault in bad.items():
        logger.warning("skipped: %s", images.error_message(path, fault))
    n = len(listing.filepaths)

    def rows() -> Iterator[int]:
        for epoch in range(epochs):
            kept = shuffling.epoch_order(n, seed, epoch) if shuffle else np.arange(n)
            yield from kept[: n // batch_size * batch_size if drop_remainder else n]

    return streaming.stream_batches(
        listing,
        rows,
        image_size=image_size,
        batch_size=batch_size,
        width=listing.objects.padding_width(),
        drop_remainder=drop_remainder,
        num_workers=num_workers,
        letterbox=letterbox,
        max_pixels=max_image_pixels,
    )
