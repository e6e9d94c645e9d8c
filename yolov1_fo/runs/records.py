"""The record of a training run in the database, read and written."""

from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo.config import arguments
from yolov1_fo.datasets import connection
from yolov1_fo.runs import history, ownership, run_json

MAX_NOTE = 5000
"""Longest note on a run, in characters."""


def info(dataset: fo.Dataset, run_key: str) -> Any:
    """Returns the record of a run, its parts as attributes.

    Parts that an earlier version stored under other names have today's names; `update`
    then stores these.
    """
    config = dataset.get_run_info(run_key).config
    for old, new in run_json.RENAMED_PARTS.items():
        if hasattr(config, old):
            setattr(config, new, vars(config).pop(old))
    if isinstance(getattr(config, "settings", None), dict):
        stored = run_json.renamed({"settings": config.settings})
        config.settings = run_json.respelled(stored)["settings"]
    return config


@connection.retry_once
def update(dataset: fo.Dataset, run_key: str, /, **changes: Any) -> None:
    """Changes parts of a run's record; does nothing if it was deleted meanwhile."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    config = info(dataset, run_key)
    for key, value in changes.items():
        setattr(config, key, value)
    dataset.update_run_config(run_key, config)


def set_note(dataset: fo.Dataset, run_key: str, note: str) -> None:
    """Keeps a note of the user on a run; an empty one removes it.

    Raises:
        TypeError: if the note is not a string
        ValueError: if it is longer than `MAX_NOTE` characters
    """
    arguments.check_string("note", note)
    if len(note) > MAX_NOTE:
        raise ValueError(
            f"note must have at most {MAX_NOTE} characters, got {len(note)}"
        )
    update(dataset, run_key, note=note.strip())


def note(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the note on a run; empty without one."""
    stored = getattr(info(dataset, run_key), "note", "")
    return stored if isinstance(stored, str) else ""


@connection.retry_once
def save_curves(
    dataset: fo.Dataset, run_key: str, history: dict[str, list[float | None]]
) -> None:
    """Stores the curves so far: for each metric a list of numbers, one per epoch."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    results = dataset.init_run_results(run_key, history=history)
    dataset.save_run_results(run_key, results, overwrite=True)


def curves(dataset: fo.Dataset, run_key: str) -> history.History:
    """Returns what `save_curves` stored; empty if there is nothing."""
    results = dataset.load_run_results(run_key)
    return dict(getattr(results, "history", None) or {})


def seconds(dataset: fo.Dataset, run_key: str) -> float:
    """Returns how long a run has trained, in all its processes; 0 if unknown.

    A killed process counts up to its last complete epoch.
    """
    run, folder = info(dataset, run_key), folder_of(dataset, run_key)
    found = [getattr(run, "seconds", None)]
    if folder:
        found += history.read(folder).get("seconds", [])
    return max((one for one in found if one is not None), default=0.0)


def ownership_error(dataset: fo.Dataset, run_key: str) -> str | None:
    """Returns why the folder in a run's record is not its own; None if it is."""
    path = folder_of(dataset, run_key)
    if path is None:
        return "it names no folder"
    return ownership.ownership_error(dataset, original_key(dataset, run_key), path)


def original_key(dataset: fo.Dataset, run_key: str) -> str:
    """Returns a run's first key: `dataset.rename_run` does not rename its folder."""
    return getattr(info(dataset, run_key), "run_key", run_key)


def folder_of(dataset: fo.Dataset, run_key: str) -> Path | None:
    """Returns the folder in a run's record; None if it names none."""
    return ownership.path_of(getattr(info(dataset, run_key), "folder", None))
