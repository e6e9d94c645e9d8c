"""A trained network as a folder that explains itself.

`epoch_0012/` holds `network.keras` and `run.json`; beside it `last` and `best` are
files of one line that name such a folder.
"""

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np

logger = logging.getLogger(__name__)

FORMAT = 1
NETWORK, CARD = "network.keras", "run.json"


def save(
    root: Path, epoch: int, network: keras.Model, card: dict[str, Any], *, best: bool
) -> Path:
    """Writes a checkpoint and points to it; removes those that nothing points to.

    A reader sees the old checkpoint or the new one, never half of one.

    Args:
        root: the run's folder
        epoch: counted from 1
        network: what is saved
        card: what `run.json` says of it, beside its format
        best: whether it is the best so far

    Raises:
        ValueError: if a weight is not finite; nothing is written then
    """
    check_finite(network)
    folder = root / f"epoch_{epoch:04d}"
    unfinished = root / f".{folder.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        network.save(unfinished / NETWORK)
        text = json.dumps({"format": FORMAT, **card}, indent=2)
        (unfinished / CARD).write_text(text + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    _point(root, "last", folder)
    if best:
        _point(root, "best", folder)
    pointed = {_pointed(root, name) for name in ("last", "best")}
    for other in root.glob("epoch_*"):
        if other not in pointed:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def check_finite(network: keras.Model) -> None:
    """Raises a ValueError if a weight is not a finite number."""
    for variable in network.variables:
        values = variable.numpy()
        if np.issubdtype(values.dtype, np.floating) and not np.isfinite(values).all():
            raise ValueError(
                f"weight '{variable.path}' is not finite; nothing is saved"
            )


def _point(root: Path, name: str, folder: Path) -> None:
    unfinished = root / f".{name}.unfinished"
    unfinished.write_text(folder.name + "\n")
    os.replace(unfinished, root / name)  # noqa: PTH105  # atomic, as the reader expects


def _pointed(root: Path, name: str) -> Path | None:
    file = root / name
    return root / file.read_text().strip() if file.is_file() else None


def resolve(source: str | os.PathLike[str]) -> Path:
    """Returns the checkpoint that a folder is, or that a run's folder calls its best.

    Raises:
        FileNotFoundError: if there is none
    """
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError(f"checkpoint folder '{source}' does not exist")
    if not (folder / CARD).is_file():
        folder = _pointed(folder, "best") or _pointed(folder, "last") or folder
    for name in (CARD, NETWORK):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"checkpoint '{folder}' has no {name}")
    return folder


def read_card(folder: Path) -> dict[str, Any]:
    """Returns what `run.json` says.

    Raises:
        ValueError: if it can't be read, is of a newer format or lacks a part
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"'{path}' is not valid JSON: {error}") from None
    if not isinstance(card, dict) or card.get("format") != FORMAT:
        got = card.get("format") if isinstance(card, dict) else type(card).__name__
        raise ValueError(f"'{path}' must have format {FORMAT}, got {got!r}")
    missing = [key for key in ("classes", "settings") if key not in card]
    if missing:
        raise ValueError(f"'{path}' lacks {', '.join(missing)}")
    return card


def load_network(folder: Path) -> keras.Model:
    """Returns the network of a checkpoint; runs no code that stands in it.

    Raises:
        ValueError: if it can't be read
    """
    path = folder / NETWORK
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        line = str(error).strip().splitlines()[0] if str(error).strip() else error
        raise ValueError(f"'{path}' can't be read as a network: {line}") from error
