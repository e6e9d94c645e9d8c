"""Which run a folder belongs to: only that run may be resumed in it or delete it.

A run's record names its folder, and FiftyOne copies records with datasets: a clone's
run names the original's folder, and an imported dataset may name any. So the folder
itself names its run, in `run.json`, before anything else is written into it.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.odm as foo

from yolov1_fo import files
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.runs import (
    checkpoint,
    folders,
    history,
    run_json,
    training_labels,
    training_samples,
)

OWNER = checkpoint.METADATA
START_FILES = (
    *(OWNER, ".lock", folders.JOB_LOCK, folders.JOB),
    training_labels.FILE,
    training_samples.FILE,
)
"""What is in a run's folder before its first epoch."""
RUN_FILES = (
    *(*START_FILES, history.LOG, "last", "best", "epoch_*", "tensorboard"),
    *(folders.REPORT, folders.TRAIN_BATCH, folders.VAL_PREDICTIONS),
    f".*{files.UNFINISHED}",
)
"""What a training leaves in its run's folder."""


@contextlib.contextmanager
def claiming(folder: Path, dataset: fo.Dataset, run_key: str) -> Iterator[None]:
    """Makes a run's folder and claims it; undone if the `with` block fails.

    Args:
        folder: of the run; may exist already, with a job
        dataset: that the run belongs to
        run_key: its name on the dataset

    Raises:
        OSError: if it can't be written
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        claim(folder, dataset, run_key)
        yield
    except BaseException:
        (folder / OWNER).unlink(missing_ok=True)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def claim(folder: Path, dataset: fo.Dataset, run_key: str) -> None:
    """Writes into a folder which run it belongs to.

    Raises:
        OSError: if it can't be written
    """
    content = {
        "format": run_json.FORMAT,
        "dataset_id": str(fiftyone_private.dataset_id(dataset)),
        "dataset": dataset.name,
        "run_key": run_key,
    }
    files.write_text(folder / OWNER, json.dumps(content, indent=2) + "\n")


def ownership_error(dataset: fo.Dataset, run_key: str, folder: Path) -> str | None:
    """Returns why a folder does not belong to a run; None if it does.

    Args:
        dataset: that the run belongs to
        run_key: its name when it was registered
        folder: that its record names
    """
    if folder.is_symlink():
        return f"'{folder}' is a link"
    owner, run = (
        read_owner(folder),
        (str(fiftyone_private.dataset_id(dataset)), run_key),
    )
    if owner is None:  # of an older version: its path and its files must fit
        others = [path.name for path in _listed(folder) if not _is_ours(path.name)]
        if folder.absolute().parts[-2:] == run and not others:
            return None
        return f"'{folder}' does not name the run that it belongs to"
    if (owner.get("dataset_id"), owner.get("run_key")) == run:
        return None
    name = f"run '{owner.get('run_key')}' of dataset '{owner.get('dataset')}'"
    return f"'{folder}' belongs to {name}"


def read_owner(folder: Path) -> dict[str, Any] | None:
    """Returns what `claim` wrote; None if there is nothing readable."""
    try:
        return run_json.read_json(folder / OWNER)
    except (OSError, ValueError):
        return None


def _is_ours(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in RUN_FILES)


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def is_unused(folder: Path, dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether a new run may use a folder: it is missing or holds no training.

    Args:
        folder: of the new run
        dataset: that the run will belong to
        run_key: its name on the dataset
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return False
    partial = files.find_unfinished(
        folder, OWNER
    )  # of a run that was killed at its start
    names = {path.name for path in _listed(folder) if path not in partial}
    if names - set(START_FILES):
        return False
    return OWNER not in names or ownership_error(dataset, run_key, folder) is None


def other_references(dataset: fo.Dataset, run_key: str, folder: Path) -> list[str]:
    """Returns the other runs in the database whose folder is this one or inside it.

    Args:
        dataset: that the run belongs to
        run_key: its name on the dataset
        folder: of the run
    """
    database, resolved = foo.get_db_conn(), folder.resolve()
    itself = {"_dataset_id": fiftyone_private.dataset_id(dataset), "key": run_key}
    others = database.runs.find(
        {"$nor": [itself], "config.folder": {"$type": "string"}},
        {"_dataset_id": 1, "key": 1, "config.folder": 1},
    )
    found = []
    for other in others:
        path = path_of(other["config"]["folder"])
        if path is None or not path.resolve().is_relative_to(resolved):
            continue
        query = {"_id": other["_dataset_id"]}
        if document := database.datasets.find_one(query, {"name": 1}):
            found.append(f"run '{other['key']}' of dataset '{document['name']}'")
    return found


def path_of(folder: Any) -> Path | None:
    """Returns the folder in a run's record as a path; None if it can't be one."""
    if not isinstance(folder, str) or not folder or "\0" in folder:
        return None
    return Path(folder)


def orphans(top: Path) -> list[Path]:
    """Returns the folders of runs that no record in the database names.

    They remain when FiftyOne deletes a dataset or a run.

    Args:
        top: the folder of all runs of all datasets
    """
    named = {
        str(path.resolve())
        for folder in foo.get_db_conn().runs.distinct("config.folder")
        if (path := path_of(folder))
    }
    return [
        path
        for root in _listed(top)
        if re.fullmatch("[0-9a-f]{24}", root.name)
        for path in _listed(root)
        if not path.name.startswith(".")
        and str(path.resolve()) not in named
        and any(path.glob(f"epoch_*/{checkpoint.METADATA}"))
    ]
