"""Deletes a training run, with the files that belong to it."""

import os
from pathlib import Path

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.runs import folders, ownership, records, registry


def delete_run(dataset: fo.Dataset, run_key: str) -> str:
    """Deletes a run, with its folder unless another run uses it.

    The folder in the record of a clone's run belongs to the original's run, and stays.

    Returns:
        a line about what was deleted and what remains

    Raises:
        ValueError: if there is no such run, or a process trains it
        OSError: if its folder can't be removed
    """
    run_key = registry.find(dataset, run_key)
    path = records.folder_of(dataset, run_key)
    error = records.ownership_error(dataset, run_key)
    if path is None or error:
        dataset.delete_run(run_key)
        remains = path is not None and os.path.lexists(path)
        files_too = f"its files remain: {error}" if remains else "it had no folder"
        return f"run '{run_key}' is deleted; {files_too}"
    with folders.locked(path, run_key):
        return _delete_with_folder(dataset, run_key, path)


def _delete_with_folder(dataset: fo.Dataset, run_key: str, path: Path) -> str:
    """Deletes a run and its folder, whose lock is held."""
    dataset.reload()
    if not dataset.has_run(run_key):
        raise ValueError(f"run '{run_key}' was deleted by another process")
    if others := ownership.other_references(dataset, run_key, path):
        dataset.delete_run(run_key)
        return (
            f"run '{run_key}' is deleted; '{path}' remains, used by {', '.join(others)}"
        )
    folders.remove_leftovers(path)
    if not path.exists():
        dataset.delete_run(run_key)
        return f"run '{run_key}' is deleted; it had no folder"
    with files.removing(path) as aside:
        dataset.delete_run(run_key)
    if aside.exists():
        raise OSError(f"run '{run_key}' is deleted, but '{aside}' can't be removed")
    return f"run '{run_key}' is deleted, with its folder '{path}'"
