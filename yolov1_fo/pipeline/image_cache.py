"""Decoded images, kept in files that the next run on the same images maps to memory.

A kept file is named by what is in its images, so that it can't be stale. One that is
being written has another name until it is whole; a lock makes a second process wait and
then take it.
"""

import contextlib
import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from yolov1_fo import files, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS, units
from yolov1_fo.pipeline import image_loading

logger = logging.getLogger(__name__)

PIXELS, METADATA = "pixels.bin", "card.json"
LOCK = ".lock"
FORMAT = 2
"""Of the files, and of how images become pixels."""
SPARE = 1e9
"""Bytes of the disk that are left free."""
FOREVER = -1.0


def load(
    filepaths: Sequence[str],
    image_size: int,
    folder: Path | None = None,
    *,
    limit: float = 0.0,
    num_workers: int = 0,
    max_pixels: int = MAX_IMAGE_PIXELS,
) -> tuple[Array, dict[str, str]]:
    """Returns the pixels of those files that can be decoded, and what ails the others.

    Args:
        filepaths: image files
        image_size: of the pixels
        folder (None): where they are kept; None keeps them in memory only
        limit (0): most bytes that all kept files may take; what killed processes left
            goes first, then those not used for the longest time. What takes more stays
            in memory, as it does where the disk is full
        num_workers (0): threads that decode; 0 takes one a core
        max_pixels (200 million): an image of more is not decoded

    Returns:
        (N, H, W, 3) uint8, in the files' order without the bad ones
    """
    needed = len(filepaths) * image_size**2 * 3
    if folder is None or needed > limit:
        return _in_memory(filepaths, image_size, num_workers, max_pixels)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name = _name(filepaths, image_size, num_workers, max_pixels)
        with files.locked(folder / f"{name}{LOCK}", patience=FOREVER):
            place = folder / name
            if not (place / METADATA).is_file():
                _make_room(folder, name, needed, limit)
                _write(place, filepaths, image_size, num_workers, max_pixels)
            return _open(place, filepaths, image_size)
    except OSError as error:
        logger.warning("images stay in memory, '%s' can't keep them: %s", folder, error)
        return _in_memory(filepaths, image_size, num_workers, max_pixels)


def _in_memory(
    filepaths: Sequence[str], image_size: int, num_workers: int, max_pixels: int
) -> tuple[Array, dict[str, str]]:
    pixels, bad = image_loading.read_into_memory(
        filepaths, image_size, num_workers=num_workers, max_pixels=max_pixels
    )
    if bad:
        pixels = pixels[[path not in bad for path in filepaths]]
    return pixels, bad


def _name(
    filepaths: Sequence[str], image_size: int, num_workers: int, max_pixels: int
) -> str:
    """Returns a name that depends on what is in the files and on what reads them."""
    reader = f"{FORMAT} {image_size} {max_pixels} {cv2.__version__}"
    whole = hashlib.sha256(reader.encode())
    with ThreadPoolExecutor(image_loading.threads(num_workers)) as pool:
        for digest in pool.map(_digest, filepaths):
            whole.update(digest)
    return whole.hexdigest()[:32]


def _digest(path: str) -> bytes:
    try:
        fault = images.not_a_file(path)
        if fault is not None:
            return hashlib.sha256(fault.encode()).digest()
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return hashlib.sha256(str(error).encode()).digest()


def _write(
    place: Path,
    filepaths: Sequence[str],
    image_size: int,
    num_workers: int,
    max_pixels: int,
) -> None:
    """Writes the pixels; nothing stands at `place` until all do."""
    bad = {}
    with files.whole_folder(place) as unfinished:
        with (unfinished / PIXELS).open("wb") as file:
            reads = image_loading.read_all(
                filepaths, image_size, num_workers=num_workers, max_pixels=max_pixels
            )
            for row, (image, fault) in enumerate(reads):
                if image is None or fault is not None:
                    bad[row] = fault
                else:
                    file.write(image.tobytes())
        (unfinished / METADATA).write_text(json.dumps({"bad": bad}), encoding="utf-8")


def _open(
    place: Path, filepaths: Sequence[str], image_size: int
) -> tuple[Array, dict[str, str]]:
    os.utime(place / METADATA)  # used now
    found = json.loads((place / METADATA).read_text(encoding="utf-8"))["bad"]
    bad = {filepaths[int(row)]: fault for row, fault in found.items()}
    shape = (len(filepaths) - len(found), image_size, image_size, 3)
    if not shape[0]:
        return np.zeros(shape, np.uint8), bad
    return np.memmap(place / PIXELS, np.uint8, mode="r", shape=shape), bad


def _make_room(folder: Path, name: str, needed: int, limit: float) -> None:
    """Deletes what killed processes left, then what was not used for the longest time.

    Args:
        folder: where all are kept
        name: of those to come, whose lock is held
        needed: bytes that they take
        limit: most bytes that all may take

    Raises:
        OSError: if the disk has no room even then
    """
    kept = []
    for place in _places(folder):
        if _is_kept(place):
            kept.append(place)
        elif _name_of(place) == name or not _is_busy(place):
            files.remove(place)
    kept.sort(key=_last_used)
    taken = size(folder)
    for place in kept:
        free = shutil.disk_usage(folder).free
        if taken + needed <= limit and needed + SPARE <= free:
            break
        taken -= _size(place)
        files.remove(place)  # one that has it open may go on
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise OSError(
            f"they take {units.of_bytes(needed)} of {units.of_bytes(free)} free space"
        )


def _places(folder: Path) -> list[Path]:
    return [
        place
        for place in sorted(folder.glob("*"))
        if place.is_dir() and not place.is_symlink()
    ]


def _is_kept(place: Path) -> bool:
    return not place.name.endswith(files.UNFINISHED) and (place / METADATA).is_file()


def _name_of(place: Path) -> str:
    """Returns the name of what a folder holds, or was to hold."""
    return place.name.lstrip(".").partition(".")[0]


def _is_busy(place: Path) -> bool:
    """Returns whether a process is writing it."""
    return files.is_locked(place.with_name(f"{_name_of(place)}{LOCK}"))


def _last_used(place: Path) -> float:
    try:
        return (place / METADATA).stat().st_mtime
    except OSError:  # another process has just deleted it
        return 0.0


def _size(place: Path) -> int:
    return sum(_sizes(place.glob("*")))


def _sizes(paths: Iterator[Path]) -> Iterator[int]:
    for path in paths:
        with contextlib.suppress(OSError):  # another process may delete it meanwhile
            yield path.lstat().st_size


def size(folder: Path) -> int:
    """Returns how many bytes the files take, unfinished ones too."""
    return sum(_sizes(folder.glob("*/*")))


def clean(folder: Path) -> int:
    """Deletes all kept files but those that are being written; returns their bytes."""
    before = size(folder)
    for place in _places(folder):
        try:
            with files.locked(folder / f"{_name_of(place)}{LOCK}", patience=0):
                files.remove(place)
        except TimeoutError:
            logger.info("'%s' is being written", place)
    return before - size(folder)
