"""Batches decoded from files as they are needed: mode `stream`."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS
from yolov1_fo.image_files import letterboxing
from yolov1_fo.pipeline import image_loading, tf_data_options
from yolov1_fo.pipeline.batches import PREFETCH
from yolov1_fo.pipeline.listing import Listing

logger = logging.getLogger(__name__)


def stream_batches(
    listing: Listing,
    rows: Callable[[], Iterator[int]],
    *,
    image_size: int,
    batch_size: int,
    width: int,
    replace: bool = False,
    drop_remainder: bool = True,
    num_workers: int = 0,
    failed: dict[str, str] | None = None,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Any:
    """Returns a `tf.data.Dataset` of batches, see `pipeline.batches`.

    Args:
        listing: files and objects
        rows: returns an iterator over the rows of the listing to read
        image_size: side of the images, in pixels
        batch_size: images per batch
        width: M of the batches' boxes
        replace (False): reads the next readable file in place of an unreadable one, so
            that all later batches stay the same; else the file is left out
        drop_remainder (True): leaves out the last batch if it is not full
        num_workers (0): threads that decode; 0 uses one per CPU core
        failed (None): dictionary to which unreadable files and their faults are added
        letterbox (False): keeps the aspect ratio of images and fills the rest with
            gray; boxes are relative to the square
        max_pixels (200 million): larger images are skipped before they are decoded
    """
    import tensorflow as tf

    failed = {} if failed is None else failed

    def read(row: int) -> images.ReadResult:
        part = None if listing.parts is None else listing.parts[row]
        return images.decode_parts(
            listing.filepaths[row],
            (part,),
            image_size,
            max_pixels=max_pixels,
            letterbox=letterbox,
        )[0]

    read_row = _reader(listing.filepaths, image_size, replace, failed, read)

    def padded(rows: Array, sizes: Array) -> tuple[Array, Array]:
        windows = letterboxing.windows(sizes, image_size) if letterbox else None
        return listing.objects.padded(rows, width, windows)

    batches = (
        tf.data.Dataset.from_generator(
            tf_data_options.weakly(rows), output_signature=tf.TensorSpec((), tf.int64)
        )
        .map(
            _read_op(read_row, image_size),
            num_parallel_calls=image_loading.thread_count(num_workers),
        )
        .filter(lambda row, pixels, size, ok: ok)
        .map(lambda row, pixels, size, ok: (row, pixels, size))
        .batch(batch_size, drop_remainder=drop_remainder)
        .map(_objects_op(padded, width))
        .prefetch(PREFETCH)
    )
    batches = tf_data_options.without_autotune(batches)
    return tf_data_options.keep_alive(batches, rows, read_row, padded)


def _reader(
    paths: list[str],
    image_size: int,
    replace: bool,
    failed: dict[str, str],
    read: Callable[[int], images.ReadResult],
) -> Callable[[int], tuple[int, Array, Array, bool]]:
    """Returns a function that reads the image of a row.

    It returns the row that was read, its pixels, height and width of its file, and
    whether it could be read.
    """

    def read_row(row: int) -> tuple[int, Array, Array, bool]:
        replacements = range(row + 1, row + len(paths)) if replace else ()
        for candidate in (row, *replacements):
            candidate %= len(paths)
            path = paths[candidate]
            if path in failed:
                continue
            image, fault, size = read(candidate)
            if image is not None and fault is None:
                return candidate, image, np.array(size, np.int64), True
            logger.warning("skipped: %s", images.error_message(path, fault))
            failed[path] = str(fault)
        if replace:
            raise ValueError("none of the images can be decoded")
        nothing = np.zeros((image_size, image_size, 3), np.uint8)
        return row, nothing, np.ones(2, np.int64), False

    return read_row


def _read_op(read_row: Callable[..., Any], image_size: int) -> Callable[..., Any]:
    """Returns a TensorFlow function from a row to the results of `read_row`."""
    import tensorflow as tf

    types = (tf.int64, tf.uint8, tf.int64, tf.bool)
    shapes = ((), (image_size, image_size, 3), (2,), ())

    def read(row: Any) -> tuple[Any, ...]:
        found = tf.numpy_function(tf_data_options.weakly(read_row), [row], types)
        return tuple(map(tf.ensure_shape, found, shapes))

    return read


def _objects_op(padded: Callable[..., Any], width: int) -> Callable[..., Any]:
    """Returns a TensorFlow function from rows (N,), images and sizes to a batch."""
    import tensorflow as tf

    types = (tf.float32, tf.int32)

    def with_objects(rows: Any, pixels: Any, sizes: Any) -> dict[str, Any]:
        boxes, class_ids = tf.numpy_function(
            tf_data_options.weakly(padded), [rows, sizes], types
        )
        shape = pixels.shape[0], width
        return {
            "images": pixels,
            "boxes": tf.ensure_shape(boxes, (*shape, 4)),
            "class_ids": tf.ensure_shape(class_ids, shape),
        }

    return with_objects
