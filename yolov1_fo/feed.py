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

    Attributes:
        listing: what is left of `listing`
        batches: for `Learner.fit`; they never end
        steps: batches an epoch
        validator: measures mAP; None without `val`
        skipped: image files that were left out, and why; may grow while it streams

    Raises:
        ValueError: if too few images can be read
    """

    def __init__(
        self, config: TrainConfig, listing: data.Listing, val: data.Listing | None
    ) -> None:
        self.skipped: dict[str, str] = {}
        images = len(listing.filepaths) + (len(val.filepaths) if val else 0)
        self.mode = data.choose(config.data, images, config.side)
        self.listing, pixels = self._readable(listing, config)
        check_batch_size(config, len(self.listing.filepaths))
        self.steps = data.steps_per_epoch(
            len(self.listing.filepaths), config.batch_size
        )
        if self.steps % config.steps_per_execution:
            raise ValueError(
                f"steps_per_execution {config.steps_per_execution} must divide the "
                f"{self.steps} steps of an epoch"
            )
        self.batches = self._batches(config, pixels)
        self.validator = None
        if val is not None:
            val, pixels = self._readable(val, config)
            if not len(val.objects.class_ids):
                raise ValueError("val_samples has no readable image with an object")
            self.validator = callbacks.Validator(val, config, pixels, self.skipped)

    def _batches(self, config: TrainConfig, pixels: Array | None) -> Any:
        options: dict[str, Any] = {
            "batch_size": config.batch_size,
            "seed": config.seed,
            "width": max(self.listing.objects.most(), 1),
        }
        if pixels is not None:
            return data.HostBatches(pixels, self.listing.objects, **options)
        return data.stream(
            self.listing,
            side=config.side,
            workers=config.workers,
            failed=self.skipped,
            **options,
        )

    def _readable(
        self, listing: data.Listing, config: TrainConfig
    ) -> tuple[data.Listing, Array | None]:
        paths = listing.filepaths
        bad = reading.find_bad(paths, config.workers)
        listing = listing.take([i for i, path in enumerate(paths) if path not in bad])
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
