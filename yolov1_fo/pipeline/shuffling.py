"""The order in which a training sees its images: a function of seed and step alone.

Steps are counted from 0 through all epochs, so that a resumed training continues where
it was interrupted.
"""

import functools
import itertools
from collections.abc import Iterator

import numpy as np

from yolov1_fo.boxes import Array

ALL = slice(None)


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Returns how many full batches `n` images make."""
    return n // batch_size


@functools.lru_cache(maxsize=2)
def epoch_order(n: int, seed: int, epoch: int) -> Array:
    """Returns the permutation of `n` images in an epoch; it differs in each epoch."""
    rows = np.random.default_rng([seed, epoch]).permutation(n)
    rows.flags.writeable = False  # the cache shares it
    return rows


def rows_of_step(step: int, n: int, batch_size: int, seed: int) -> Array:
    """Returns the rows (batch_size,) of the images in the batch of a step.

    The images that do not fill a batch are left out; others in each epoch.
    """
    epoch, batch = divmod(step, steps_per_epoch(n, batch_size))
    return epoch_order(n, seed, epoch)[batch * batch_size : (batch + 1) * batch_size]


def rows_from_step(
    step: int, n: int, batch_size: int, seed: int, part: slice = ALL
) -> Iterator[int]:
    """Yields the rows of the images from a step on, endlessly.

    Args:
        step: first step
        n: number of images
        batch_size: images per step
        seed: seed of the order
        part (all): slice of each batch
    """
    for later in itertools.count(step):
        yield from rows_of_step(later, n, batch_size, seed)[part].tolist()
