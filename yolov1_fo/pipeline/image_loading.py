"""Many image files at once, by threads; a bad file costs only itself."""

import collections
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS, arguments
from yolov1_fo.images import Read

PART = 256
"""A thread looks at so many files in a row."""


def find_bad(
    filepaths: Sequence[str],
    num_workers: int = 0,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> dict[str, str]:
    """Returns the files that are missing, cut or no images, with what is wrong.

    Whether a file is damaged in the middle shows only when it is read.

    Args:
        filepaths: image files
        num_workers (0): threads; 0 takes one a core
        max_pixels (200 million): an image of more is refused
    """
    distinct = list(dict.fromkeys(filepaths))
    parts = [distinct[i : i + PART] for i in range(0, len(distinct), PART)]

    def faults(part: list[str]) -> list[tuple[str, str | None]]:
        return [(path, images.fault_of(path, max_pixels)) for path in part]

    with ThreadPoolExecutor(threads(num_workers)) as pool:
        found = pool.map(faults, parts)
        return {path: fault for part in found for path, fault in part if fault}


def threads(num_workers: int) -> int:
    """Returns how many threads decode: as many as asked for, or one a core."""
    arguments.check_whole("num_workers", num_workers, 0)
    return num_workers or os.cpu_count() or 1


def read_all(
    filepaths: Iterable[str],
    image_size: int,
    *,
    num_workers: int = 0,
    ahead: int = 64,
    align_corners: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Iterator[Read]:
    """Yields each file's pixels in order, decoded by threads that run ahead.

    Args:
        filepaths: image files
        image_size: of the pixels, (H, W, 3) uint8
        num_workers (0): threads; 0 takes one a core
        ahead (64): most images that wait in memory
        align_corners (False): as Darknet resizes, to float32 in [0, 1]
        max_pixels (200 million): an image of more is refused
    """
    _reuse_memory()
    paths = iter(filepaths)
    with ThreadPoolExecutor(threads(num_workers)) as pool:
        waiting = collections.deque(
            pool.submit(read, path, image_size, align_corners, max_pixels)
            for path in itertools.islice(paths, ahead)
        )
        while waiting:
            yield waiting.popleft().result()
            for path in itertools.islice(paths, 1):
                waiting.append(
                    pool.submit(read, path, image_size, align_corners, max_pixels)
                )


@functools.cache
def _reuse_memory() -> None:
    """Has glibc keep the memory of images for the next ones: reading is a fifth faster.

    It gives blocks back to the system, and so has their pages made anew, from a size on
    that grows to that of the largest block freed; 32 MiB is its limit.
    """
    np.empty(2**25 - 2**16, np.uint8)


def read(
    path: str,
    image_size: int,
    align_corners: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> Read:
    """Returns an image, and what is wrong with its file."""
    return images.decode(
        path, image_size, align_corners=align_corners, max_pixels=max_pixels
    )


def read_into_memory(
    filepaths: Sequence[str],
    image_size: int,
    *,
    num_workers: int = 0,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> tuple[Array, dict[str, str]]:
    """Returns pixels (N, H, W, 3) uint8, and what is wrong with which file.

    The pixels of a file with a fault are zeros.
    """
    pixels = np.zeros((len(filepaths), image_size, image_size, 3), np.uint8)
    bad = {}
    reads = read_all(
        filepaths, image_size, num_workers=num_workers, max_pixels=max_pixels
    )
    for row, (image, fault) in enumerate(reads):
        if image is None or fault is not None:
            bad[filepaths[row]] = str(fault)
        else:
            pixels[row] = image
    return pixels, bad
