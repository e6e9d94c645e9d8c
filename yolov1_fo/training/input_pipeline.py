"""The batches of a training and its validator, without images that can't be read."""

from typing import Any

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.pipeline import batches as batching
from yolov1_fo.pipeline import (
    image_cache,
    listing,
    sampling,
    shuffling,
    streaming,
    tiling,
)
from yolov1_fo.pipeline.listing import split_readable
from yolov1_fo.runs import folders
from yolov1_fo.training import validation
from yolov1_fo.training.distribution import Devices
from yolov1_fo.training.learner import Learner
from yolov1_fo.training.plan import Plan, check_batch_size
from yolov1_fo.training.tasks import CLASSIFY


class InputPipeline:
    """The batches of a training, and its validator.

    Args:
        plan: of the training
        devices: that share each batch; each process reads its part

    Attributes:
        mode: stream, host or device
        listing: the readable images of the training split, with their tiles
        sampler: draws them by their weights; None if each is used once per epoch
        steps: batches per epoch
        validator: measures a network on the validation split; None without
        skipped: image files that were skipped, with the reason; may grow in `stream`

    Raises:
        ValueError: if too few images can be read
    """

    def __init__(self, plan: Plan, devices: Devices) -> None:
        self.config = config = plan.config
        self.folder, self.devices = folders.image_cache_folder(plan.folder), devices
        self.skipped: dict[str, str] = {}
        val = plan.validation if devices.is_first else None
        self.mode = self._choose_mode(plan, val)
        self.listing, self.pixels, self.windows = self._readable(plan.listing)
        n = len(self.listing.filepaths)
        check_batch_size(config, n)
        self.sampler = sampling.make_sampler(
            self.listing, config.sample_weights, config.negative_fraction
        )
        self.steps = shuffling.steps_per_epoch(n, config.batch_size)
        if self.steps % config.steps_per_execution:
            raise ValueError(
                f"steps_per_execution {config.steps_per_execution} must divide the "
                f"{self.steps} steps of an epoch"
            )
        if config.gradient_accumulation_steps > self.steps * config.epochs:
            raise ValueError(
                f"gradient_accumulation_steps {config.gradient_accumulation_steps} "
                f"must be at most the {self.steps * config.epochs} steps of the "
                "training"
            )
        self.validator = self._make_validator(plan, val)

    @property
    def width(self) -> int:
        """Largest number of boxes in an image: M of the batches."""
        return self.listing.objects.padding_width()

    def move_to_device(self, learner: Learner) -> None:
        """Copies all images to the device, in mode `device`."""
        if self.mode == "device":
            objects, rows = self.listing.objects, np.arange(len(self.listing.ids))
            boxes, class_ids = objects.padded(rows, self.width, self.windows)
            with self.devices.scope():
                learner.hold(
                    {"images": self.pixels, "boxes": boxes, "class_ids": class_ids}
                )

    def batches(self, first_step: int = 0) -> Any:
        """Returns the endless batches for `Learner.fit`, from a step on."""
        if self.pixels is None:
            return self._streamed(first_step)
        is_on_device = self.mode == "device"
        kind = batching.DeviceBatches if is_on_device else batching.HostBatches
        kept = kind(
            self.pixels,
            self.listing.objects,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            width=self.width,
            first_step=first_step,
            part=self.devices.part(self.config.batch_size),
            places=self.devices.replicas > 1,
            windows=self.windows,
            sampler=self.sampler,
        )
        return kept.endless()

    def _streamed(self, first_step: int) -> Any:
        config, n = self.config, len(self.listing.filepaths)
        size, part = config.batch_size, self.devices.part(config.batch_size)
        order = (first_step, n, size, config.seed, part, self.sampler)
        stream = streaming.stream_batches(
            self.listing,
            lambda: shuffling.rows_from_step(*order),
            image_size=config.image_size,
            batch_size=size // self.devices.processes,
            width=self.width,
            replace=True,
            num_workers=config.num_workers,
            failed=self.skipped,
            letterbox=config.letterbox,
            max_pixels=config.max_image_pixels,
        )
        if self.devices.replicas == 1:
            return stream
        places = np.arange(size, dtype=np.int32)
        return stream.map(lambda batch: {**batch, "places": places})

    def _choose_mode(self, plan: Plan, val: listing.Listing | None) -> str:
        mode = self.config.data
        if mode == "auto" and self.devices.processes > 1:  # each decodes only its part
            mode = "stream"
        images = len(plan.listing.filepaths) + (len(val.filepaths) if val else 0)
        images *= tiling.count(self.config.tiles)
        return batching.choose_data_mode(mode, images, self.config.image_size)

    def _make_validator(
        self, plan: Plan, val: listing.Listing | None
    ) -> validation.Validator | None:
        if val is None:
            return None
        listing, pixels, windows = self._readable(val)
        if not len(listing.objects.class_ids):
            raise ValueError("val_samples has no readable image with an object")
        kind = validation.Validator
        if plan.task is CLASSIFY:
            kind = validation.ClassifierValidator
        return kind(listing, self.config, pixels, self.skipped, windows, plan.classes)

    def _readable(
        self, listing: listing.Listing
    ) -> tuple[listing.Listing, Array | None, Array | None]:
        """Returns the readable images of a split: files and objects, pixels, windows.

        Tiles count as images. The pixels are None if they are streamed, the windows
        also if the images are not letterboxed.
        """
        config = self.config
        if self.mode == "stream":
            listing, bad = split_readable(
                listing, config.num_workers, config.max_image_pixels
            )
            self.skipped |= bad
            return listing.tiled(config.tiles), None, None
        listing = listing.tiled(config.tiles)
        pixels, bad, windows = image_cache.load(
            listing.filepaths,
            config.image_size,
            self.folder,
            limit=1e9 * config.cache_gb,
            num_workers=config.num_workers,
            letterbox=config.letterbox,
            max_pixels=config.max_image_pixels,
            parts=listing.parts,
        )
        paths = enumerate(listing.filepaths)
        listing = listing.take([row for row, path in paths if path not in bad])
        self.skipped |= bad
        return listing, pixels, windows
