"""What a dataset knows of one of its training runs, read and written."""

from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo.datasets import connection
from yolov1_fo.runs import ownership, run_json


def info(dataset: fo.Dataset, run_key: str) -> Any:
    """Returns what is known of a run, as attributes.

    Of runs of an earlier version under today's names; `update` then stores these.
    """
    config = dataset.get_run_info(run_key).config
    for old, new in run_json.RENAMED_PARTS.items():
        if hasattr(config, old):
            setattr(config, new, vars(config).pop(old))
    if isinstance(getattr(config, "settings", None), dict):
        config.settings = run_json.renamed({"settings": config.settings})["settings"]
    return config


@connection.patient
def update(dataset: fo.Dataset, run_key: str, **known: Any) -> None:
    """Changes what is known of a run; does nothing if it was deleted meanwhile."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    config = info(dataset, run_key)
    for key, value in known.items():
        setattr(config, key, value)
    dataset.update_run_config(run_key, config)


@connection.patient
def save_curves(
    dataset: fo.Dataset, run_key: str, history: dict[str, list[float | None]]
) -> None:
    """Keeps the curves so far: a list of numbers, one an epoch, under each name."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    results = dataset.init_run_results(run_key, history=history)
    dataset.save_run_results(run_key, results, overwrite=True)


def foreign(dataset: fo.Dataset, run_key: str) -> str | None:
    """Returns why the folder that a run names is not its own; None if it is."""
    path = folder_of(dataset, run_key)
    if path is None:
        return "it names no folder"
    return ownership.foreign(dataset, began_as(dataset, run_key), path)


def began_as(dataset: fo.Dataset, run_key: str) -> str:
    """Returns what a run was called at first: `dataset.rename_run` renames no files."""
    return getattr(info(dataset, run_key), "run_key", run_key)


def folder_of(dataset: fo.Dataset, run_key: str) -> Path | None:
    """Returns the folder that a run names; None if it names none."""
    return ownership.path_of(getattr(info(dataset, run_key), "folder", None))
