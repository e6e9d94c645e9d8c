"""Many image files at once, by threads; a bad file costs only itself."""

import collections
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np

from yolov1_fo import arguments, images
from yolov1_fo.boxes import Array

PART = 256
"""A thread looks at so many files in a row."""


def find_bad(filepaths: Sequence[str], workers: int = 0) -> dict[str, str]:
    """Returns the files that are missing, cut or no images, with what is wrong.

    It looks at where a file begins and ends; whether the middle decodes shows when it
    is read.
    """
    distinct = list(dict.fromkeys(filepaths))
    parts = [distinct[i : i + PART] for i in range(0, len(distinct), PART)]
    with ThreadPoolExecutor(threads(workers)) as pool:
        found = pool.map(lambda part: [(path, _fault(path)) for path in part], parts)
        return {path: fault for part in found for path, fault in part if fault}


def _fault(path: str) -> str | None:
    try:
        if not images.is_whole(path):
            return "is cut short or empty"
    except OSError as error:
        return str(error)
    return None if cv2.haveImageReader(path) else "is no image"


def threads(workers: int) -> int:
    """Returns how many threads decode: as many as asked for, or one a core."""
    arguments.check_whole("workers", workers, 0)
    return workers or os.cpu_count() or 1


class Read(NamedTuple):
    """An image that was read, or why it could not be."""

    image: Array | None
    fault: str | None


def read_all(
    filepaths: Iterable[str],
    side: int,
    *,
    workers: int = 0,
    ahead: int = 64,
    align_corners: bool = False,
) -> Iterator[Read]:
    """Yields each file's pixels in order, decoded by threads that run ahead.

    Args:
        filepaths: image files
        side: of the pixels, (side, side, 3) uint8
        workers (0): threads; 0 takes one a core
        ahead (64): most images that wait in memory
        align_corners (False): as Darknet resizes, to float32 in [0, 1]
    """
    _reuse_memory()
    paths = iter(filepaths)
    with ThreadPoolExecutor(threads(workers)) as pool:
        waiting = collections.deque(
            pool.submit(read, path, side, align_corners)
            for path in itertools.islice(paths, ahead)
        )
        while waiting:
            yield waiting.popleft().result()
            for path in itertools.islice(paths, 1):
                waiting.append(pool.submit(read, path, side, align_corners))


@functools.cache
def _reuse_memory() -> None:
    """Has glibc keep the memory of images for the next ones: reading is a fifth faster.

    It gives blocks back to the system, and so has their pages made anew, from a size on
    that grows to that of the largest block freed; 32 MiB is its limit.
    """
    np.empty(2**25 - 2**16, np.uint8)


def read(path: str, side: int, align_corners: bool = False) -> Read:
    """Returns an image, or why it could not be read."""
    try:
        return Read(images.read(path, side, align_corners=align_corners), None)
    except (OSError, ValueError) as error:
        return Read(None, str(error))


def read_into_memory(
    filepaths: Sequence[str], side: int, *, workers: int = 0
) -> tuple[Array, dict[str, str]]:
    """Returns pixels (N, side, side, 3) uint8, and what is wrong with which file."""
    pixels = np.zeros((len(filepaths), side, side, 3), np.uint8)
    bad = {}
    for row, read in enumerate(read_all(filepaths, side, workers=workers)):
        if read.image is None:
            bad[filepaths[row]] = str(read.fault)
        else:
            pixels[row] = read.image
    return pixels, bad
