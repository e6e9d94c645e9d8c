"""Atomic writes and locks: a file or folder is either complete or not there.

While it is written, it has a random name, so that no link can be planted in its place.
The name ends in `UNFINISHED`, by which leftovers of killed processes are found.
"""

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import filelock

UNFINISHED = ".unfinished"
"""Suffix of what is being written."""
READERS_PREVENT_REPLACE = os.name == "nt"
"""Whether a file can't be replaced while another process reads it, as on Windows."""
RETRY_DELAYS = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Waiting times between attempts to replace such a file, in seconds."""
LOCK_TIMEOUT = 1.0
"""How long to wait for a lock, in seconds; `is_locked` holds one for an instant."""


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yields an empty folder to fill, then renames it to its final path.

    An existing folder is replaced, or kept if that fails. If filling the new folder
    fails, it is removed.

    Raises:
        OSError: if it can't be written
    """
    unfinished = _unfinished_path(folder)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        _replace_folder(unfinished, folder)
    except OSError as error:
        raise OSError(f"'{folder}' can't be written: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _replace_folder(unfinished: Path, folder: Path) -> None:
    """Renames a folder to its final path; restores the old one if that fails."""
    old = _unfinished_path(folder)
    try:
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old)
        unfinished.rename(folder)
    except BaseException:
        if os.path.lexists(old) and not os.path.lexists(folder):
            old.rename(folder)
        raise
    remove(old)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yields the path of an empty file to fill, then renames it to its final path.

    An existing file is replaced; of a link, the link itself. If filling the new file
    fails, it is removed.

    Raises:
        OSError: if it can't be written
    """
    unfinished = _unfinished_path(path)
    try:
        unfinished.touch(exist_ok=False)
        yield unfinished
        _replace_file(unfinished, path)
    except OSError as error:
        raise OSError(f"'{path}' can't be written: {error}") from error
    finally:
        remove(unfinished)


def _replace_file(unfinished: Path, path: Path) -> None:
    """Renames a file to its final path, retrying while readers prevent it."""
    for delay in RETRY_DELAYS if READERS_PREVENT_REPLACE else ():
        try:
            unfinished.replace(path)
        except PermissionError:
            time.sleep(delay)
        else:
            return
    unfinished.replace(path)


def write_text(path: Path, text: str) -> None:
    """Writes a text file; readers see either the old text or the new one.

    Raises:
        OSError: if it can't be written
    """
    with atomic_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yields an empty folder on the disk of `path`, which is removed afterwards.

    Args:
        path: the file or folder that is prepared in it
    """
    folder = _unfinished_path(path)
    folder.mkdir()
    try:
        yield folder
    finally:
        remove(folder)


def make_link(path: Path, target: Path) -> None:
    """Creates a symbolic link to a folder; replaces an existing link or folder.

    Raises:
        OSError: if it can't be created; Windows allows it to administrators only
    """
    unfinished = _unfinished_path(path)
    try:
        unfinished.symlink_to(target, target_is_directory=True)
        if path.is_dir() and not path.is_symlink():
            _replace_folder(unfinished, path)
        else:
            unfinished.replace(path)
    except (OSError, NotImplementedError) as error:
        raise OSError(f"'{path}' can't be made a link: {error}") from error
    finally:
        remove(unfinished)


def _unfinished_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED}")


def find_unfinished(folder: Path, name: str = "*") -> list[Path]:
    """Returns what is being written in a folder, or was when a process was killed.

    Args:
        folder: the folder; may be missing
        name (any): final name, or a glob pattern
    """
    paths = sorted(folder.glob(f".{name}.*{UNFINISHED}"))
    return [path for path in paths if _final_name(path)]


def final_path(unfinished: Path) -> Path:
    """Returns the final path of something from `find_unfinished`."""
    return unfinished.with_name(_final_name(unfinished))


def _final_name(unfinished: Path) -> str:
    name = unfinished.name.removeprefix(".").removesuffix(UNFINISHED)
    return name.rpartition(".")[0]


def is_file(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a file; False for a path that is too long."""
    return os.path.isfile(path)  # noqa: PTH113  # Path raises if it is too long


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Returns whether a path is a folder; False for a path that is too long."""
    return os.path.isdir(path)  # noqa: PTH112  # Path raises if it is too long


def move_aside(path: Path) -> Path:
    """Renames a file or folder to an unfinished name, which is returned.

    Raises:
        OSError: if it can't be renamed
    """
    aside = _unfinished_path(path)
    try:
        return path.rename(aside)
    except OSError as error:
        raise OSError(f"'{path}' can't be removed: {error}") from error


@contextlib.contextmanager
def removing(path: Path) -> Iterator[Path]:
    """Renames a file or folder and removes it afterwards; restores it after an error.

    Yields:
        its new path, which still exists in the end if it can't be removed

    Raises:
        OSError: if it can't be renamed
    """
    aside = move_aside(path)
    try:
        yield aside
    except BaseException:
        aside.rename(path)
        raise
    remove(aside)


def remove(path: Path) -> None:
    """Removes a file, a link, or a folder with its contents, ignoring errors."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def locked(lock: Path, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Holds a lock of the operating system, which ends with this process.

    Args:
        lock: the lock file, which is created and kept; its folder must exist
        timeout (1.0): how long to wait for the lock, in seconds; negative is forever

    Raises:
        TimeoutError: if another process or thread holds it
        OSError: if the file can't be created, or its file system has no locks
    """
    held = filelock.FileLock(lock)
    try:
        held.acquire(timeout=timeout)
    except NotImplementedError as error:
        raise OSError(f"'{lock.parent}' is on a file system without locks") from error
    try:
        yield
    finally:
        held.release()


def is_locked(lock: Path) -> bool:
    """Returns whether a process or thread holds a lock."""
    if not lock.exists():
        return False
    try:
        with locked(lock, timeout=0):
            return False
    except TimeoutError:
        return True
    except OSError:
        return not os.access(lock, os.W_OK)  # another user's: possibly held
