"""What a training needs to go on as if it had never stopped.

Beside the network: the optimizer's variables, the counters that every random draw
depends on, and what the end of each epoch has seen so far.
"""

import itertools
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np

from yolov1_fo.runs import checkpoint

VARIABLES, PROGRESS = "variables.npz", "progress.json"


@dataclass
class Progress:
    """How far a training has come.

    Attributes:
        epoch: how many epochs are done
        seconds: that they took, in all processes
        history: a list of numbers, one an epoch, under each name; None where an epoch
            has none
        best: epoch and metrics of the best checkpoint
    """

    epoch: int = 0
    seconds: float = 0.0
    history: dict[str, list[float | None]] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)

    def add(self, metrics: dict[str, float]) -> None:
        """Adds an epoch's metrics to the history."""
        for name, value in finite(metrics).items():
            self.history.setdefault(name, []).append(value)

    def to_json(self) -> str:
        """Returns it as JSON; `from_json(p.to_json()) == p`."""
        return json.dumps({**asdict(self), "best": finite(self.best)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns what `to_json` wrote; `from_json(p.to_json()) == p`."""
        progress = cls(**json.loads(text))
        progress.best = {
            k: math.nan if v is None else v for k, v in progress.best.items()
        }
        return progress


def finite(metrics: dict[str, float]) -> dict[str, float | None]:
    """Returns metrics as JSON can say them: None for what is no number."""
    return {k: v if math.isfinite(v) else None for k, v in metrics.items()}


def save(folder: Path, learner: keras.Model, progress: Progress) -> None:
    """Writes `state/` into a checkpoint that is being made.

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
    """Puts a learner where `save` found it; returns how far that was.

    Args:
        folder: of a checkpoint
        learner: compiled, with the settings of the run

    Raises:
        FileNotFoundError: if the checkpoint keeps no state
        ValueError: if its state can't be read, or is of another network
    """
    state = folder / checkpoint.STATE
    for name in (VARIABLES, PROGRESS):
        if not (state / name).is_file():
            raise FileNotFoundError(
                f"checkpoint '{folder}' has no {checkpoint.STATE}/{name}; "
                "its training can't go on"
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
    """Returns what is wrong, where the error says it for people."""
    line = str(error).strip().partition("\n")[0]
    is_clear = isinstance(error, ValueError | OSError | zipfile.BadZipFile) and line
    return line if is_clear else "it is damaged, or of another version"


def _check_layers(folder: Path, network: keras.Model) -> None:
    """Raises a ValueError unless a checkpoint's network has the kinds of layers."""
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
                f"{kinds[1]}; its training can't go on"
            )


def _kinds(model: dict[str, Any]) -> list[str]:
    return [
        layer.get("registered_name") or layer["class_name"]
        for layer in model["config"]["layers"]
    ]


def _assign(stored: Mapping[str, Any], wanted: dict[str, Any]) -> None:
    if list(stored) != list(wanted):
        raise ValueError("it is of another network or optimizer")
    for name, variable in wanted.items():
        variable.assign(stored[name])


def variables(learner: keras.Model) -> dict[str, Any]:
    """Returns all that a step changes by number; no metrics, and no images held.

    Keras makes up some names anew in each process, so that only the order can be
    relied on.
    """
    others = [*learner.metrics_variables, *learner.held.values()]
    passed = {id(variable) for variable in others}
    found = [v for v in learner.variables if id(v) not in passed]
    found += learner.optimizer.variables
    return {f"{number:05d}": variable for number, variable in enumerate(found)}
