"""Feeds a training with its images, without those that can't be read."""

from typing import Any

from yolov1_fo import callbacks, data, reading
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig


class Feed:
    """Batches to learn from, and what measures the network.

    Args:
        config: of the training
        listing: files and objects to learn from
        val (None): to measure on
        classifies (False): whether the network is a classifier

    Attributes:
        listing: what is left of `listing`
        steps: batches an epoch
        validator: measures mAP; None without `val`
        skipped: image files that were left out, and why; may grow while it streams

    Raises:
        ValueError: if too few images can be read
    """

    def __init__(
        self,
        config: TrainConfig,
        listing: data.Listing,
        val: data.Listing | None,
        *,
        classifies: bool = False,
    ) -> None:
        self.config = config
        self.skipped: dict[str, str] = {}
        images = len(listing.filepaths) + (len(val.filepaths) if val else 0)
        self.mode = data.choose(config.data, images, config.side)
        self.listing, self.pixels = self._readable(listing)
        check_batch_size(config, len(self.listing.filepaths))
        n = len(self.listing.filepaths)
        self.steps = data.steps_per_epoch(n, config.batch_size)
        if self.steps % config.steps_per_execution:
            raise ValueError(
                f"steps_per_execution {config.steps_per_execution} must divide the "
                f"{self.steps} steps of an epoch"
            )
        self.validator = None
        if val is not None:
            val, pixels = self._readable(val)
            if not len(val.objects.class_ids):
                raise ValueError("val_samples has no readable image with an object")
            validator = (
                callbacks.ClassifierValidator if classifies else callbacks.Validator
            )
            self.validator = validator(val, config, pixels, self.skipped)

    def batches(self, first_step: int = 0) -> Any:
        """Returns what `Learner.fit` learns from, from a step on; it never ends."""
        config, listing = self.config, self.listing
        size, width = config.batch_size, max(listing.objects.most(), 1)
        if self.pixels is not None:
            return data.HostBatches(
                self.pixels,
                listing.objects,
                batch_size=size,
                seed=config.seed,
                width=width,
                first_step=first_step,
            )
        n = len(listing.filepaths)
        return data.stream(
            listing,
            lambda: data.rows_from(first_step, n, size, config.seed),
            side=config.side,
            batch_size=size,
            width=width,
            replace=True,
            workers=config.workers,
            failed=self.skipped,
        )

    def _readable(self, listing: data.Listing) -> tuple[data.Listing, Array | None]:
        config = self.config
        listing, bad = data.readable(listing, config.workers)
        pixels = None
        if self.mode == "host":
            pixels, unread = reading.read_into_memory(
                listing.filepaths, config.side, workers=config.workers
            )
            rows = [i for i, path in enumerate(listing.filepaths) if path not in unread]
            if unread:
                listing, pixels, bad = listing.take(rows), pixels[rows], bad | unread
        self.skipped |= bad
        return listing, pixels


def check_batch_size(config: TrainConfig, n: int) -> None:
    """Raises a ValueError if a batch is larger than all training images."""
    if config.batch_size > n:
        raise ValueError(
            f"batch_size {config.batch_size} must be at most the number of readable "
            f"training images, got {n}"
        )
