"""Training runs kept on the dataset, as FiftyOne's custom runs."""

import contextlib
import os
import re
import shlex
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.config import arguments, spelling
from yolov1_fo.runs import folders, ownership, records

METHOD = "yolov1/train"
RESUMABLE = ("stopped", "failed")
"""Statuses of runs that can be resumed."""
INTERRUPTED = "its process is no longer running; resume it to continue"
COPIED = "it was copied while it was being trained; resume the original run instead"


def check_key(
    dataset: fo.Dataset, run_key: str, path: Path, *, in_app: bool = False
) -> None:
    """Raises a ValueError unless a new run may have this key.

    Args:
        dataset: the dataset
        run_key: the key
        path: the run's folder, which must not hold files of another run
        in_app (False): leaves out of the message what Python or a shell can do
    """
    dataset.reload()
    if dataset.has_run(run_key):
        options = "choose another"
        if not in_app and run_key in dataset.list_runs(method=METHOD):
            if status(dataset, run_key) != "finished":
                options += f", resume it with resume='{run_key}'"
            name = shlex.quote(dataset.name)
            options += f", or yolov1-fo runs delete {name} {run_key}"
        raise ValueError(
            f"run_key '{run_key}' exists on dataset '{dataset.name}'; {options}"
        )
    if not ownership.is_unused(path, dataset, run_key):
        raise ValueError(
            f"run_key '{run_key}' has a folder '{path}' of a run that was deleted or "
            "renamed; choose another, or delete the folder"
        )


def new_key(
    dataset: fo.Dataset, network: str, runs_dir: str | os.PathLike[str] | None = None
) -> str:
    """Returns an unused key for a run of this network."""
    stem = re.sub(r"\W", "_", network)
    used = set(dataset.list_runs())
    number = 1
    while (key := f"{stem}_{number}") in used or os.path.lexists(
        folders.run_folder(dataset, key, runs_dir)
    ):
        number += 1
    return key


def register(dataset: fo.Dataset, run_key: str, **parts: Any) -> None:
    """Adds a run to the dataset, with status `running`, and makes its folder.

    Its lock must be held. If this fails, nothing of it is left.

    Args:
        dataset: the dataset
        run_key: a new key
        **parts: of the run's record, with `folder`; JSON only

    Raises:
        ValueError: if the key exists
        OSError: if the folder can't be written
    """
    path = Path(parts["folder"])
    check_key(dataset, run_key, path)
    number = max(numbers(dataset).values(), default=-1) + 1
    config = dataset.init_run(
        method=METHOD,
        status="running",
        epoch=0,
        run_key=run_key,
        number=number,
        **parts,
    )
    folders.remove_leftovers(path)
    with ownership.claiming(path, dataset, run_key):
        dataset.register_run(run_key, config)


def restart(dataset: fo.Dataset, run_key: str) -> None:
    """Sets a run that is resumed to `running`; its lock must be held.

    Removes what a killed process left half-written.

    Raises:
        OSError: if its folder can't be written
    """
    path = Path(records.info(dataset, run_key).folder)
    if ownership.read_owner(path) is None:  # of an older version
        ownership.claim(path, dataset, records.original_key(dataset, run_key))
    folders.remove_leftovers(path)
    records.update(dataset, run_key, status="running", error=None)


def check_resumable(dataset: fo.Dataset, run_key: str) -> None:
    """Raises an error unless a run can be resumed.

    Args:
        dataset: that the run belongs to
        run_key: its key

    Raises:
        ValueError: if it has finished, or its folder belongs to another run
        FileNotFoundError: if its folder does not exist
    """
    if records.info(dataset, run_key).status == "finished":
        raise ValueError(f"run '{run_key}' has finished; there is nothing to resume")
    existing_folder(dataset, run_key)
    if error := records.ownership_error(dataset, run_key):
        raise ValueError(
            f"run '{run_key}' on dataset '{dataset.name}' can be loaded and published, "
            f"but not resumed: {error}"
        )


def is_own(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether the folder in a run's record belongs to the run."""
    return records.ownership_error(dataset, run_key) is None


def find(dataset: fo.Dataset, source: str | os.PathLike[str]) -> str:
    """Returns the key of a training run.

    Args:
        dataset: the dataset
        source: the key, the run's folder, or one of its checkpoints

    Raises:
        ValueError: if there is no such run
    """
    name, run_keys = arguments.check_path_or_name("the run", source), _keys(dataset)
    if name in run_keys:
        return name
    path = Path(name).absolute()
    path = path.resolve() if files.is_folder(path) else path
    for key in run_keys:
        own = records.folder_of(dataset, key)
        if own and own.is_absolute() and own.resolve() in (path, path.parent):
            return key
    available = ", ".join(run_keys) or "none"
    raise ValueError(
        f"run {name!r} is not on dataset '{dataset.name}'"
        f"{spelling.suggestion(name, run_keys)}; training runs: {available}; a run of "
        "another dataset is found by its folder"
    )


def exists(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether the dataset has a training run with this key."""
    return run_key in _keys(dataset)


def keys(dataset: fo.Dataset) -> list[str]:
    """Returns the keys of the dataset's training runs, their statuses updated.

    A run is `running` only while a process trains it: see `status`.
    """
    found = _keys(dataset)
    for key in found:
        status(dataset, key)
    return found


def _keys(dataset: fo.Dataset) -> list[str]:
    dataset.reload()
    return dataset.list_runs(method=METHOD)


def status(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the status of a run: running, finished, stopped or failed.

    A run that is stored as `running` although no process trains it was killed. Its
    stored status is then changed to `failed`, so that FiftyOne shows the same.
    """
    path = records.folder_of(dataset, run_key)
    stored = getattr(records.info(dataset, run_key), "status", "failed")
    if stored != "running" or path is None or not path.is_dir():
        return stored
    if records.ownership_error(dataset, run_key):
        records.update(dataset, run_key, status="failed", error=COPIED)
    elif not folders.is_locked(path):
        with (
            contextlib.suppress(OSError),  # another process has locked it meanwhile
            files.locked(folders.lock_file(path), timeout=0),
        ):
            dataset.reload()  # it may have finished before it released the lock
            if (
                dataset.has_run(run_key)
                and records.info(dataset, run_key).status == "running"
            ):
                records.update(dataset, run_key, status="failed", error=INTERRUPTED)
    return records.info(dataset, run_key).status


def newest_first(dataset: fo.Dataset) -> list[str]:
    """Returns the keys of the dataset's training runs, the newest first."""
    started = {key: dataset.get_run_info(key).timestamp for key in keys(dataset)}
    return sorted(started, key=started.__getitem__, reverse=True)


def numbers(dataset: fo.Dataset) -> dict[str, int]:
    """Returns the number of each training run, the newest first.

    Runs are counted from 0. A run keeps its number when others are deleted; only those
    of earlier versions are counted anew.
    """
    found: dict[str, int] = {}
    for position, key in enumerate(reversed(newest_first(dataset))):
        stored = getattr(records.info(dataset, key), "number", None)
        found[key] = stored if isinstance(stored, int) else position
    return dict(reversed(found.items()))


def existing_folder(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the folder of a run, which holds its checkpoints.

    Raises:
        ValueError: if there is no such run
        FileNotFoundError: if its folder does not exist
    """
    path = records.folder_of(dataset, find(dataset, run_key))
    if path is None or not path.is_dir():
        raise FileNotFoundError(f"folder '{path}' of run '{run_key}' does not exist")
    return str(path)
