"""Training runs kept on the dataset, as FiftyOne's custom runs."""

import contextlib
import os
import re
import shlex
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.config import arguments
from yolov1_fo.runs import ownership, records
from yolov1_fo.runs.folders import JOB as JOB
from yolov1_fo.runs.folders import JOB_LOCK as JOB_LOCK
from yolov1_fo.runs.folders import PIXELS as PIXELS
from yolov1_fo.runs.folders import check_name as check_name
from yolov1_fo.runs.folders import check_space as check_space
from yolov1_fo.runs.folders import folder as folder
from yolov1_fo.runs.folders import is_locked as is_locked
from yolov1_fo.runs.folders import lock as lock
from yolov1_fo.runs.folders import locked as locked
from yolov1_fo.runs.folders import pixels as pixels
from yolov1_fo.runs.folders import root as root
from yolov1_fo.runs.folders import top as top
from yolov1_fo.runs.records import info as info
from yolov1_fo.runs.records import save_curves as save_curves
from yolov1_fo.runs.records import update as update

METHOD = "yolov1/train"
INTERRUPTED = "its process is gone; it can be resumed"
COPIED = "it was copied while it was trained; it can be resumed where it began"


def check_key(dataset: fo.Dataset, run_key: str, path: Path) -> None:
    """Raises a ValueError unless `run_key` is a new name that FiftyOne takes.

    Args:
        dataset: the dataset
        run_key: the name
        path: the run's folder, which must not hold another's files either
    """
    dataset.reload()
    if dataset.has_run(run_key):
        ways = "choose another"
        if run_key in dataset.list_runs(method=METHOD):
            if status(dataset, run_key) != "finished":
                ways += f", go on with resume='{run_key}'"
            ways += f", or yolov1-fo runs delete {shlex.quote(dataset.name)} {run_key}"
        raise ValueError(
            f"run_key '{run_key}' exists on dataset '{dataset.name}'; {ways}"
        )
    if not ownership.is_unused(path, dataset, run_key):
        raise ValueError(
            f"run_key '{run_key}' has a folder '{path}' of a run that was deleted or "
            "renamed; choose another, or delete the folder"
        )


def new_key(
    dataset: fo.Dataset, network: str, runs_dir: str | os.PathLike[str] | None = None
) -> str:
    """Returns a free name for a run of this network."""
    stem = re.sub(r"\W", "_", network)
    taken = set(dataset.list_runs())
    number = 1
    while (key := f"{stem}_{number}") in taken or os.path.lexists(
        folder(dataset, key, runs_dir)
    ):
        number += 1
    return key


def register(dataset: fo.Dataset, run_key: str, **known: Any) -> None:
    """Puts a run on the dataset, as `running`, and makes its folder.

    Its lock must be held. If it fails, nothing of it is left.

    Args:
        dataset: the dataset
        run_key: a new name
        **known: what is known at the start, with `folder`; JSON only

    Raises:
        ValueError: if the name is taken
        OSError: if the folder can't be written
    """
    path = Path(known["folder"])
    check_key(dataset, run_key, path)
    config = dataset.init_run(
        method=METHOD, status="running", epoch=0, run_key=run_key, **known
    )
    _sweep(path)
    with ownership.claiming(path, dataset, run_key):
        dataset.register_run(run_key, config)


def restart(dataset: fo.Dataset, run_key: str) -> None:
    """Lets a run go on, as `running`; its lock must be held.

    What a killed process has left half-written is removed.

    Raises:
        OSError: if its folder can't be written
    """
    path, began_as = (
        Path(info(dataset, run_key).folder),
        records.began_as(dataset, run_key),
    )
    if ownership.owner(path) is None:  # of an older version
        ownership.claim(path, dataset, began_as)
    _sweep(path)
    update(dataset, run_key, status="running", error=None)


def delete(dataset: fo.Dataset, run_key: str) -> str:
    """Removes a run from its dataset, with the files that are its own.

    Files stay that belong to another run, or that another one refers to: those of a
    clone's run are the original's.

    Returns:
        a line that says what was removed, and what stays

    Raises:
        ValueError: if there is no such run, or a process trains it
        OSError: if its folder can't be removed
    """
    run_key = find(dataset, run_key)
    path = records.folder_of(dataset, run_key)
    foreign = records.foreign(dataset, run_key)
    if path is None or foreign:
        dataset.delete_run(run_key)
        stay = path is not None and os.path.lexists(path)
        files_too = f"its files stay: {foreign}" if stay else "it had no folder"
        return f"run '{run_key}' is deleted; {files_too}"
    with locked(path, run_key):
        return _delete_own(dataset, run_key, path)


