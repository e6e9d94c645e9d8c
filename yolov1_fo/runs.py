"""Training runs kept on the dataset, as FiftyOne's custom runs."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import fiftyone as fo

METHOD = "yolov1/train"
SPACE_FOR_CHECKPOINTS = 3


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
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", run_key):
        raise ValueError(
            "run_key must be letters, digits and underscores, not beginning with a "
            f"digit; got {run_key!r}"
        )
    root = Path(runs_dir or Path(fo.config.default_dataset_dir) / "__yolov1__")
    return root / str(dataset._doc.id) / run_key


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
    if path.exists():
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


def check_space(path: Path, checkpoint_bytes: int) -> None:
    """Raises an OSError unless there is space for a run's folder; makes nothing.

    Args:
        path: the run's folder
        checkpoint_bytes: of one checkpoint
    """
    there = next(parent for parent in path.parents if parent.exists())
    needed = SPACE_FOR_CHECKPOINTS * checkpoint_bytes
    free = shutil.disk_usage(there).free
    if free < needed:
        raise OSError(
            f"'{path}' needs {needed / 1e9:.1f} GB for checkpoints, "
            f"got {free / 1e9:.1f} GB free"
        )


def register(dataset: fo.Dataset, run_key: str, **info: Any) -> None:
    """Puts a run on the dataset, as `running`.

    Args:
        dataset: the dataset
        run_key: a new name
        **info: what is known at the start; JSON only
    """
    config = dataset.init_run(method=METHOD, status="running", **info)
    dataset.register_run(run_key, config)


def update(dataset: fo.Dataset, run_key: str, **info: Any) -> None:
    """Changes what is known of a run; does nothing if it was deleted meanwhile."""
    dataset.reload()
    if not dataset.has_run(run_key):
        return
    config = dataset.get_run_info(run_key).config
    for key, value in info.items():
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


def checkpoint_dir(dataset: fo.Dataset, run_key: str) -> str:
    """Returns the folder of a run's best checkpoint.

    Raises:
        ValueError: if there is no such run
    """
    dataset.reload()
    if run_key not in dataset.list_runs(method=METHOD):
        has = ", ".join(dataset.list_runs(method=METHOD)) or "none"
        raise ValueError(
            f"run '{run_key}' is not on dataset '{dataset.name}'; training runs: {has}"
        )
    return dataset.get_run_info(run_key).config.folder
