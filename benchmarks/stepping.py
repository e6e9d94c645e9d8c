"""Speed of training steps on photographs, compared with a batch in memory."""

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measuring, processes
from benchmarks.coco import read_coco
from benchmarks.measuring import Figure
from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import batches, image_cache, shuffling, streaming
from yolov1_fo.training.learner_builder import uncompiled

TARGETS = {"host": 1.05, "device": 1.05, "stream": 1.15}


class Repeated(batches.HostBatches):
    """Repeats the first batch."""

    @functools.cached_property
    def first(self) -> Any:
        """The first batch."""
        return super().__getitem__(0)

    def __getitem__(self, index: int) -> tuple[dict[str, Any]]:
        return self.first


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second of Fast YOLO in each data mode."""
    image_size, batch_size, steps = (64, 4, 3) if quick else (448, 16, 5)
    split = read_coco(photographs / "highway" / "train")
    listing = split.listing.take(range(40 if quick else 640))
    config = TrainConfig(
        network="fast-yolov1",
        image_size=image_size,
        batch_size=batch_size,
        C=len(split.classes),
    )
    pixels = image_cache.load(listing.filepaths, image_size).pixels
    width = listing.objects.max_per_image()
    boxes, class_ids = listing.objects.padded(np.arange(len(pixels)), width)
    options = {"batch_size": batch_size, "seed": 0, "width": width}
    learners = {name: uncompiled(config) for name in ("fed", "held")}
    for one in learners.values():
        one.prepare(100)
    learners["held"].hold({"images": pixels, "boxes": boxes, "class_ids": class_ids})
    n = len(pixels)

    def in_memory(kind: type[batches.HostBatches]) -> Any:
        return kind(pixels, listing.objects, **options).endless()

    feeds = {
        "synthetic": ("fed", in_memory(Repeated)),
        "host": ("fed", in_memory(batches.HostBatches)),
        "device": ("held", in_memory(batches.DeviceBatches)),
        "stream": (
            "fed",
            streaming.stream_batches(
                listing,
                lambda: shuffling.rows_from_step(0, n, batch_size, 0),
                image_size=image_size,
                batch_size=batch_size,
                width=width,
            ),
        ),
    }

    def fit(which: str, batches: Any) -> None:
        learners[which].fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    times = measuring.alternate(
        {name: lambda feed=feed: fit(*feed) for name, feed in feeds.items()},
        rounds=2 if quick else 9,
        warm_up=2,
    )
    what = f"training step of fast-yolov1, {image_size} px, batch {batch_size}"
    yield from _compare(what, steps * batch_size, times)
    yield Figure("peak memory of that process", processes.peak_gb(), "GB")


def _compare(what: str, n: int, times: dict[str, np.ndarray]) -> Iterator[Figure]:
    """Yields images per second of each data mode, and ratios."""
    for name, seconds in times.items():
        yield measuring.figure(f"{what}, {name}", n / seconds, "images/s")
    for name, target in TARGETS.items():
        ratio = times[name] / times["synthetic"]
        yield measuring.figure(
            f"{what}, time of {name} / synthetic", ratio, target=target, at_most=True
        )
