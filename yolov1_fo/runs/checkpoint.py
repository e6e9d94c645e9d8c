"""A trained network as a folder that explains itself.

`epoch_0012/` holds `network.keras` and `run.json`; beside it `last` and `best` are
files of one line that name such a folder. It loads no Keras: the App reads it too.
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
LONGEST_NAME = 1000
"""Bytes of `last` and `best` that are read at most."""


@contextlib.contextmanager
def writing(root: Path, epoch: int, *, best: bool) -> Iterator[Path]:
    """Gives a folder to fill, which then becomes the run's last checkpoint.

    A reader sees the old checkpoint or the new one, never half of one; if filling
    fails, nothing is left of it. Checkpoints that are neither last nor best go, and of
    the best goes what only the last needs.

    Args:
        root: the run's folder
        epoch: counted from 1
        best: whether it is the best so far

    Raises:
        OSError: if it can't be written
    """
    folder = root / epoch_name(epoch)
    with files.whole_folder(folder) as unfinished:
        yield unfinished
    _point(root, "last", folder)
    if best:
        _point(root, "best", folder)
    _tidy(root)


def epoch_name(epoch: float) -> str:
    """Returns what the checkpoint after an epoch, counted from 1, is called."""
    return f"epoch_{int(epoch):04d}"


def write(folder: Path, network: Any, metadata: dict[str, Any]) -> None:
    """Fills a checkpoint.

    Args:
        folder: from `writing`
        network: the Keras model that is saved
        metadata: what `run.json` says of it, beside its format

    Raises:
        ValueError: if a weight is not finite
    """
    check_finite(network)
    network.save(folder / NETWORK)
    text = json.dumps({"format": run_json.FORMAT, **metadata}, indent=2)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def _tidy(root: Path) -> None:
    try:
        last, best = pointed(root, "last"), pointed(root, "best")
    except (ValueError, OSError) as error:
        logger.warning("%s; older checkpoints are kept", error)
        return
    for folder in root.glob("epoch_*"):
        if folder not in (last, best):
            shutil.rmtree(folder, ignore_errors=True)
        elif folder != last:
            forget_state(folder)


def forget_state(folder: Path) -> None:
    """Removes what only a resume needs."""
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
    files.write(root / name, folder.name + "\n")


def point_to_best(root: Path, epoch: float) -> None:
    """Lets `best` name the checkpoint of an epoch.

    Raises:
        FileNotFoundError: if it is not there
    """
    _point(root, "best", resolve(root / epoch_name(epoch)))


def pointed(root: Path, name: str) -> Path | None:
    """Returns the checkpoint that `last` or `best` names; None without such a file.

    Raises:
        ValueError: if it names nothing that can stand beside it
    """
    file = root / name
    if not file.is_file():
        return None
    said = run_json.read_text(file, LONGEST_NAME).strip()
    if not re.fullmatch(r"[^/\\:\x00-\x1f]+", said) or not said.strip("."):
        raise ValueError(
            f"'{file}' must name a checkpoint beside it, as epoch_0012, got {said!r}"
        )
    return root / said


def resolve(source: str | os.PathLike[str]) -> Path:
    """Returns the checkpoint that a folder is, or that a run's folder calls its best.

    Raises:
        FileNotFoundError: if there is none
        ValueError: if it can't be a path, or the run's folder is damaged
        TypeError: if it is no path
    """
    name = arguments.path_or_name("checkpoint folder", source)
    if not files.is_folder(name):
        raise FileNotFoundError(f"checkpoint folder {name!r} does not exist")
    folder = Path(name)
    if not (folder / NETWORK).is_file():  # a run's folder has a `run.json` too
        folder = pointed(folder, "best") or pointed(folder, "last") or folder
    for part in (METADATA, NETWORK):
        if not (folder / part).is_file():
            raise FileNotFoundError(f"checkpoint '{folder}' has no {part}")
    return folder


def read_metadata(folder: Path, task: str | None = None) -> dict[str, Any]:
    """Returns what `run.json` says, checked; see `metadata.check`.

    Args:
        folder: of a checkpoint
        task (any): what the network must be for, detect or classify

    Raises:
        ValueError: if it can't be read, is of a newer format, lacks a part, a part is
            of another kind, or its network is for another task
        FileNotFoundError: if there is none
        OSError: if it may not be read
    """
    path = folder / METADATA
    metadata = run_json.read_json(path)
    run_json.check_format(path, metadata)
    if metadata["format"] == 1:
        metadata = {**run_json.renamed(metadata), "format": run_json.FORMAT}
    run_json.check(path, metadata, task)
    return metadata