def _delete_own(dataset: fo.Dataset, run_key: str, path: Path) -> str:
    """Removes a run with its folder, whose lock is held."""
    dataset.reload()
    if not dataset.has_run(run_key):
        raise ValueError(f"run '{run_key}' was deleted by another process")
    if others := ownership.shared_with(dataset, run_key, path):
        dataset.delete_run(run_key)
        return f"run '{run_key}' is deleted; '{path}' stays for {', '.join(others)}"
    _sweep(path)
    if not path.exists():
        dataset.delete_run(run_key)
        return f"run '{run_key}' is deleted; it had no folder"
    aside = files.set_aside(path)
    try:
        dataset.delete_run(run_key)
    except BaseException:
        aside.rename(path)
        raise
    files.remove(aside)
    if aside.exists():
        raise OSError(f"run '{run_key}' is deleted, but '{aside}' can't be removed")
    return f"run '{run_key}' is deleted, with its folder '{path}'"


def check_resumable(dataset: fo.Dataset, run_key: str) -> None:
    """Raises an error unless a run can go on.

    Args:
        dataset: that it belongs to
        run_key: its name there

    Raises:
        ValueError: if it has finished, or its folder is that of another run
        FileNotFoundError: if its folder is gone
    """
    if info(dataset, run_key).status == "finished":
        raise ValueError(f"run '{run_key}' has finished; there is nothing to resume")
    checkpoint_dir(dataset, run_key)
    if foreign := records.foreign(dataset, run_key):
        raise ValueError(
            f"run '{run_key}' on dataset '{dataset.name}' can be loaded and published, "
            f"but not resumed: {foreign}"
        )


def _sweep(path: Path) -> None:
    for left in half_done(path):
        files.remove(left)


def half_done(path: Path) -> list[Path]:
    """Returns what killed processes left half-written or half-deleted of a folder."""
    return [*files.unfinished(path), *files.unfinished(path.parent, path.name)]


def is_own(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether the folder that a run names is its own."""
    return records.foreign(dataset, run_key) is None


def find(dataset: fo.Dataset, source: str | os.PathLike[str]) -> str:
    """Returns the key of a training run.

    Args:
        dataset: the dataset
        source: the key, the run's folder, or one of its checkpoints

    Raises:
        ValueError: if there is no such run
    """
    name, known = arguments.path_or_name("the run", source), keys(dataset)
    if name in known:
        return name
    path = Path(name).absolute()
    path = path.resolve() if files.is_folder(path) else path
    for key in known:
        own = records.folder_of(dataset, key)
        if own and own.is_absolute() and own.resolve() in (path, path.parent):
            return key
    has = ", ".join(known) or "none"
    raise ValueError(
        f"run {name!r} is not on dataset '{dataset.name}'; training runs: {has}"
    )


def exists(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether a training run of that name is on the dataset."""
    return run_key in keys(dataset)


def keys(dataset: fo.Dataset) -> list[str]:
    """Returns the names of the training runs on the dataset.

    A run is `running` only while it is trained: see `status`.
    """
    dataset.reload()
    found = dataset.list_runs(method=METHOD)
    for key in found:
        status(dataset, key)
    return found


def status(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the status of a run: running, finished, stopped or failed.

    If the run says `running` and no process trains it, its process was killed: then it
    has failed, and that is written down, so that FiftyOne tells the same.
    """
    path = records.folder_of(dataset, run_key)
    said = getattr(info(dataset, run_key), "status", "failed")
    if said != "running" or path is None or not path.is_dir():
        return said
    if records.foreign(dataset, run_key):
        update(dataset, run_key, status="failed", error=COPIED)
    elif not is_locked(path):
        with (
            contextlib.suppress(OSError),  # of a lock that another has taken meanwhile
            files.locked(lock(path), patience=0),
        ):
            dataset.reload()  # it may have finished before it let go of the lock
            if dataset.has_run(run_key) and info(dataset, run_key).status == "running":
                update(dataset, run_key, status="failed", error=INTERRUPTED)
    return info(dataset, run_key).status


def newest(dataset: fo.Dataset) -> list[str]:
    """Returns the names of the training runs on the dataset, the newest first."""
    begun = {key: dataset.get_run_info(key).timestamp for key in keys(dataset)}
    return sorted(begun, key=begun.__getitem__, reverse=True)


def checkpoint_dir(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the folder of a run's best checkpoint.

    Raises:
        ValueError: if there is no such run
        FileNotFoundError: if its folder is gone
    """
    path = records.folder_of(dataset, find(dataset, run_key))
    if path is None or not path.is_dir():
        raise FileNotFoundError(f"run '{run_key}' has lost its folder '{path}'")
    return str(path)
