"""Where the runs of a dataset keep their files, and the lock of each."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import humanize

from yolov1_fo import files
from yolov1_fo.config import arguments
from yolov1_fo.datasets import fiftyone_private

IMAGE_CACHE = "pixels"
"""Folder of the decoded images, in `top_folder`."""
NETWORK_CACHE = "networks"
"""Folder of the converted networks, in `top_folder`."""
INT8_NETWORKS = "int8"
"""Folder of the networks that are quantized by calibrated exports, in `top_folder`."""
NETWORK_CACHE_BYTES = 4e9
"""Largest size of each of these folders."""
JOB, JOB_LOCK = "job", ".job.lock"
"""Folder of a run's job, in the run's folder, and the lock held while one starts."""
REPORT = "report.html"
"""The report of a run, in its folder; see `training.run_report`."""
TRAIN_BATCH, VAL_PREDICTIONS = "train_batch.jpg", "val_predictions.jpg"
"""Pictures in a run's folder: images of its first batch as augmented; images of the
validation split with the predictions after the last validation.
"""


def run_folder(
    dataset: fo.Dataset, run_key: str, runs_dir: str | os.PathLike[str] | None = None
) -> Path:
    """Returns the folder of a run, which may not exist.

    Args:
        dataset: the dataset that the run belongs to
        run_key: its name on the dataset
        runs_dir (None): replaces FiftyOne's folder for datasets

    Raises:
        TypeError: if the name is not a string
        ValueError: if the name could lead to another folder
    """
    check_name(run_key, "run_key")
    return dataset_folder(dataset, runs_dir) / run_key


def dataset_folder(
    dataset: fo.Dataset, runs_dir: str | os.PathLike[str] | None = None
) -> Path:
    """Returns the folder of all runs of a dataset."""
    return top_folder(runs_dir) / str(fiftyone_private.dataset_id(dataset))


def top_folder(runs_dir: str | os.PathLike[str] | None = None) -> Path:
    """Returns the folder of all runs of all datasets, as an absolute path."""
    place = runs_dir or Path(fo.config.default_dataset_dir) / "__yolov1__"
    return Path(place).expanduser().absolute()


def image_cache_folder(folder: Path) -> Path:
    """Returns where decoded images are cached, given a run's folder."""
    return folder.parent.parent / IMAGE_CACHE


def check_name(name: str, argument: str) -> None:
    """Raises an error if a name could lead to another folder.

    Args:
        name: of a run or a field
        argument: what the caller calls it

    Raises:
        TypeError: if it is not a string
        ValueError: if it has other characters than letters, digits and underscores
    """
    arguments.check_string(argument, name)
    if not is_name(name):
        raise ValueError(
            f"{argument} must be letters, digits and underscores, not beginning with a "
            f"digit; got {name!r}"
        )


def is_name(name: str) -> bool:
    """Returns whether `check_name` accepts a string."""
    return re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) is not None


def check_space(path: Path, needed: int) -> None:
    """Raises an OSError unless a run's folder can be written and has space.

    Creates nothing.

    Args:
        path: the run's folder
        needed: for its checkpoints, in bytes
    """
    parent = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(parent, os.W_OK):
        raise OSError(f"'{path}' can't be made: '{parent}' is not writable")
    free = shutil.disk_usage(parent).free
    if free < needed:
        raise OSError(
            f"'{path}' needs {humanize.naturalsize(needed)} for checkpoints, "
            f"got {humanize.naturalsize(free)} free"
        )


@contextlib.contextmanager
def locked(path: Path, run_key: str) -> Iterator[None]:
    """Locks a run, so that nobody else trains it; the lock ends with the process.

    The lock file is next to the run's folder, so that it survives a deletion.

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
            held.enter_context(files.locked(lock_file(path)))
        except TimeoutError:
            raise ValueError(
                f"run '{run_key}' is being trained by a process; stop it first"
            ) from None
        yield


def is_locked(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a process trains the run of this folder."""
    return files.is_locked(lock_file(Path(folder)))


def lock_file(path: Path) -> Path:
    """Returns the file that is locked while a run is trained, given its folder."""
    return path.with_name(f".{path.name}.lock")


def leftovers(path: Path) -> list[Path]:
    """Returns what killed processes left half-written or half-deleted of a run.

    Args:
        path: the run's folder; its lock must be held to delete them
    """
    return [
        *files.find_unfinished(path),
        *files.find_unfinished(path.parent, path.name),
    ]


def remove_leftovers(path: Path) -> None:
    """Removes what `leftovers` returns."""
    for leftover in leftovers(path):
        files.remove(leftover)
