"""A file or folder that is written whole or not at all, or locked.

What is being written has a name that nobody can foresee, so that no link can stand in
its place, and ends in `UNFINISHED`: what a killed process leaves is known by that.
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
"""How the name of what is being written ends."""
READERS_BLOCK = os.name == "nt"
"""Whether a file can't be replaced while another process reads it: so on Windows."""
PAUSES = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Seconds to wait for such a reader, again and again."""
PATIENCE = 1.0
"""Seconds to wait for a lock: whoever only looks holds it for an instant."""


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Gives a folder to fill, which one rename then puts in its place.

    What stands there already is replaced, or stays if that fails; of a folder that
    could not be filled nothing is left.

    Raises:
        OSError: if it can't be written
    """
    unfinished = _unfinished(folder)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        _swap(unfinished, folder)
    except OSError as error:
        raise OSError(f"'{folder}' can't be written: {error}") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _swap(unfinished: Path, folder: Path) -> None:
    """Puts a folder in its place; if that fails, the old one stands there again."""
    old = _unfinished(folder)
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
def whole_file(path: Path) -> Iterator[Path]:
    """Gives the path of an empty file to fill, which one rename then puts in its place.

    What stands there already is replaced; a link is, not what it points to. If filling
    fails, nothing is left of it.

    Raises:
        OSError: if it can't be written
    """
    unfinished = _unfinished(path)
    try:
        unfinished.touch(exist_ok=False)
        yield unfinished
        _put(unfinished, path)
    except OSError as error:
        raise OSError(f"'{path}' can't be written: {error}") from error
    finally:
        remove(unfinished)


def _put(unfinished: Path, path: Path) -> None:
    """Puts a file in its place; waits for readers where they keep it from that."""
    for pause in PAUSES if READERS_BLOCK else ():
        try:
            unfinished.replace(path)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    unfinished.replace(path)


def write(path: Path, text: str) -> None:
    """Writes a text file; a reader sees the old text or the new one.

    Raises:
        OSError: if it can't be written
    """
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def link(path: Path, to: Path) -> None:
    """Makes a link to a folder; a link that stands there already is replaced.

    Raises:
        OSError: if it can't be made; on some systems few may make one
    """
    unfinished = _unfinished(path)
    try:
        unfinished.symlink_to(to, target_is_directory=True)
        unfinished.replace(path)
    except (OSError, NotImplementedError) as error:
        raise OSError(f"'{path}' can't be made a link: {error}") from error
    finally:
        remove(unfinished)


def _unfinished(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(8)}{UNFINISHED}")


def unfinished(folder: Path, name: str = "*") -> list[Path]:
    """Returns what is being written in a folder, or was when a process was killed.

    Args:
        folder: that is looked into; it may be missing
        name (any): of what was to be written
    """
    return sorted(folder.glob(f".{name}.*{UNFINISHED}"))


def is_file(path: str | os.PathLike[str]) -> bool:
    """Returns whether a file stands at a path, however long the path."""
    return os.path.isfile(path)  # noqa: PTH113  # a Path raises where it is too long


def is_folder(path: str | os.PathLike[str]) -> bool:
    """Returns whether a folder stands at a path, however long the path."""
    return os.path.isdir(path)  # noqa: PTH112  # a Path raises where it is too long


def becomes(unfinished: Path) -> Path:
    """Returns the path that something unfinished was to have, or had."""
    name = unfinished.name.removeprefix(".").removesuffix(UNFINISHED)
    return unfinished.with_name(name.rpartition(".")[0])


def set_aside(path: Path) -> Path:
    """Gives what stands at a path the name of something unfinished; returns where.

    Raises:
        OSError: if it can't be renamed
    """
    aside = _unfinished(path)
    try:
        return path.rename(aside)
    except OSError as error:
        raise OSError(f"'{path}' can't be removed: {error}") from error


def remove(path: Path) -> None:
    """Removes a file, a link, or a folder with all that is in it, as far as it can."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


@contextlib.contextmanager
def locked(lock: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Holds a lock of the system, which ends with the process that holds it.

    Args:
        lock: its file, which is made and stays; its folder must exist
        patience (1.0): seconds to wait for another that holds it

    Raises:
        TimeoutError: if another process or thread holds it
        OSError: if the file can't be made, or its file system has no locks
    """
    held = filelock.FileLock(lock)
    try:
        held.acquire(timeout=patience)
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
        with locked(lock, patience=0):
            return False
    except TimeoutError:
        return True
    except OSError:
        return not os.access(lock, os.W_OK)  # another user's: it may go on
