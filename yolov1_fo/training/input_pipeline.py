"""Feeds a training with its images, without those that can't be read."""

from pathlib import Path
from typing import Any

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import batches as batching
from yolov1_fo.pipeline import image_cache
from yolov1_fo.training import callbacks
from yolov1_fo.training.distribution import ONE, Devices
from yolov1_fo.training.learner import Learner


class Feed:
    """Batches to learn from, and what measures the network.

    Args:
        config: of the training
        listing: files and objects to learn from
        val (None): to measure on
        folder (None): where decoded images are kept for the next run
        classifies (False): whether the network is a classifier
        devices (one): that share each batch; each worker reads its part

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
        listing: batching.Listing,
        val: batching.Listing | None,
        folder: Path | None = None,
        *,
        classifies: bool = False,
        devices: Devices = ONE,
    ) -> None:
        self.config, self.folder, self.devices = config, folder, devices
        self.skipped: dict[str, str] = {}
        images = len(listing.filepaths) + (len(val.filepaths) if val else 0)
        mode = config.data
        if mode == "auto" and devices.processes > 1:  # each decodes its part only
            mode = "stream"
        self.mode = batching.choose(mode, images, config.image_size)
        self.listing, self.pixels = self._readable(listing)
        check_batch_size(config, len(self.listing.filepaths))
        n = len(self.listing.filepaths)
        self.steps = batching.steps_per_epoch(n, config.batch_size)
        if self.steps % config.steps_per_execution:
            raise ValueError(
                f"steps_per_execution {config.steps_per_execution} must divide the "
                f"{self.steps} steps of an epoch"
            )
        self.validator = None
        if val is not None:
            val, val_pixels = self._readable(val)
            if not len(val.objects.class_ids):
                raise ValueError("val_samples has no readable image with an object")
            validator = (
                callbacks.ClassifierValidator if classifies else callbacks.Validator
            )
            self.validator = validator(val, config, val_pixels, self.skipped)

    @property
    def width(self) -> int:
        """M of the batches' boxes."""
        return max(self.listing.objects.most(), 1)

    def hand_over(self, learner: Learner) -> None:
        """Puts all images on the device, if they are to be there."""
        if self.mode == "device":
            objects, rows = self.listing.objects, np.arange(len(self.listing.ids))
            boxes, class_ids = objects.padded(rows, self.width)
            with self.devices.scope():
                learner.hold(
                    {"images": self.pixels, "boxes": boxes, "class_ids": class_ids}
                )

    def batches(self, first_step: int = 0) -> Any:
        """Returns what `Learner.fit` learns from, from a step on; it never ends."""
        config, listing = self.config, self.listing
        size, width = config.batch_size, self.width
        part, places = self.devices.part(size), self.devices.replicas > 1
        if self.pixels is not None:
            kind = (
                batching.DeviceBatches
                if self.mode == "device"
                else batching.HostBatches
            )
            kept = kind(
                self.pixels,
                listing.objects,
                batch_size=size,
                seed=config.seed,
                width=width,
                first_step=first_step,
                part=part,
                places=places,
            )
            return kept.endless()
        n = len(listing.filepaths)
        stream = batching.stream(
            listing,
            lambda: batching.rows_from(first_step, n, size, config.seed, part),
            image_size=config.image_size,
            batch_size=size // self.devices.processes,
            width=width,
            replace=True,
            num_workers=config.num_workers,
            failed=self.skipped,
            max_pixels=config.max_image_pixels,
        )
        if not places:
            return stream
        numbers = np.arange(size, dtype=np.int32)
        return stream.map(lambda batch: {**batch, "places": numbers})

    def _readable(
        self, listing: batching.Listing
    ) -> tuple[batching.Listing, Array | None]:
        config = self.config
        if self.mode == "stream":
            listing, bad = batching.readable(
                listing, config.num_workers, config.max_image_pixels
            )
            self.skipped |= bad
            return listing, None
        kept, bad = image_cache.load(
            listing.filepaths,
            config.image_size,
            self.folder,
            limit=1e9 * config.cache_gb,
            num_workers=config.num_workers,
            max_pixels=config.max_image_pixels,
        )
        paths = enumerate(listing.filepaths)
        listing = listing.take([row for row, path in paths if path not in bad])
        self.skipped |= bad
        return listing, kept


def check_batch_size(config: TrainConfig, n: int) -> None:
    """Raises a ValueError if a batch is larger than all training images."""
    if config.batch_size > n:
        raise ValueError(
            f"batch_size {config.batch_size} must be at most the number of readable "
            f"training images, got {n}"
        )
