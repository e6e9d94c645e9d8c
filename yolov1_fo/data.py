"""Samples to batches on the device: `stream` from the files, `host` from memory.

A batch is `{"images": (N, side, side, 3) uint8, "boxes": (N, M, 4) float32 xyxy,
"class_ids": (N, M) int32, -1 = no object}`; M is fixed for a run.
"""

import itertools
import logging
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import psutil

from yolov1_fo import labels, reading
from yolov1_fo import samples as fo_samples
from yolov1_fo.boxes import Array

logger = logging.getLogger(__name__)

HOST_SHARE = 0.4
"""`auto` keeps images in memory if they take at most this part of what is free."""


class Listing(NamedTuple):
    """What a collection offers to learn from.

    Attributes:
        ids: sample ids
        filepaths: image files
        objects: their objects, flat
        ignored: objects that are no targets, but no false finds either
        dropped: how many objects are no targets
    """

    ids: list[str]
    filepaths: list[str]
    objects: labels.Objects
    ignored: labels.Objects
    dropped: labels.Dropped

    def take(self, rows: Sequence[int]) -> "Listing":
        """Returns the listing of some samples."""
        return Listing(
            [self.ids[row] for row in rows],
            [self.filepaths[row] for row in rows],
            self.objects.take(rows),
            self.ignored.take(rows),
            self.dropped,
        )


