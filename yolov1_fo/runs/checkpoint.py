"""Checkpoints: a trained network and its metadata in one folder.

`epoch_0012/` holds `network.keras` and `run.json`; next to it, the one-line files
`last` and `best` name such a folder. Never imports Keras: the App reads checkpoints.
"""

import contextlib
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from yolov1_fo import files
from yolov1_fo.config import arguments
from yolov1_fo.runs import run_json

logger = logging.getLogger(__name__)

NETWORK, METADATA, STATE = "network.keras", "run.json", "state"
MAX_POINTER_BYTES = 1000
"""Longest `last` or `best` that is read."""


@contextlib.contextmanager
def writing(root: Path, epoch: int, *, best: bool) -> Iterator[Path]:
    """Yields an empty folder to fill, which then becomes the run's last checkpoint.

    Readers see either the old checkpoint or the complete new one; if filling fails,
    nothing of the new one is left. Checkpoints that are neither last nor best are
    deleted, and so is the training state of the best unless it is also the last.

    Args:
        root: the run's folder
        epoch: counted from 1
        best: whether it is the best so far

    Raises:
        OSError: if it can't be written
    """
    folder = root / epoch_name(epoch)
    with files.atomic_folder(folder) as unfinished:
        yield unfinished
    _point(root, "last", folder)
    if best:
        _point(root, "best", folder)
    _tidy(root)


def epoch_name(epoch: float) -> str:
    """Returns the folder name of the checkpoint after an epoch, counted from 1."""
    return f"epoch_{int(epoch):04d}"


def write(folder: Path, network: Any, metadata: dict[str, Any]) -> None:
    """Writes a network and its metadata.

    Args:
        folder: from `writing`
        network: the Keras model to save
        metadata: the content of `run.json`, without its format

    Raises:
        ValueError: if a weight is not finite
    """
    check_finite(network)
    network.save(folder / NETWORK)
    text = json.dumps({"format": run_json.FORMAT, **metadata}, indent=2)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def create(folder: Path, network: Any, metadata: dict[str, Any]) -> Path:
    """Writes a checkpoint to a folder that does not exist yet; returns the folder.

    Raises:
        ValueError: if it exists, or a weight is not finite
        OSError: if it can't be written
    """
    check_new(folder)
    with files.atomic_folder(folder) as unfinished:
        write(unfinished, network, metadata)
    return folder


def check_new(folder: Path) -> None:
    """Raises a ValueError if a folder exists."""
    if os.path.lexists(folder):  # also if it is a broken link
        raise ValueError(f"'{folder}' exists; choose another, or delete it")


def _tidy(root: Path) -> None:
    try:
        last, best = read_pointer(root, "last"), read_pointer(root, "best")
    except (ValueError, OSError) as error:
        logger.warning("%s; older checkpoints are kept", error)
        return
    for folder in root.glob("epoch_*"):
        if folder not in (last, best):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder != last:
            delete_state(folder)


def delete_state(folder: Path) -> None:
    """Deletes the part of a checkpoint that only resuming needs."""
    shutil.rmtree(folder / STATE, ignore_errors=True)


def check_finite(network: Any) -> None:
    """Raises a ValueError if a weight is not a finite number."""
    for variable in network.variables:
        values = variable.numpy()
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ValueError(
                f"weight '{variable.path}' is not finite; nothing is saved"
            )


def _point(root: Path, name: str, folder: Path) -> None:
    files.write_text(root / name, folder.name + "\n")


def point_to_best(root: Path, epoch: float) -> None:
    """Makes `best` name the checkpoint of an epoch.

    Raises:
        FileNotFoundError: if there is no such checkpoint
    """
    _point(root, "best", resolve(root / epoch_name(epoch)))


def read_pointer(root: Path, name: str) -> Path | None:
    """Returns the checkpoint that `last` or `best` names; None without such a file.

    Raises:
        ValueError: if its content can't be the name of a folder next to it
    """
    file = root / name
    if not file.is_file():
        return None
    target = run_json.read_text(file, MAX_POINTER_BYTES).strip()
    if not re.fullmatch(r"[^/\\:\x00-\x1f]+", target) or not target.strip("."):
        raise ValueError(
            f"'{file}' must name a checkpoint next to it, such as epoch_0012, "
            f"got {target!r}"
        )
    return root / target


def resolve(source: str | os.PathLike[str]) -> Path:
    """Returns the folder of a checkpoint, given it or the run's folder.

    For a run's folder this is its best checkpoint, or else its last.

    Raises:
        FileNotFoundError: if there is none
        ValueError: if it can't be a path, or the run's folder is damaged
        TypeError: if it is not a path
    """
    name = arguments.check_path_or_name("checkpoint folder", source)
    if not files.is_folder(name):
        raise FileNotFoundError(f"checkpoint folder {name!r} does not exist")
    folder = Path(name)
    if not (folder / NETWORK).is_file():  # a run's folder has a `run.json` too
        folder = read_pointer(folder, "best") or read_pointer(folder, "last") or folder
    for part in (METADATA, NETWORK):
        if not (folder / part).is_file():
            raise FileNotFoundError(f"checkpoint '{folder}' has no {part}")
    return folder


def read_own_metadata(folder: Path) -> dict[str, Any]:
    """Returns `read_metadata` for the task that the network is for."""
    return read_metadata(folder, run_json.task_of(read_metadata(folder)))


def read_metadata(folder: Path, task: str | None = None) -> dict[str, Any]:
    """Returns the metadata of a checkpoint, checked and in today's format.

    Args:
        folder: of the checkpoint
        task (any): required task of the network, detect or classify

    Raises:
        ValueError: if `run.json` can't be read, has a newer format, lacks a part, has a
            part of the wrong type, or the network is for another task
        FileNotFoundError: if there is no `run.json`
        OSError: if it may not be read
    """
    path = folder / METADATA
    metadata = run_json.read_json(path)
    run_json.check_format(path, metadata)
    if metadata["format"] == 1:
        metadata = {**run_json.renamed(metadata), "format": run_json.FORMAT}
    metadata = run_json.respelled(metadata)
    run_json.check(path, metadata, task)
    return metadata
