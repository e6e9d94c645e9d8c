"""Batches from decoded images: mode `host` (pixels) and mode `device` (row numbers).

A batch is `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy relative,
"class_ids": (N, M) int32, -1 = no object}`; M is fixed for a run.
"""

import itertools
import logging
from collections.abc import Iterator
from typing import Any

import humanize
import keras
import numpy as np

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.pipeline import tf_data_options
from yolov1_fo.pipeline.objects import RaggedBoxes
from yolov1_fo.pipeline.shuffling import ALL, Sampler, rows_of_step

logger = logging.getLogger(__name__)

MAX_MEMORY_SHARE = 0.4
"""Mode `auto` keeps images in memory if they fit in this part of the free memory."""
PREFETCH = 2
"""Batches that are prepared while the device computes an earlier one."""


def choose_data_mode(mode: str, n: int, image_size: int) -> str:
    """Returns the mode; for `auto` the first of device, host and stream that fits.

    Args:
        mode: device, host, stream or auto
        n: number of images
        image_size: side of the images, in pixels
    """
    if mode != "auto":
        return mode
    needed = n * image_size * image_size * 3
    memories = {
        "device": hardware.free_device_memory(),
        "host": hardware.free_host_memory(),
    }
    free = {name: size for name, size in memories.items() if size is not None}
    fits = (name for name in free if needed <= MAX_MEMORY_SHARE * free[name])
    chosen = next(fits, "stream")
    logger.info(
        "data '%s': %d images need %s; free: %s",
        chosen,
        n,
        humanize.naturalsize(needed),
        ", ".join(
            f"{humanize.naturalsize(size)} ({name})" for name, size in free.items()
        ),
    )
    return chosen


class HostBatches(keras.utils.PyDataset):
    """Endless batches from decoded images in memory.

    Batch `step` is a function of the seed and `step`, counted through all epochs. It
    has no length: with one, Keras would begin an epoch before it reports the end of the
    epoch before.

    Args:
        pixels: (N, H, W, 3) uint8
        objects: the images' objects
        batch_size: images per batch; a remainder is left out, other images each epoch
        seed: seed of the order
        width: M of the batches' boxes
        first_step (0): step of the first batch
        part (all): slice of each batch to return
        places (False): adds "places" (N,) int32, the images' positions in the full
            batch
        windows (None): of letterboxed images, see `RaggedBoxes.padded`
        sampler (None): draws the images of each epoch, if they have weights
    """

    def __init__(
        self,
        pixels: Array,
        objects: RaggedBoxes,
        *,
        batch_size: int,
        seed: int,
        width: int,
        first_step: int = 0,
        part: slice = ALL,
        places: bool = False,
        windows: Array | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        super().__init__()
        self.pixels, self.objects, self.windows = pixels, objects, windows
        self.batch_size, self.seed, self.width = batch_size, seed, width
        self.first_step, self.part, self.places = first_step, part, places
        self.sampler = sampler

    @property
    def num_batches(self) -> None:
        """None: there is no last batch."""
        return

    def __getitem__(self, index: int) -> tuple[dict[str, Array]]:
        step = self.first_step + index
        n, size = len(self.pixels), self.batch_size
        rows = rows_of_step(step, n, size, self.seed, self.sampler)
        batch = self.batch(rows[self.part])
        if self.places:
            batch["places"] = np.arange(self.batch_size, dtype=np.int32)[self.part]
        return (batch,)

    def batch(self, rows: Array) -> dict[str, Array]:
        """Returns the images of some rows with their objects."""
        windows = None if self.windows is None else self.windows[rows]
        boxes, class_ids = self.objects.padded(rows, self.width, windows)
        return {"images": self.pixels[rows], "boxes": boxes, "class_ids": class_ids}

    def endless(self) -> Any:
        """Returns an iterable for `fit`: on TensorFlow a `tf.data.Dataset`, else self.

        On TensorFlow, Keras would wrap a PyDataset in an autotuned dataset, which ends
        late: see `tf_data_options.without_autotune`.
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

        dataset = tf.data.Dataset.from_generator(
            tf_data_options.weakly(batches), output_signature=signature
        )
        dataset = tf_data_options.without_autotune(dataset.prefetch(PREFETCH))
        return tf_data_options.keep_alive(dataset, batches)


class DeviceBatches(HostBatches):
    """Endless batches of row numbers, for a `Learner` that holds all images."""

    def batch(self, rows: Array) -> dict[str, Array]:
        """Returns `{"rows": (N,) int32}`."""
        return {"rows": rows.astype(np.int32)}
