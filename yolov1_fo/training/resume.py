"""Saves and restores what an exact resume needs.

That is, in addition to the network: the optimizer's variables, the counters that every
random draw depends on, and the progress.
"""

import itertools
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yolov1_fo.runs import checkpoint
from yolov1_fo.training.progress import Progress

VARIABLES, PROGRESS = "variables.npz", "progress.json"


def save(folder: Path, learner: keras.Model, progress: Progress) -> None:
    """Writes `state/` into a checkpoint that is being written.

    Args:
        folder: of the checkpoint
        learner: compiled; between two epochs
        progress: up to this epoch
    """
    state = folder / checkpoint.STATE
    state.mkdir()
    with zipfile.ZipFile(state / VARIABLES, "w") as archive:
        for name, variable in variables(learner).items():  # one at a time: they are big
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, variable.numpy(), allow_pickle=False)
    (state / PROGRESS).write_text(progress.to_json() + "\n")


def load(folder: Path, learner: keras.Model) -> Progress:
    """Restores a learner as `save` stored it; returns its progress.

    Args:
        folder: of a checkpoint
        learner: compiled, with the settings of the run

    Raises:
        FileNotFoundError: if the checkpoint has no state
        ValueError: if its state can't be read, or belongs to another network
    """
    state = folder / checkpoint.STATE
    for name in (VARIABLES, PROGRESS):
        if not (state / name).is_file():
            raise FileNotFoundError(
                f"checkpoint '{folder}' has no {checkpoint.STATE}/{name}; "
                "its training can't be resumed"
            )
    _check_layers(folder, learner.network)
    try:
        progress = Progress.from_json((state / PROGRESS).read_text(encoding="utf-8"))
        with (
            (state / VARIABLES).open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            _assign(stored, variables(learner))
    except Exception as error:
        raise ValueError(f"'{state}' can't be read: {_reason(error)}") from error
    return progress


def _reason(error: Exception) -> str:
    """Returns the error's own line if it is written for people."""
    line = str(error).strip().partition("\n")[0]
    is_readable = isinstance(error, ValueError | OSError | zipfile.BadZipFile) and line
    return line if is_readable else "it is damaged, or from another version"


def _check_layers(folder: Path, network: keras.Model) -> None:
    """Raises a ValueError unless a checkpoint has a network of the same layers."""
    try:
        with zipfile.ZipFile(folder / checkpoint.NETWORK) as archive:
            stored = json.loads(archive.read("config.json"))
    except Exception as error:
        line = f"'{folder / checkpoint.NETWORK}' can't be read: {_reason(error)}"
        raise ValueError(line) from error
    then, now = _kinds(stored), _kinds(json.loads(network.to_json()))
    for kinds in itertools.zip_longest(then, now, fillvalue="none"):
        if kinds[0] != kinds[1]:
            raise ValueError(
                f"checkpoint '{folder}' has a layer {kinds[0]} where this version has "
                f"{kinds[1]}; its training can't be resumed"
            )


def _kinds(model: dict[str, Any]) -> list[str]:
    return [
        layer.get("registered_name") or layer["class_name"]
        for layer in model["config"]["layers"]
    ]


def _assign(stored: Mapping[str, Any], wanted: dict[str, Any]) -> None:
    if list(stored) != list(wanted):
        raise ValueError("it belongs to another network or optimizer")
    for name, variable in wanted.items():
        variable.assign(stored[name])


def variables(learner: keras.Model) -> dict[str, Any]:
    """Returns all variables that a step changes, by number, without the metrics.

    By number, since Keras generates some names anew in each process; the order is the
    same. Images held on the device are not included.
    """
    others = [*learner.metrics_variables, *learner.held.values()]
    excluded = {id(variable) for variable in others}
    found = [v for v in learner.variables if id(v) not in excluded]
    found += learner.optimizer.variables
    return {f"{number:05d}": variable for number, variable in enumerate(found)}
