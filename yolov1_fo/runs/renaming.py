"""Gives a training run another name."""

import json
import logging
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.datasets import predicted_by
from yolov1_fo.runs import checkpoint, folders, records, registry, run_json

logger = logging.getLogger(__name__)


def rename_run(dataset: fo.Dataset, run_key: str, new_key: str) -> None:
    """Gives a run another name; what names it on the dataset and in its files follows.

    That is the parent of runs that started from it, the model of the fields that it
    predicted, and its checkpoints. Its folder keeps its name, so that paths stay valid;
    so do published models, which are copies.

    Args:
        dataset: that the run belongs to
        run_key: its name
        new_key: its new name

    Raises:
        ValueError: if there is no such run, a process trains it, or the new name is
            invalid or taken
        TypeError: if the new name is not a string
        OSError: if it can't be locked
    """
    run_key = registry.find(dataset, run_key)
    check_new_key(dataset, new_key)
    path = records.folder_of(dataset, run_key)
    if path is None or not path.is_dir() or records.ownership_error(dataset, run_key):
        _rename_record(dataset, run_key, new_key)
        return
    with folders.locked(path, run_key):
        _rename_record(dataset, run_key, new_key)
        predicted_by.rename(dataset, path, new_key)
        _rename_parents(dataset, run_key, new_key, path)
        _rename_checkpoints(path, new_key)


def check_new_key(dataset: fo.Dataset, new_key: str) -> None:
    """Raises an error unless a run can get this name.

    Args:
        dataset: that the run belongs to
        new_key: the new name

    Raises:
        ValueError: if it is invalid, or a run of the dataset has it
        TypeError: if it is not a string
    """
    folders.check_name(new_key, "new_key")
    dataset.reload()
    if dataset.has_run(new_key):
        raise ValueError(
            f"new_key '{new_key}' is a run of dataset '{dataset.name}'; choose another"
        )


def _rename_record(dataset: fo.Dataset, run_key: str, new_key: str) -> None:
    """Renames a run in the database; its record keeps its first name."""
    records.update(
        dataset, run_key, run_key=records.original_key(dataset, run_key)
    )  # of an older version it may not have it
    dataset.rename_run(run_key, new_key)


def _rename_parents(
    dataset: fo.Dataset, run_key: str, new_key: str, path: Path
) -> None:
    """Renames the run in the records of those that started from it."""
    for key in registry.keys(dataset):
        parent = getattr(records.info(dataset, key), "parent", None)
        if isinstance(parent, dict) and _is_in(parent.get("checkpoint"), path):
            names = {
                name: new_key
                for name in ("run_key", "weights")
                if parent.get(name) == run_key
            }
            records.update(dataset, key, parent={**parent, **names})


def _is_in(checkpoint_dir: Any, path: Path) -> bool:
    return isinstance(checkpoint_dir, str) and Path(checkpoint_dir).is_relative_to(path)


def _rename_checkpoints(path: Path, new_key: str) -> None:
    """Renames the run in the metadata of its checkpoints; logs what can't be."""
    for file in path.glob(f"epoch_*/{checkpoint.METADATA}"):
        try:
            content = {**run_json.read_json(file), "run_key": new_key}
            files.write_text(file, json.dumps(content, indent=2) + "\n")
        except (OSError, ValueError) as error:
            logger.warning("a checkpoint keeps the old name of its run: %s", error)
