"""Samples to batches: `stream` from the files, `host` from memory, `device` as rows.

A batch is `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy,
"class_ids": (N, M) int32, -1 = no object}`; M is fixed for a run.
"""

import functools
import itertools
import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from yolov1_fo import hardware, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS, units
from yolov1_fo.pipeline import image_loading
from yolov1_fo.pipeline.objects import Dropped, Objects

logger = logging.getLogger(__name__)

SHARE = 0.4
"""`auto` keeps images in memory that take at most this part of what is free."""
AHEAD = 2
"""So many batches are ready while the device computes an earlier one."""
ALL = slice(None)


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
    objects: Objects
    ignored: Objects
    dropped: Dropped

    def take(self, rows: Sequence[int]) -> "Listing":
        """Returns the listing of some samples."""
        return Listing(
            [self.ids[row] for row in rows],
            [self.filepaths[row] for row in rows],
            self.objects.take(rows),
            self.ignored.take(rows),
            self.dropped,
        )


def readable(
    listing: Listing, num_workers: int = 0, max_pixels: int = MAX_IMAGE_PIXELS
) -> tuple[Listing, dict[str, str]]:
    """Returns what is left without bad files, and what is wrong with each of these."""
    paths = listing.filepaths
    bad = image_loading.find_bad(paths, num_workers, max_pixels)
    good = [row for row, path in enumerate(paths) if path not in bad]
    return listing.take(good), bad


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Returns how many full batches `n` images make."""
    return n // batch_size


@functools.lru_cache(maxsize=2)
def order(n: int, seed: int, epoch: int) -> Array:
    """Returns in which order an epoch shows `n` images; each epoch has its own."""
    shown = np.random.default_rng([seed, epoch]).permutation(n)
    shown.flags.writeable = False
    return shown


def rows_of(step: int, n: int, batch_size: int, seed: int) -> Array:
    """Returns which of `n` images a step shows, counted from 0 through all epochs."""
    epoch, place = divmod(step, steps_per_epoch(n, batch_size))
    return order(n, seed, epoch)[place * batch_size : (place + 1) * batch_size]


def rows_from(
    step: int, n: int, batch_size: int, seed: int, part: slice = ALL
) -> Iterator[int]:
    """Yields the rows that are shown from a step on; there is always another.

    Args:
        step: to begin with
        n: images
        batch_size: of a step
        seed: of the order
        part (all): of each batch
    """
    for later in itertools.count(step):
        yield from rows_of(later, n, batch_size, seed)[part].tolist()


def choose(mode: str, n: int, image_size: int) -> str:
    """Returns device, host or stream; says why if it was asked to choose."""
    if mode != "auto":
        return mode
    needed = n * image_size * image_size * 3
    places = {
        "device": hardware.free_memory(),
        "host": hardware.host_memory(),
    }
    frees = {name: free for name, free in places.items() if free is not None}
    fits = (name for name, free in frees.items() if needed <= SHARE * free)
    chosen = next(fits, "stream")
    free_said = ", ".join(
        f"{units.of_bytes(free)} ({name})" for name, free in frees.items()
    )
    logger.info(
        "data '%s': %d images take %s; free are %s",
        chosen,
        n,
        units.of_bytes(needed),
        free_said,
    )
    return chosen


class HostBatches(keras.utils.PyDataset):
    """Batches from images that were decoded once and stand in memory; they never end.

    Batch `step` is a function of the seed and `step`, counted through all epochs. A
    length of its own would let Keras begin an epoch before it says that one has ended.

    Args:
        pixels: (N, H, W, 3) uint8
        objects: their objects
        batch_size: images a batch; a remainder is left out, another one each epoch
        seed: of the order
        width: M of the batches' boxes
        first_step (0): where to begin
        part (all): images of each batch to give
        places (False): tells where in the whole batch they stand, as "places"
    """

    def __init__(
        self,
        pixels: Array,
        objects: Objects,
        *,
        batch_size: int,
        seed: int,
        width: int,
        first_step: int = 0,
        part: slice = ALL,
        places: bool = False,
    ) -> None:
        super().__init__()
        self.pixels, self.objects = pixels, objects
        self.batch_size, self.seed, self.width = batch_size, seed, width
        self.first_step, self.part, self.places = first_step, part, places

    @property
    def num_batches(self) -> None:
        """None: there is always another."""
        return

    def __getitem__(self, index: int) -> tuple[dict[str, Array]]:
        step = self.first_step + index
        rows = rows_of(step, len(self.pixels), self.batch_size, self.seed)[self.part]
        batch = self.batch(rows)
        if self.places:
            batch["places"] = np.arange(self.batch_size, dtype=np.int32)[self.part]
        return (batch,)

    def batch(self, rows: Array) -> dict[str, Array]:
        """Returns images with their objects."""
        boxes, class_ids = self.objects.padded(rows, self.width)
        return {"images": self.pixels[rows], "boxes": boxes, "class_ids": class_ids}

    def endless(self) -> Any:
        """Returns what `fit` takes: on TensorFlow a `tf.data.Dataset`, which ends fast.

        Of anything else Keras makes one there that tunes itself, see `_untuned`.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        signature = {
            name: tf.TensorSpec(value.shape, value.dtype)
            for name, value in self[0][0].items()
        }

        def batches() -> Iterator[dict[str, Array]]:
            return (self[step][0] for step in itertools.count())

        made = tf.data.Dataset.from_generator(
            _lent(batches), output_signature=signature
        )
        return _lending(_untuned(made.prefetch(AHEAD)), batches)


