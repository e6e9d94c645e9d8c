"""Folders of networks of others: `network.keras` and how it is used, in `run.json`."""

import importlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from yolov1_fo.model.keras_tasks import embeddings
from yolov1_fo.model.keras_tasks import task as _task
from yolov1_fo.model.keras_tasks.task import Task
from yolov1_fo.networks import keras_file
from yolov1_fo.runs import checkpoint, run_json

APPLICATIONS = "keras.applications"
PREPROCESS = re.compile(rf"{re.escape(APPLICATIONS)}\.([a-z0-9_]+)\.preprocess_input")
"""Names of the functions that a folder may name: they execute no code of others."""


def save(task: Task, folder: Path) -> Path:
    """Writes a folder; returns it.

    Raises:
        ValueError: if it exists, a weight is not finite, or the function that
            preprocesses can't be named
        OSError: if it can't be written
    """
    checkpoint.check_new(folder)
    metadata = {
        "task": run_json.KERAS,
        "kind": task.output.KIND,
        "origin": f"{type(task.network).__name__} '{task.network.name}'",
        "classes": task.output.classes,
        "has_embeddings": embeddings.find(task.network, task.features) is not None,
        "settings": {
            "network": type(task.network).__name__,
            "image_size": max(task.preprocessing.size),
            "size": list(task.preprocessing.size),
            "activation": getattr(task.output, "activation", None),
            "preprocess": _name(task.preprocessing.function),
            "features": task.features,
            "library": type(task.network).__module__.partition(".")[0],
        },
    }
    return checkpoint.create(folder, task.network, metadata)


def load(folder: Path) -> Task:
    """Returns what `save` wrote.

    Raises:
        ValueError: if it can't be read
        ImportError: if it needs KerasHub, which is not installed
    """
    metadata = checkpoint.read_metadata(folder, run_json.KERAS)
    settings = metadata["settings"]
    if settings.get("library") == "keras_hub":
        _import_keras_hub(folder)
    network = keras_file.load(folder / checkpoint.NETWORK)
    height, width = settings["size"]
    task = _task.make(
        network,
        metadata["classes"],
        preprocess=_function(settings.get("preprocess"), folder),
        image_size=(height, width),
        activation=settings.get("activation"),
        features=settings.get("features"),
    )
    if metadata["kind"] != task.output.KIND:
        raise ValueError(
            f"the network of '{folder}' must be for {metadata['kind']}, got one for "
            f"{task.output.KIND}"
        )
    return task


def _import_keras_hub(folder: Path) -> None:
    """Makes the classes of KerasHub known to Keras."""
    try:
        importlib.import_module("keras_hub")
    except ModuleNotFoundError as error:
        raise ImportError(
            f"'{folder}' needs {error.name}; docs/keras.md says how to install KerasHub"
        ) from error


def _name(function: Callable[[Any], Any] | None) -> str | None:
    """Returns the public name of a function of keras.applications."""
    if function is None:
        return None
    for module in dir(keras.applications):
        found = getattr(getattr(keras.applications, module), "preprocess_input", None)
        if found is function:
            return f"{APPLICATIONS}.{module}.preprocess_input"
    raise ValueError(
        "preprocess must be a preprocess_input of keras.applications to be saved, got "
        f"{getattr(function, '__name__', function)!r}; put it into the network, such "
        "as keras.layers.Rescaling"
    )


def _function(name: str | None, folder: Path) -> Callable[[Any], Any] | None:
    if name is None:
        return None
    found = PREPROCESS.fullmatch(name)
    module = found and getattr(keras.applications, found[1], None)
    function = getattr(module, "preprocess_input", None)
    if function is None:
        raise ValueError(
            f"'{folder}' must name a function {APPLICATIONS}.*.preprocess_input, got "
            f"{name!r}"
        )
    return function
