"""Runs a network on many images; reading and computing overlap."""

import collections
import contextlib
import itertools
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import fiftyone.core.utils as fou
import numpy as np

from yolov1_fo import allocator, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_PREDICTION_BATCH, arguments
from yolov1_fo.datasets import media_files, sample_files
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.sample_files import Files
from yolov1_fo.images import ReadResult
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.pipeline import image_loading, tiling

logger = logging.getLogger(__name__)

Batch = tuple[list[str], Array, Array | None]
"""Sample ids, pixels or the network's output, and the windows of letterboxed images."""

BATCHES_AHEAD = 2
"""Number of batches on the device while an earlier one is processed."""


def files_of(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    *,
    skip: Collection[str] = frozenset(),
    media_field: str | None = None,
) -> Files:
    """Returns the image files of a collection.

    Args:
        samples: a checked collection of images
        model: that reads them
        skip: ids of samples to leave out
        media_field (that of the training): the field with the files
    """
    if media_field is None:
        media_field = media_files.default(samples, model.metadata["settings"])
    return sample_files.of(samples, media_field, skip)


class PredictionPass:
    """A pass over image files.

    Within `with` it yields sample ids, the network's raw output, (N, outputs), and the
    windows of the images, see `YOLOv1Model.windows`, while the next batches are
    computed. At the end it logs the files with faults.

    Args:
        files: of the samples
        model: from `load_model`
        batch_size: images per forward pass
        num_workers: threads that decode images; 0 means one per core
        progress: as in FiftyOne
        forward (None): what to compute of pixels (N, H, W, 3) uint8, in place of the
            network's output; any value
        tiles (0): number of tiles per side that each image is followed by, see
            `pipeline.tiling`
        is_all (True): whether the model predicts no other files afterwards

    Attributes:
        faults: unreadable and truncated image files, with what is wrong with each
    """

    def __init__(
        self,
        files: Files,
        model: YOLOv1Model,
        batch_size: int,
        num_workers: int = 0,
        progress: bool | Callable[..., Any] | None = None,
        forward: Callable[[Array], Any] | None = None,
        tiles: int = 0,
        is_all: bool = True,
    ) -> None:
        arguments.check_integer("batch_size", batch_size, 1, MAX_PREDICTION_BATCH)
        self.model, self.num_workers, self.tiles = model, num_workers, tiles
        self.is_all = is_all
        self.batch_size = max(batch_size // tiling.count(tiles), 1)
        self.forward = forward or model.forward
        self.files = files
        self.faults: dict[str, str] = {}
        self.progress_bar = fou.ProgressBar(total=len(files), progress=progress)

    def __iter__(self) -> Iterator[Batch]:
        rows = image_loading.map_files(
            self.files,
            self._row,
            num_workers=self.num_workers,
            ahead=4 * self.batch_size,
        )
        return _predictions(self._batches(rows), self.forward)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(allocator.keep_freed_memory())
            stack.enter_context(self.progress_bar)
            if self.is_all:
                count = len(self.files) * tiling.count(self.tiles)
                stack.enter_context(self.model.expecting(count))
            self._contexts = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._contexts.__exit__(*error)
        log_faults(self.faults)

    def _row(self, sample: tuple[str, str]) -> tuple[str, str, ReadResult]:
        """Returns id and path of a sample, and its image."""
        read = self._read_tiles if self.tiles else self._read
        return *sample, read(sample[1])

    def _read(self, path: str) -> ReadResult:
        return images.decode(
            path,
            self.model.image_size,
            align_corners=self.model.config.darknet,
            letterbox=self.model.letterbox,
            max_pixels=self.model.config.max_image_pixels,
        )

    def _read_tiles(self, path: str) -> ReadResult:
        """Returns the image and its tiles: (P, H, W, 3)."""
        found = images.decode(path, max_pixels=self.model.config.max_image_pixels)
        if found.image is None:
            return found
        return found._replace(image=self.model.inputs([found.image], self.tiles)[0])

    def _batches(self, rows: Iterator[tuple[str, str, ReadResult]]) -> Iterator[Batch]:
        """Yields ids, pixels (N, H, W, 3) and windows; collects faults."""
        while batch := list(itertools.islice(rows, self.batch_size)):
            self.faults |= {path: str(one.fault) for _, path, one in batch if one.fault}
            pixels = {key: one.image for key, _, one in batch if one.image is not None}
            sizes = [one.size for _, _, one in batch if one.image is not None]
            if self.tiles:
                sizes = [x for size in sizes for x in tiling.sizes(size, self.tiles)]
            if pixels:
                join = np.concatenate if self.tiles else np.stack
                yield list(pixels), join([*pixels.values()]), self.model.windows(sizes)
            self.progress_bar.update(len(batch))


def log_faults(faults: Mapping[str, str]) -> None:
    """Logs unreadable and truncated files.

    Args:
        faults: what is wrong with each
    """
    for path, fault in faults.items():
        logger.warning("%s", images.error_message(path, fault))


def _predictions(
    batches: Iterator[Batch], forward: Callable[[Array], Any]
) -> Iterator[Batch]:
    """Yields ids, raw output and windows, while the next batches are computed."""
    pending: collections.deque[tuple[list[str], Future[Array], Array | None]] = (
        collections.deque()
    )
    with ThreadPoolExecutor(1) as device:
        for ids, pixels, windows in batches:
            pending.append((ids, device.submit(forward, pixels), windows))
            if len(pending) > BATCHES_AHEAD:
                ids, y_pred, windows = pending.popleft()
                yield ids, y_pred.result(), windows
        for ids, y_pred, windows in pending:
            yield ids, y_pred.result(), windows
