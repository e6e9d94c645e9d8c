"""Folders of files that can be made again, within a limit of disk space.

An entry is a folder. It is written under another name and renamed when it is complete.
A lock makes a second process wait for the first and then use its entry.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import humanize

from yolov1_fo import files

logger = logging.getLogger(__name__)

METADATA = "metadata.json"
"""File of every entry, which its writer adds; its time is that of the last use."""
LOCK = ".lock"
MIN_FREE_BYTES = 1e9
"""Disk space that is left free."""
FOREVER = -1.0


class DiskCache(NamedTuple):
    """A folder of entries.

    Attributes:
        folder: need not exist
        limit: largest size, in bytes. Leftovers of killed processes are deleted first,
            then the least recently used entries
    """

    folder: Path
    limit: float

    def find(self, name: str) -> Path | None:
        """Returns an entry, and marks it as used; None if it does not exist."""
        entry = self.folder / name
        if not _is_complete(entry):
            return None
        with contextlib.suppress(OSError):  # deleted, or in a folder of another user
            os.utime(entry / METADATA)
        return entry

    @contextlib.contextmanager
    def locked(self, name: str, timeout: float = FOREVER) -> Iterator[None]:
        """Holds the lock of an entry.

        Args:
            name: of the entry
            timeout (forever): how long to wait for the lock, in seconds

        Raises:
            TimeoutError: if another process or thread holds it
            OSError: if the folder can't be written
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with files.locked(self.folder / f"{name}{LOCK}", timeout):
            yield

    @contextlib.contextmanager
    def new(self, name: str, needed: float) -> Iterator[Path]:
        """Yields an empty folder to fill, `METADATA` included; then it is an entry.

        Args:
            name: of the entry, whose lock is held
            needed: its size, in bytes

        Raises:
            OSError: if the disk is too full, or the entry can't be written
        """
        self._make_room(name, needed)
        with files.atomic_folder(self.folder / name) as unfinished:
            yield unfinished

    def _make_room(self, name: str, needed: float) -> None:
        """Deletes leftovers and other formats, then the least recently used entries.

        Args:
            name: of the new entry, whose lock is held
            needed: its size, in bytes

        Raises:
            OSError: if the disk is still too full
        """
        complete = []
        for entry in _entries(self.folder):
            if _is_complete(entry):
                complete.append(entry)
            elif _final_name(entry) == name or not _is_busy(entry):
                files.remove(entry)
        complete.sort(key=_last_used)
        used = self.disk_usage()
        for entry in complete:
            free = shutil.disk_usage(self.folder).free
            if used + needed <= self.limit and needed + MIN_FREE_BYTES <= free:
                break
            used -= sum(_sizes(entry.glob("*")))
            files.remove(entry)  # processes that have mapped it can continue
        free = shutil.disk_usage(self.folder).free
        if needed + MIN_FREE_BYTES > free:
            size, available = map(humanize.naturalsize, (needed, free))
            raise OSError(f"{size} are needed, {available} are free")

    def disk_usage(self) -> int:
        """Returns the size in bytes, including unfinished entries."""
        return sum(_sizes(self.folder.glob("*/*")))

    def clear(self) -> int:
        """Deletes all entries except those being written; returns the freed bytes."""
        before = self.disk_usage()
        for entry in _entries(self.folder):
            try:
                with self.locked(_final_name(entry), timeout=0):
                    files.remove(entry)
            except TimeoutError:
                logger.info("kept '%s', which is being written", entry)
        return before - self.disk_usage()


def _entries(folder: Path) -> list[Path]:
    """Returns the entries, unfinished ones included."""
    return [
        entry
        for entry in sorted(folder.glob("*"))
        if entry.is_dir() and not entry.is_symlink()
    ]


def _is_complete(entry: Path) -> bool:
    """Returns whether an entry is complete, and of this format."""
    if entry.name.endswith(files.UNFINISHED):
        return False
    try:
        return (entry / METADATA).is_file()
    except OSError:  # in a folder of another user
        return False


def _final_name(entry: Path) -> str:
    """Returns the name that an entry has when it is complete."""
    return entry.name.lstrip(".").partition(".")[0]


def _is_busy(entry: Path) -> bool:
    """Returns whether a process is writing an entry."""
    return files.is_locked(entry.with_name(f"{_final_name(entry)}{LOCK}"))


def _last_used(entry: Path) -> float:
    try:
        return (entry / METADATA).stat().st_mtime
    except OSError:  # deleted by another process
        return 0.0


def _sizes(paths: Iterator[Path]) -> Iterator[int]:
    for path in paths:
        with contextlib.suppress(OSError):  # deleted by another process
            yield path.lstat().st_size
