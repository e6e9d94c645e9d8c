"""The order in which a training sees its images: a function of seed and step alone.

Steps are counted from 0 through all epochs, so that a resumed training continues where
it was interrupted.
"""

import functools
import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from yolov1_fo.boxes import Array

ALL = slice(None)


@dataclass(frozen=True, eq=False)
class Sampler:
    """Draws images in proportion to weights, with replacement.

    Attributes:
        weights: (N,) float64 of at least 0, with sum 1
        groups: (N,) ints; of each group, too, as many images are drawn as its share of
            the weights says, within 1
    """

    weights: Array
    groups: Array

    def draw(self, count: int, seed: int, epoch: int) -> Array:
        """Returns the rows (count,) of the images drawn in an epoch, shuffled.

        Each image is drawn `count * weight` times, rounded up or down (systematic
        resampling): drawn independently, the numbers would vary far more.
        """
        rng = np.random.default_rng([seed, epoch])
        order = rng.permutation(len(self.weights))
        order = order[np.argsort(self.groups[order], kind="stable")]
        ends = np.cumsum(self.weights[order])
        ends = np.floor(count * (ends / ends[-1]) + rng.uniform())
        drawn = np.repeat(order, np.diff(ends, prepend=0.0).astype(int))
        return rng.permutation(drawn)

    def digest(self) -> str:
        """Returns a SHA-256 hash of weights and groups."""
        groups = np.asarray(self.groups, np.int64)
        return hashlib.sha256(self.weights.tobytes() + groups.tobytes()).hexdigest()


def steps_per_epoch(n: int, batch_size: int) -> int:
    """Returns how many full batches `n` images make."""
    return n // batch_size


@functools.lru_cache(maxsize=2)
def epoch_order(n: int, seed: int, epoch: int) -> Array:
    """Returns the permutation of `n` images in an epoch; it differs in each epoch."""
    rows = np.random.default_rng([seed, epoch]).permutation(n)
    rows.flags.writeable = False  # the cache shares it
    return rows


@functools.lru_cache(maxsize=2)
def _drawn_order(sampler: Sampler, count: int, seed: int, epoch: int) -> Array:
    rows = sampler.draw(count, seed, epoch)
    rows.flags.writeable = False  # the cache shares it
    return rows


def rows_of_step(
    step: int, n: int, batch_size: int, seed: int, sampler: Sampler | None = None
) -> Array:
    """Returns the rows (batch_size,) of the images in the batch of a step.

    The images that do not fill a batch are left out; others in each epoch. With a
    sampler, only as many images are drawn as an epoch uses.
    """
    steps = steps_per_epoch(n, batch_size)
    epoch, batch = divmod(step, steps)
    if sampler is None:
        order = epoch_order(n, seed, epoch)
    else:
        order = _drawn_order(sampler, steps * batch_size, seed, epoch)
    return order[batch * batch_size : (batch + 1) * batch_size]


def rows_from_step(
    step: int,
    n: int,
    batch_size: int,
    seed: int,
    part: slice = ALL,
    sampler: Sampler | None = None,
) -> Iterator[int]:
    """Yields the rows of the images from a step on, endlessly.

    Args:
        step: first step
        n: number of images
        batch_size: images per step
        seed: seed of the order
        part (all): slice of each batch
        sampler (None): draws the images of each epoch
    """
    for later in itertools.count(step):
        rows = rows_of_step(later, n, batch_size, seed, sampler)
        yield from rows[part].tolist()