def load(samples: fo_samples.Samples, gt_field: str, classes: Sequence[str]) -> Listing:
    """Returns the files and objects of a checked collection.

    Raises:
        ValueError: if `classes` lacks a label
    """
    records = fo_samples.read(samples, gt_field)
    objects, ignored, dropped = labels.from_detections(
        records.labels, records.bounding_boxes, records.ignored, classes
    )
    if dropped.other_class:
        present = {label for row in records.labels for label in row}
        lacking = sorted(str(label) for label in present - set(classes))
        raise ValueError(
            f"classes lack labels of '{gt_field}' on {fo_samples.name(samples)}: "
            f"{', '.join(lacking)}; add them, or filter the view"
        )
    return Listing(records.ids, records.filepaths, objects, ignored, dropped)


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Returns how many full batches `n` images make."""
    return n // batch_size


def order(n: int, seed: int, epoch: int) -> Array:
    """Returns in which order an epoch shows `n` images; each epoch has its own."""
    return np.random.default_rng([seed, epoch]).permutation(n)


def rows_of(step: int, n: int, batch_size: int, seed: int) -> Array:
    """Returns which of `n` images a step shows, counted from 0 through all epochs."""
    epoch, place = divmod(step, steps_per_epoch(n, batch_size))
    return order(n, seed, epoch)[place * batch_size : (place + 1) * batch_size]


def choose(mode: str, n: int, side: int) -> str:
    """Returns host or stream; says why if it was asked to choose."""
    if mode != "auto":
        return mode
    needed, free = n * side * side * 3, psutil.virtual_memory().available
    chosen = "host" if needed <= HOST_SHARE * free else "stream"
    logger.info(
        "data '%s': %d images take %.1f GB of %.1f GB free memory",
        chosen,
        n,
        needed / 1e9,
        free / 1e9,
    )
    return chosen


class HostBatches(keras.utils.PyDataset):
    """Batches from images that were decoded once and stand in memory; they never end.

    Batch `step` is a function of the seed and `step`, counted through all epochs. A
    length of its own would let Keras begin an epoch before it says that one has ended.

    Args:
        pixels: (N, side, side, 3) uint8
        objects: their objects
        batch_size: images a batch; a remainder is left out, another one each epoch
        seed: of the order
        width: M of the batches' boxes
    """

    def __init__(
        self,
        pixels: Array,
        objects: labels.Objects,
        *,
        batch_size: int,
        seed: int,
        width: int,
    ) -> None:
        super().__init__()
        self.pixels, self.objects = pixels, objects
        self.batch_size, self.seed, self.width = batch_size, seed, width

    @property
    def num_batches(self) -> None:
        """None: there is always another."""
        return

    def __getitem__(self, step: int) -> tuple[dict[str, Array]]:
        rows = rows_of(step, len(self.pixels), self.batch_size, self.seed)
        return (_batch(self.pixels[rows], self.objects, rows, self.width),)


def _batch(
    pixels: Array, objects: labels.Objects, rows: Array, width: int
) -> dict[str, Array]:
    boxes, class_ids = objects.padded(rows, width)
    return {"images": pixels, "boxes": boxes, "class_ids": class_ids}


def stream(
    listing: Listing,
    *,
    side: int,
    batch_size: int,
    seed: int | None,
    width: int,
    epochs: int | None = None,
    drop_remainder: bool = True,
    workers: int = 0,
    failed: dict[str, str] | None = None,
) -> Any:
    """Returns a `tf.data.Dataset` of batches, decoded from files as they are needed.

    A file that can't be decoded is left out, and noted.

    Args:
        listing: files and objects
        side: of the images, in pixels
        batch_size: images a batch
        seed: of the order, another one each epoch; None keeps the listing's
        width: M of the batches' boxes
        epochs (None): passes over the files; None never ends
        drop_remainder (True): leaves out what does not fill a batch
        workers (0): threads that decode; 0 takes one a core
        failed (None): is told which files could not be decoded, and why
    """
    import tensorflow as tf

    n = len(listing.filepaths)
    failed = {} if failed is None else failed
    full = steps_per_epoch(n, batch_size) * batch_size if drop_remainder else n

    def indices() -> Iterator[int]:
        for epoch in itertools.count() if epochs is None else range(epochs):
            if n and len(failed.keys() & set(listing.filepaths)) == n:
                raise ValueError("none of the images can be decoded")
            shown = np.arange(n) if seed is None else order(n, seed, epoch)
            yield from shown[:full].tolist()

    def pixels_of(row: int) -> tuple[Array, bool]:
        image, fault = reading.read(listing.filepaths[row], side)
        if image is None:
            if listing.filepaths[row] not in failed:
                logger.warning("skipped: %s", fault)
            failed[listing.filepaths[row]] = str(fault)
            return np.zeros((side, side, 3), np.uint8), False
        return image, True

    def read(row: Any) -> tuple[Any, Any, Any]:
        image, ok = tf.numpy_function(pixels_of, [row], (tf.uint8, tf.bool))
        return row, tf.ensure_shape(image, (side, side, 3)), tf.ensure_shape(ok, ())

    def with_objects(rows: Any, pixels: Any) -> dict[str, Any]:
        boxes, class_ids = tf.numpy_function(
            lambda rows: listing.objects.padded(rows, width),
            [rows],
            (tf.float32, tf.int32),
        )
        shape = pixels.shape[0], width
        return {
            "images": pixels,
            "boxes": tf.ensure_shape(boxes, (*shape, 4)),
            "class_ids": tf.ensure_shape(class_ids, shape),
        }

    rows = tf.data.Dataset.from_generator(
        indices, output_signature=tf.TensorSpec((), tf.int64)
    )
    return (
        rows.map(read, num_parallel_calls=reading.threads(workers))
        .filter(lambda row, pixels, ok: ok)
        .map(lambda row, pixels, ok: (row, pixels))
        .batch(batch_size, drop_remainder=drop_remainder)
        .map(with_objects)
        .prefetch(2)
    )


def to_tf_dataset(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    *,
    classes: Sequence[str] | None = None,
    side: int = 448,
    batch_size: int = 16,
    shuffle: bool = False,
    seed: int = 0,
    epochs: int = 1,
    drop_remainder: bool = False,
    workers: int = 0,
) -> Any:
    """Returns a `tf.data.Dataset` of uint8 images with padded boxes, for your own loop.

    Images that are missing, cut or can't be decoded are skipped and named.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): its field of Detections
        classes (None): names in the order of their ids; by default the dataset's
        side (448): images are squashed to side x side, in pixels
        batch_size (16): images a batch
        shuffle (False): another order each epoch
        seed (0): of the order
        epochs (1): passes over the samples
        drop_remainder (False): leaves out a last batch that is not full
        workers (0): threads that decode; 0 takes one a core

    Returns:
        batches `{"images": (N, side, side, 3) uint8, "boxes": (N, M, 4) float32 xyxy
        relative, "class_ids": (N, M) int32, -1 = no object}`

    Raises:
        ValueError: if the collection, the field or a class does not fit
    """
    fo_samples.check_images(samples)
    fo_samples.check_detections(samples, gt_field, "gt_field")
    if side < 1 or batch_size < 1:
        raise ValueError(
            f"side and batch_size must be at least 1, got {side} and {batch_size}"
        )
    listing = load(samples, gt_field, fo_samples.classes_of(samples, gt_field, classes))
    bad = reading.find_bad(listing.filepaths, workers)
    for path, fault in bad.items():
        logger.warning("skipped '%s': %s", path, fault)
    good = [i for i, path in enumerate(listing.filepaths) if path not in bad]
    listing = listing.take(good)
    return stream(
        listing,
        side=side,
        batch_size=batch_size,
        seed=seed if shuffle else None,
        width=max(listing.objects.most(), 1),
        epochs=epochs,
        drop_remainder=drop_remainder,
        workers=workers,
    )