class DeviceBatches(HostBatches):
    """The same as rows, for a `Learner` that holds all images."""

    def batch(self, rows: Array) -> dict[str, Array]:
        """Returns which images they are."""
        return {"rows": rows.astype(np.int32)}


def stream(
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
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Any:
    """Returns a `tf.data.Dataset` of batches, decoded from files as they are needed.

    Args:
        listing: files and objects
        rows: begins to tell which rows of the listing to show
        image_size: of the images, in pixels
        batch_size: images a batch
        width: M of the batches' boxes
        replace (False): the next file that can be decoded stands in for one that can't,
            so that no batch shifts; else it is left out
        drop_remainder (True): leaves out what does not fill a batch
        num_workers (0): threads that decode; 0 takes one a core
        failed (None): is told which files could not be decoded, and why
        max_pixels (200 million): an image of more is not decoded
    """
    import tensorflow as tf

    paths = listing.filepaths
    failed = {} if failed is None else failed

    def pixels_of(row: int) -> tuple[int, Array, bool]:
        stand_ins = range(row + 1, row + len(paths)) if replace else ()
        for candidate in (row, *stand_ins):
            path = paths[candidate % len(paths)]
            if path in failed:
                continue
            image, fault = image_loading.read(path, image_size, max_pixels=max_pixels)
            if image is not None and fault is None:
                return candidate % len(paths), image, True
            logger.warning("skipped: %s", images.told(path, fault))
            failed[path] = str(fault)
        if replace:
            raise ValueError("none of the images can be decoded")
        return row, np.zeros((image_size, image_size, 3), np.uint8), False

    def read(row: Any) -> tuple[Any, Any, Any]:
        types = (tf.int64, tf.uint8, tf.bool)
        row, image, ok = tf.numpy_function(_lent(pixels_of), [row], types)
        image = tf.ensure_shape(image, (image_size, image_size, 3))
        return tf.ensure_shape(row, ()), image, tf.ensure_shape(ok, ())

    def objects_of(rows: Array) -> tuple[Array, Array]:
        return listing.objects.padded(rows, width)

    def with_objects(rows: Any, pixels: Any) -> dict[str, Any]:
        types = (tf.float32, tf.int32)
        boxes, class_ids = tf.numpy_function(_lent(objects_of), [rows], types)
        shape = pixels.shape[0], width
        return {
            "images": pixels,
            "boxes": tf.ensure_shape(boxes, (*shape, 4)),
            "class_ids": tf.ensure_shape(class_ids, shape),
        }

    signature = tf.TensorSpec((), tf.int64)
    batches = _untuned(
        tf.data.Dataset.from_generator(_lent(rows), output_signature=signature)
        .map(read, num_parallel_calls=image_loading.threads(num_workers))
        .filter(lambda row, pixels, ok: ok)
        .map(lambda row, pixels, ok: (row, pixels))
        .batch(batch_size, drop_remainder=drop_remainder)
        .map(with_objects)
        .prefetch(AHEAD)
    )
    return _lending(batches, rows, pixels_of, objects_of)


def _lent(function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a function that calls another, and does not keep it.

    TensorFlow keeps for ever what a `tf.data.Dataset` calls, and that would keep its
    images: see `_lending`.
    """
    there = weakref.ref(function)

    def call(*args: Any) -> Any:
        function = there()
        if function is None:
            raise ReferenceError("the dataset is gone")
        return function(*args)

    return call


def _lending(batches: Any, *functions: Callable[..., Any]) -> Any:
    """Lets a `tf.data.Dataset` keep what it calls; its iterators keep it."""
    batches.lent = functions
    return batches


def _untuned(batches: Any) -> Any:
    """Returns a `tf.data.Dataset` that does not tune itself while it runs.

    What tunes it looks ever more seldom, up to once a minute, and whoever drops the
    dataset waits until it looks again: a training ended half as late again.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)
