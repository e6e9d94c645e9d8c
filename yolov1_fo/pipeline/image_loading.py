"""Reads many image files with threads; an unreadable file does not affect others."""

import collections
import functools
import itertools
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS, arguments
from yolov1_fo.image_files import letterboxing
from yolov1_fo.images import ReadResult

S = TypeVar("S")
T = TypeVar("T")
_FileParts = tuple[str, Sequence[Array | None]]
"""A file, and parts of it; None is the whole image."""
CHUNK_SIZE = 256
"""Number of files that a thread checks in a row."""


def find_unreadable(
    filepaths: Sequence[str],
    num_workers: int = 0,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> dict[str, str]:
    """Returns the files that are missing, truncated or not images, with their faults.

    Some damage is only found when a file is decoded.

    Args:
        filepaths: image files
        num_workers (0): threads; 0 uses one per CPU core
        max_pixels (200 million): a larger image is a fault
    """
    distinct = list(dict.fromkeys(filepaths))
    chunks = [
        distinct[start : start + CHUNK_SIZE]
        for start in range(0, len(distinct), CHUNK_SIZE)
    ]

    def faults(chunk: list[str]) -> list[tuple[str, str | None]]:
        return [(path, images.find_fault(path, max_pixels)) for path in chunk]

    with ThreadPoolExecutor(thread_count(num_workers)) as pool:
        found = pool.map(faults, chunks)
        return {path: fault for chunk in found for path, fault in chunk if fault}


def thread_count(num_workers: int) -> int:
    """Returns the number of threads: `num_workers`, or one per CPU core for 0."""
    arguments.check_integer("num_workers", num_workers, 0)
    return num_workers or os.cpu_count() or 1


def read_all(
    filepaths: Iterable[str],
    image_size: int,
    *,
    num_workers: int = 0,
    ahead: int = 64,
    align_corners: bool = False,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
    parts: Array | None = None,
) -> Iterator[ReadResult]:
    """Yields the pixels and the fault of each file, in order; threads read ahead.

    Args:
        filepaths: image files; with `parts`, one that is repeated in a row is decoded
            once
        image_size: side of the images, in pixels
        num_workers (0): threads; 0 uses one per CPU core
        ahead (64): largest number of images that wait in memory; with `parts`, those
            of one file per thread may be more
        align_corners (False): resizes as Darknet does, to float32 in [0, 1]
        letterbox (False): keeps the aspect ratio and fills the rest with gray
        max_pixels (200 million): larger images are refused before they are decoded
        parts (None): (N, 4) of each image in its file, see `Listing.parts`
    """
    files: Iterable[_FileParts] = ((path, [None]) for path in filepaths)
    if parts is not None:
        files = list(_by_file(filepaths, parts))
        least = thread_count(num_workers) + 1  # so that none of them waits
        ahead = max(ahead * len(files) // max(len(parts), 1), least)

    def read_file(file: _FileParts) -> list[ReadResult]:
        return images.decode_parts(
            *file,
            image_size,
            align_corners=align_corners,
            letterbox=letterbox,
            max_pixels=max_pixels,
        )

    for results in map_files(files, read_file, num_workers=num_workers, ahead=ahead):
        yield from results


def _by_file(filepaths: Iterable[str], parts: Array) -> Iterator[_FileParts]:
    """Yields each file with the parts of it that follow each other."""
    pairs = zip(filepaths, parts, strict=True)
    for path, some in itertools.groupby(pairs, operator.itemgetter(0)):
        yield path, [part for _, part in some]


def map_files(
    files: Iterable[S],
    read_one: Callable[[S], T],
    *,
    num_workers: int = 0,
    ahead: int = 64,
) -> Iterator[T]:
    """Yields what a function returns for each file, in order; threads run ahead.

    Args:
        files: image files
        read_one: of a file
        num_workers (0): threads; 0 uses one per CPU core
        ahead (64): largest number of results that wait in memory
    """
    _keep_freed_memory()
    left = iter(files)
    with ThreadPoolExecutor(thread_count(num_workers)) as pool:
        pending = collections.deque(
            pool.submit(read_one, file) for file in itertools.islice(left, ahead)
        )
        while pending:
            yield pending.popleft().result()
            for file in itertools.islice(left, 1):
                pending.append(pool.submit(read_one, file))


@functools.cache
def _keep_freed_memory() -> None:
    """Makes glibc reuse the memory of images, so that reading is a fifth faster.

    Blocks above a threshold are returned to the system, which then has to provide new
    pages. The threshold grows to the size of the largest freed block, up to 32 MiB.
    """
    np.empty(2**25 - 2**16, np.uint8)


class DecodedImages(NamedTuple):
    """The pixels of many image files.

    Attributes:
        pixels: (N, image_size, image_size, 3) uint8
        faults: of the files that can't be used
        windows: (N, 4) of letterboxed images, see `letterboxing.windows`; else None
    """

    pixels: Array
    faults: dict[str, str]
    windows: Array | None


def read_into_memory(
    filepaths: Sequence[str],
    image_size: int,
    *,
    num_workers: int = 0,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
    parts: Array | None = None,
) -> DecodedImages:
    """Returns the images of files; the pixels of those with a fault are zeros."""
    pixels = np.zeros((len(filepaths), image_size, image_size, 3), np.uint8)
    sizes = np.ones((len(filepaths), 2), np.int64)
    bad = {}
    results = read_all(
        filepaths,
        image_size,
        num_workers=num_workers,
        letterbox=letterbox,
        max_pixels=max_pixels,
        parts=parts,
    )
    for row, (image, fault, size) in enumerate(results):
        if image is None or fault is not None:
            bad[filepaths[row]] = str(fault)
        else:
            pixels[row], sizes[row] = image, size
    windows = letterboxing.windows(sizes, image_size) if letterbox else None
    return DecodedImages(pixels, bad, windows)
