"""Where the runs of a dataset keep their files, and the lock of each."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import eta.core.utils as etau
import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.config import arguments

PIXELS = "pixels"
JOB, JOB_LOCK = "job", ".job.lock"
"""A run's folder for its job, and what is locked while one is started."""


def folder(
    dataset: fo.Dataset, run_key: str, runs_dir: str | os.PathLike[str] | None = None
) -> Path:
    """Returns where a run keeps its files.

    Args:
        dataset: the dataset that it belongs to
        run_key: its name there
        runs_dir (None): instead of FiftyOne's folder for datasets

    Raises:
        TypeError: if the name is no string
        ValueError: if it could lead elsewhere
    """
    check_name(run_key, "run_key")
    return root(dataset, runs_dir) / run_key


def root(dataset: fo.Dataset, runs_dir: str | os.PathLike[str] | None = None) -> Path:
    """Returns where all runs of a dataset keep their files."""
    return top(runs_dir) / str(dataset._doc.id)


def top(runs_dir: str | os.PathLike[str] | None = None) -> Path:
    """Returns where all runs of all datasets keep their files, wherever one works."""
    place = runs_dir or Path(fo.config.default_dataset_dir) / "__yolov1__"
    return Path(place).expanduser().absolute()


def pixels(folder: Path) -> Path:
    """Returns where the runs beside a run's folder keep decoded images."""
    return folder.parent.parent / PIXELS


def check_name(name: str, argument: str) -> None:
    """Raises an error if a name could lead to another folder.

    Args:
        name: of a run or a field
        argument: how the caller calls it

    Raises:
        TypeError: if it is no string
        ValueError: if it is another name
    """
    arguments.check_string(argument, name)
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(
            f"{argument} must be letters, digits and underscores, not beginning with a "
            f"digit; got {name!r}"
        )


def check_space(path: Path, needed: int) -> None:
    """Raises an OSError unless a run's folder can be written and has space.

    Makes nothing.

    Args:
        path: the run's folder
        needed: for its checkpoints, in bytes
    """
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(there, os.W_OK):
        raise OSError(f"'{path}' can't be made: '{there}' is not writable")
    free = shutil.disk_usage(there).free
    if free < needed:
        raise OSError(
            f"'{path}' needs {etau.to_human_bytes_str(needed)} for checkpoints, "
            f"got {etau.to_human_bytes_str(free)} free"
        )


@contextlib.contextmanager
def locked(path: Path, run_key: str) -> Iterator[None]:
    """Keeps others from training the same run; ends with the process.

    The lock stands beside the run's folder, so that it outlives a deletion.

    Args:
        path: the run's folder, which need not exist
        run_key: the run's name

    Raises:
        ValueError: if another process or thread trains it
        OSError: if it can't be locked
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(lock(path)))
        except TimeoutError:
            raise ValueError(
                f"run '{run_key}' is being trained by a process; stop it first"
            ) from None
        yield


def is_locked(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a process trains the run of this folder."""
    return files.is_locked(lock(Path(folder)))


def lock(path: Path) -> Path:
    """Returns the file that is locked while a run is trained."""
    return path.with_name(f".{path.name}.lock")
