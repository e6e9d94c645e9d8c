"""Training runs kept on the dataset, as FiftyOne's custom runs."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import eta.core.utils as etau
import fiftyone as fo
import filelock

METHOD = "yolov1/train"
LOCK, JOB_LOCK = ".lock", ".job.lock"
PIXELS = "pixels"
JOB = "job"
"""A run's folder for its job."""


def folder(
    dataset: fo.Dataset, run_key: str, runs_dir: str | os.PathLike[str] | None = None
) -> Path:
    """Returns where a run keeps its files.

    Args:
        dataset: the dataset that it belongs to
        run_key: its name there
        runs_dir (None): instead of FiftyOne's folder for datasets

    Raises:
        ValueError: if the name could lead elsewhere
    """
    check_name(run_key, "run_key")
    return root(dataset, runs_dir) / run_key


def root(dataset: fo.Dataset, runs_dir: str | os.PathLike[str] | None = None) -> Path:
    """Returns where all runs of a dataset keep their files."""
    return top(runs_dir) / str(dataset._doc.id)


def top(runs_dir: str | os.PathLike[str] | None = None) -> Path:
    """Returns where all runs of all datasets keep their files."""
    return Path(runs_dir or Path(fo.config.default_dataset_dir) / "__yolov1__")


def pixels(folder: Path) -> Path:
    """Returns where the runs beside a run's folder keep decoded images."""
    return folder.parent.parent / PIXELS


def check_name(name: str, argument: str) -> None:
    """Raises a ValueError if a name could lead to another folder.

    Args:
        name: of a run or a field
        argument: how the caller calls it
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError(
            f"{argument} must be letters, digits and underscores, not beginning with a "
            f"digit; got {name!r}"
        )


def check_key(dataset: fo.Dataset, run_key: str, path: Path) -> None:
    """Raises a ValueError unless `run_key` is a new name that FiftyOne takes.

    Args:
        dataset: the dataset
        run_key: the name
        path: the run's folder, which must not exist either
    """
    dataset.reload()
    if dataset.has_run(run_key):
        raise ValueError(
            f"run_key '{run_key}' exists on dataset '{dataset.name}'; choose another, "
            f"or dataset.delete_run('{run_key}')"
        )
    if path.exists() and {one.name for one in path.iterdir()} - {LOCK, JOB, JOB_LOCK}:
        raise ValueError(
            f"run_key '{run_key}' has a folder '{path}' of a run that was deleted; "
            "choose another, or delete the folder"
        )


def new_key(
    dataset: fo.Dataset, network: str, runs_dir: str | os.PathLike[str] | None = None
) -> str:
    """Returns a free name for a run of this network."""
    stem = re.sub(r"\W", "_", network)
    taken = set(dataset.list_runs())
    number = 1
    while (key := f"{stem}_{number}") in taken or folder(
        dataset, key, runs_dir
    ).exists():
        number += 1
    return key


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


def register(dataset: fo.Dataset, run_key: str, **known: Any) -> None:
    """Puts a run on the dataset, as `running`.

    Args:
        dataset: the dataset
        run_key: a new name
        **known: what is known at the start; JSON only
    """
    config = dataset.init_run(method=METHOD, status="running", epoch=0, **known)
    dataset.register_run(run_key, config)


def update(dataset: fo.Dataset, run_key: str, **known: Any) -> None:
    """Changes what is known of a run; does nothing if it was deleted meanwhile."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    config = info(dataset, run_key)
    for key, value in known.items():
        setattr(config, key, value)
    dataset.update_run_config(run_key, config)


def save_curves(
    dataset: fo.Dataset, run_key: str, history: dict[str, list[float | None]]
) -> None:
    """Keeps the curves so far: a list of numbers, one an epoch, under each name."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    results = dataset.init_run_results(run_key, history=history)
    dataset.save_run_results(run_key, results, overwrite=True)


@contextlib.contextmanager
def locked(path: Path, run_key: str) -> Iterator[None]:
    """Keeps other processes from training the same run; ends with the process.

    Raises:
        ValueError: if one does
    """
    lock = filelock.FileLock(path / LOCK, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(f"run '{run_key}' is being trained by a process") from None
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: str | os.PathLike[str]) -> bool:
    """Returns whether a process trains the run of this folder."""
    path = Path(folder)
    if not (path / LOCK).exists():
        return False
    lock = filelock.FileLock(path / LOCK, blocking=False)
    try:
        with lock:
            return False
    except filelock.Timeout:
        return True


def delete(dataset: fo.Dataset, run_key: str) -> None:
    """Removes a run from its dataset, with all its files.

    Raises:
        ValueError: if there is no such run, or a process trains it
    """
    run_key = find(dataset, run_key)
    path = Path(info(dataset, run_key).folder)
    if is_locked(path):
        raise ValueError(f"run '{run_key}' is being trained; stop it first")
    dataset.delete_run(run_key)
    shutil.rmtree(path, ignore_errors=True)


def find(dataset: fo.Dataset, source: str | os.PathLike[str]) -> str:
    """Returns the key of a training run.

    Args:
        dataset: the dataset
        source: the key, the run's folder, or one of its checkpoints

    Raises:
        ValueError: if there is no such run
    """
    known = keys(dataset)
    if source in known:
        return str(source)
    path = Path(source).resolve()
    for key in known:
        if Path(info(dataset, key).folder).resolve() in (path, path.parent):
            return key
    has = ", ".join(known) or "none"
    raise ValueError(
        f"run '{os.fspath(source)}' is not on dataset '{dataset.name}'; "
        f"training runs: {has}"
    )


def exists(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether a training run of that name is on the dataset."""
    return run_key in keys(dataset)


def keys(dataset: fo.Dataset) -> list[str]:
    """Returns the names of the training runs on the dataset."""
    dataset.reload()
    return dataset.list_runs(method=METHOD)


def newest(dataset: fo.Dataset) -> list[str]:
    """Returns the names of the training runs on the dataset, the newest first."""
    begun = {key: dataset.get_run_info(key).timestamp for key in keys(dataset)}
    return sorted(begun, key=begun.__getitem__, reverse=True)


def info(dataset: fo.Dataset, run_key: str) -> Any:
    """Returns what is known of a run, as attributes."""
    return dataset.get_run_info(run_key).config


def checkpoint_dir(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the folder of a run's best checkpoint.

    Raises:
        ValueError: if there is no such run
        FileNotFoundError: if its folder is gone
    """
    folder = info(dataset, find(dataset, run_key)).folder
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"run '{run_key}' has lost its folder '{folder}'")
    return folder
