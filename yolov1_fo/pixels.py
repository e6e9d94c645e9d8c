"""Decoded images, kept in files that the next run on the same images maps to memory.

A kept file is named by what is in its images, so that it can't be stale. One that is
being written has another name until it is whole; a lock makes a second process wait and
then take it.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import filelock
import numpy as np

from yolov1_fo import reading
from yolov1_fo.boxes import Array

logger = logging.getLogger(__name__)

PIXELS, CARD = "pixels.bin", "card.json"
UNFINISHED, LOCK = ".unfinished", ".lock"
FORMAT = 1
SPARE = 1e9
"""Bytes of the disk that are left free."""


def load(
    filepaths: Sequence[str],
    side: int,
    folder: Path | None = None,
    *,
    limit: float = 0.0,
    workers: int = 0,
) -> tuple[Array, dict[str, str]]:
    """Returns the pixels of those files that can be decoded, and what ails the others.

    Args:
        filepaths: image files
        side: of the pixels
        folder (None): where they are kept; None keeps them in memory only
        limit (0): most bytes that all kept files may take; those not used for the
            longest time go. What takes more stays in memory, as it does where the disk
            is full
        workers (0): threads that decode; 0 takes one a core

    Returns:
        (N, side, side, 3) uint8, in the files' order without the bad ones
    """
    needed = len(filepaths) * side**2 * 3
    if folder is None or needed > limit:
        return _in_memory(filepaths, side, workers)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        name = _name(filepaths, side, workers)
        with filelock.FileLock(folder / f"{name}{LOCK}"):
            place = folder / name
            if not (place / CARD).is_file():
                _make_room(folder, needed, limit)
                _write(place, filepaths, side, workers)
            return _open(place, filepaths, side)
    except OSError as error:
        logger.warning("images stay in memory, '%s' can't keep them: %s", folder, error)
        return _in_memory(filepaths, side, workers)


def _in_memory(
    filepaths: Sequence[str], side: int, workers: int
) -> tuple[Array, dict[str, str]]:
    pixels, bad = reading.read_into_memory(filepaths, side, workers=workers)
    if bad:
        pixels = pixels[[path not in bad for path in filepaths]]
    return pixels, bad


def _name(filepaths: Sequence[str], side: int, workers: int) -> str:
    """Returns a name that depends on what is in the files and on what reads them."""
    whole = hashlib.sha256(f"{FORMAT} {side} {cv2.__version__}".encode())
    with ThreadPoolExecutor(reading.threads(workers)) as pool:
        for digest in pool.map(_digest, filepaths):
            whole.update(digest)
    return whole.hexdigest()[:32]


def _digest(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        return hashlib.sha256(str(error).encode()).digest()


def _write(place: Path, filepaths: Sequence[str], side: int, workers: int) -> None:
    """Writes the pixels; nothing stands at `place` until all do."""
    unfinished = place.with_name(place.name + UNFINISHED)
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    unfinished.mkdir()
    bad = {}
    try:
        with (unfinished / PIXELS).open("wb") as file:
            reads = reading.read_all(filepaths, side, workers=workers)
            for row, read in enumerate(reads):
                if read.image is None:
                    bad[row] = str(read.fault)
                else:
                    file.write(read.image.tobytes())
        (unfinished / CARD).write_text(json.dumps({"bad": bad}))
        unfinished.replace(place)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def _open(
    place: Path, filepaths: Sequence[str], side: int
) -> tuple[Array, dict[str, str]]:
    os.utime(place / CARD)  # used now
    found = json.loads((place / CARD).read_text())["bad"]
    bad = {filepaths[int(row)]: fault for row, fault in found.items()}
    shape = (len(filepaths) - len(found), side, side, 3)
    if not shape[0]:
        return np.zeros(shape, np.uint8), bad
    return np.memmap(place / PIXELS, np.uint8, mode="r", shape=shape), bad


def _make_room(folder: Path, needed: int, limit: float) -> None:
    """Deletes what was not used for the longest time, until there is room.

    Raises:
        OSError: if the disk has no room even then
    """
    kept = sorted(_kept(folder), key=lambda place: (place / CARD).stat().st_mtime)
    taken = sum(_size(place) for place in kept)
    for place in kept:
        free = shutil.disk_usage(folder).free
        if taken + needed <= limit and needed + SPARE <= free:
            break
        taken -= _size(place)
        shutil.rmtree(place, ignore_errors=True)  # one that has it open may go on
    free = shutil.disk_usage(folder).free
    if needed + SPARE > free:
        raise OSError(
            f"they take {needed / 1e9:.1f} GB of {free / 1e9:.1f} GB free space"
        )


def _kept(folder: Path) -> Iterator[Path]:
    for card in folder.glob(f"*/{CARD}"):
        if not card.parent.name.endswith(UNFINISHED):
            yield card.parent


def _size(place: Path) -> int:
    return sum(file.stat().st_size for file in place.iterdir())


def size(folder: Path) -> int:
    """Returns how many bytes the files take, unfinished ones too."""
    return sum(file.stat().st_size for file in folder.glob("*/*"))


def clean(folder: Path) -> int:
    """Deletes all kept files but those that are being written; returns their bytes."""
    before = size(folder)
    for lock in folder.glob(f"*{LOCK}"):
        try:
            with filelock.FileLock(lock, timeout=0):
                place = lock.with_suffix("")
                shutil.rmtree(place, ignore_errors=True)
                shutil.rmtree(f"{place}{UNFINISHED}", ignore_errors=True)
        except filelock.Timeout:
            logger.info("'%s' is being written", lock.with_suffix(""))
    return before - size(folder)
