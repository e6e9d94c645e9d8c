"""Decoded images in memory-mapped files, which later runs on the same images reuse.

The name of an entry is a hash of the image files' contents, or in object storage of
their versions, so that it can't be stale.
"""

import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS
from yolov1_fo.disk_cache import METADATA, DiskCache
from yolov1_fo.image_files import letterboxing, remote
from yolov1_fo.pipeline import image_loading
from yolov1_fo.pipeline.image_loading import DecodedImages

logger = logging.getLogger(__name__)

PIXELS = "pixels.bin"
FORMAT = 3
"""Version of the files and of the decoding; entries of other versions are deleted."""


class _Reading(NamedTuple):
    """What is read, and how: the arguments of `load`."""

    filepaths: Sequence[str]
    image_size: int
    num_workers: int
    letterbox: bool
    max_pixels: int
    parts: Array | None

    def options(self) -> dict[str, Any]:
        """Returns all but files and size, as `image_loading` calls them."""
        named = self._asdict()
        return {key: named[key] for key in self._fields[2:]}


def load(
    filepaths: Sequence[str],
    image_size: int,
    folder: Path | None = None,
    *,
    limit: float = 0.0,
    num_workers: int = 0,
    letterbox: bool = False,
    max_pixels: int = MAX_IMAGE_PIXELS,
    parts: Array | None = None,
) -> DecodedImages:
    """Returns the readable images, in the order of the files; and the others' faults.

    Args:
        filepaths: image files
        image_size: side of the images, in pixels
        folder (None): folder of the cache; None keeps the images in memory
        limit (0): largest size of the cache, in bytes. Images beyond the limit, or that
            do not fit on the disk, stay in memory
        num_workers (0): threads that decode; 0 uses one per CPU core
        letterbox (False): keeps the aspect ratio and fills the rest with gray
        max_pixels (200 million): larger images are skipped before they are decoded
        parts (None): (N, 4) of each image in its file, see `Listing.parts`

    Raises:
        StorageError: if a server does not answer
    """
    needed = len(filepaths) * image_size**2 * 3
    reading = _Reading(
        *(filepaths, image_size, num_workers, letterbox, max_pixels, parts)
    )
    if folder is None or needed > limit:
        return _load_into_memory(reading)
    try:
        name, cache = _entry_name(reading), DiskCache(folder, limit)
        with cache.locked(name):
            if cache.find(name) is None:
                with cache.new(name, needed) as unfinished:
                    _write(unfinished, reading)
            return _open(folder / name, filepaths, image_size)
    except OSError as error:
        if isinstance(error.__cause__, remote.StorageError):  # while it was filled
            raise error.__cause__ from None
        logger.warning("images stay in memory, can't cache in '%s': %s", folder, error)
        return _load_into_memory(reading)


def _load_into_memory(reading: _Reading) -> DecodedImages:
    pixels, bad, windows = image_loading.read_into_memory(
        reading.filepaths, reading.image_size, **reading.options()
    )
    if bad:
        is_good = [path not in bad for path in reading.filepaths]
        pixels = pixels[is_good]
        windows = None if windows is None else windows[is_good]
    return DecodedImages(pixels, bad, windows)


def _entry_name(reading: _Reading) -> str:
    """Returns a hash of the files' contents and of everything that affects decoding."""
    reader = f"{FORMAT} {reading.image_size} {reading.max_pixels} {cv2.__version__}"
    if reading.letterbox:
        reader += " letterbox"
    digest = hashlib.sha256(reader.encode())
    if reading.parts is not None:
        digest.update(reading.parts.tobytes())
    distinct = list(dict.fromkeys(reading.filepaths))
    with ThreadPoolExecutor(image_loading.thread_count(reading.num_workers)) as pool:
        of_path = dict(zip(distinct, pool.map(_file_digest, distinct), strict=True))
    for path in reading.filepaths:
        digest.update(of_path[path])
    return digest.hexdigest()[:32]


def _file_digest(path: str) -> bytes:
    if remote.is_remote(path):
        return _version_digest(path)
    try:
        fault = images.path_fault(path)
        if fault is not None:
            return hashlib.sha256(fault.encode()).digest()
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return hashlib.sha256(str(error).encode()).digest()


def _version_digest(url: str) -> bytes:
    """Returns a hash of the version of a URL.

    Raises:
        StorageError: if its server does not answer, or sends no version
    """
    try:
        version = remote.version(url)
    except FileNotFoundError:
        version = images.MISSING
    return hashlib.sha256(version.encode()).digest()


def _write(entry: Path, reading: _Reading) -> None:
    bad: dict[int, str | None] = {}
    sizes = []
    with (entry / PIXELS).open("wb") as file:
        results = image_loading.read_all(
            reading.filepaths, reading.image_size, **reading.options()
        )
        for row, (image, fault, size) in enumerate(results):
            if image is None or fault is not None:
                bad[row] = fault
            else:
                file.write(image.tobytes())
                sizes.append(size)
    metadata = {"bad": bad, **({"sizes": sizes} if reading.letterbox else {})}
    (entry / METADATA).write_text(json.dumps(metadata), encoding="utf-8")


def _open(entry: Path, filepaths: Sequence[str], image_size: int) -> DecodedImages:
    metadata = json.loads((entry / METADATA).read_text(encoding="utf-8"))
    bad_rows, sizes = metadata["bad"], metadata.get("sizes")
    bad = {filepaths[int(row)]: fault for row, fault in bad_rows.items()}
    windows = None if sizes is None else letterboxing.windows(sizes, image_size)
    shape = (len(filepaths) - len(bad_rows), image_size, image_size, 3)
    if not shape[0]:
        return DecodedImages(np.zeros(shape, np.uint8), bad, windows)
    pixels = np.memmap(entry / PIXELS, np.uint8, mode="r", shape=shape)
    return DecodedImages(pixels, bad, windows)
