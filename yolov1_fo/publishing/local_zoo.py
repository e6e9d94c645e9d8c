"""Trained models in FiftyOne's local model zoo.

A published model is a folder with its own manifest inside FiftyOne's folder for models,
so that every process finds it. Never imports Keras.
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.zoo.models as fozm

from yolov1_fo import files, zoo
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import arguments
from yolov1_fo.datasets import connection, database_uri, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.publishing import manifest, model_card
from yolov1_fo.runs import checkpoint, registry

README = "README.md"
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,199}"
LOCK = ".lock"
LOCK_TIMEOUT = 60.0
"""Seconds to wait for another process that publishes, which copies up to a gigabyte."""


def folder_of(name: str) -> Path | None:
    """Returns the folder of a published model; None if there is none of that name."""
    if not isinstance(name, str) or not _is_name(name):
        return None
    folder = root() / name
    return folder if folder.is_dir() else None


def names() -> list[str]:
    """Returns the names of all published models."""
    found = (path.name for path in root().glob("*") if path.is_dir())
    return sorted(filter(_is_name, found))


def _is_name(name: str) -> bool:
    return re.fullmatch(NAME, name) is not None


def root() -> Path:
    """Returns the folder of all published models, which may not exist."""
    return Path(fo.config.model_zoo_dir) / manifest.PUBLISHED


@connection.one_line_errors()
def publish(
    checkpoint_dir: str | os.PathLike[str],
    name: str,
    dataset: fo.Dataset | None = None,
    *,
    author: str = "Unknown",
    license: str = "Not specified",
    data_url: str | None = None,
) -> Path:
    """Adds a trained model to the local model zoo, for all processes.

    Then `foz.load_zoo_model(name)` loads it. It is a copy: the run may be deleted.
    FiftyOne caches loaded models by name; publishing clears that cache in this process.
    Another process that still holds a model of this name can pass `cache=False`, or use
    `yolov1_fo.load_model(name)`.

    Args:
        checkpoint_dir: checkpoint folder, run folder (its best checkpoint is published)
            or run key
        name: in the zoo
        dataset (None): where to look up a run key
        author ("Unknown"): author of the model, shown in FiftyOne's list of models
        license ("Not specified"): license of the model
        data_url (None): address of the training data, for FiftyOne's list of models

    Returns:
        its folder in the zoo; the `README.md` there is its model card

    Raises:
        FileNotFoundError: if there is no such checkpoint
        ValueError: if it can't be read, or the name exists or is invalid
        TypeError: if an argument has the wrong type
        OSError: if it can't be written
    """
    source = _source(checkpoint_dir, dataset)
    metadata = checkpoint.read_own_metadata(source)
    check_name(name)
    credits = manifest.Credits(author, license, data_url)
    for argument, value in credits._asdict().items():
        if argument != "data_url" or value is not None:
            arguments.check_string(argument, value)
    with _locked():
        _check_unused(name)  # another process may have published it meanwhile
        with files.atomic_folder(root() / name) as unfinished:
            _fill(unfinished, source, name, metadata)
            manifest.write(unfinished, name, metadata, credits)
    fiftyone_private.forget_zoo_model(name)
    return root() / name


def _source(checkpoint_dir: str | os.PathLike[str], dataset: fo.Dataset | None) -> Path:
    key = arguments.check_path_or_name("checkpoint_dir", checkpoint_dir)
    if dataset is not None:
        fo_samples.check(dataset, "dataset")
        if registry.exists(dataset, key) or not files.is_folder(key):
            return checkpoint.resolve(registry.existing_folder(dataset, key))
    elif not files.is_folder(key):
        raise FileNotFoundError(
            f"checkpoint folder {key!r} does not exist; to publish a run by its key, "
            "pass dataset="
        )
    return checkpoint.resolve(key)


def _fill(folder: Path, source: Path, name: str, metadata: dict[str, Any]) -> None:
    for part in (checkpoint.NETWORK, checkpoint.METADATA):
        shutil.copyfile(source / part, folder / part)
    (folder / README).write_text(model_card.text(name, metadata), encoding="utf-8")


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Lets one process at a time publish, and removes what a killed one left."""
    with contextlib.ExitStack() as stack:
        try:
            _lock(stack)
        except TimeoutError:
            raise OSError(
                f"another process publishes into '{root()}'; try again when it is done"
            ) from None
        except OSError as error:
            raise OSError(f"'{root()}' can't be written: {error}") from error
        for path in leftovers():
            files.remove(path)
        yield


def _lock(stack: contextlib.ExitStack) -> None:
    for retries in (2, 1, 0):
        try:
            root().mkdir(parents=True, exist_ok=True)
            stack.enter_context(files.locked(root() / LOCK, LOCK_TIMEOUT))
        except FileNotFoundError:  # another process has just removed the empty folder
            if not retries:
                raise
        else:
            break
    stack.callback(_remove_if_empty)


def _remove_if_empty() -> None:
    """Removes the folder of published models if it holds none; its lock is held."""
    with contextlib.suppress(OSError):
        if [path.name for path in root().iterdir()] == [LOCK]:
            (root() / LOCK).unlink()
            root().rmdir()


def leftovers() -> list[Path]:
    """Returns the models that are being published, or were when a process was killed.

    Only those whose name `publish` accepts: other files are not ours.
    """
    found = files.find_unfinished(root())
    return [path for path in found if _is_name(files.final_path(path).name)]


def clean() -> int:
    """Removes what killed processes left; returns the number of folders removed.

    Raises:
        OSError: if another process publishes for long, or the lock fails
    """
    found = leftovers()
    if found:
        with _locked():
            found = [path for path in found if not path.exists()]
    return len(found)


def unpublish(name: str) -> None:
    """Removes a published model from the local model zoo.

    Raises:
        ValueError: if there is none of that name
        OSError: if it can't be removed
    """
    _existing_folder(name)
    with _locked():
        files.remove(files.move_aside(_existing_folder(name)))
    fiftyone_private.forget_zoo_model(name)


def _existing_folder(name: str) -> Path:
    folder = folder_of(name)
    if folder is None:
        available = ", ".join(names()) or "none"
        raise ValueError(f"{_short(name)} is not published; there are: {available}")
    return folder


def check_name(name: str) -> None:
    """Raises an error unless a model can be published under this name.

    Raises:
        ValueError: if it exists or is invalid
        TypeError: if it is not a string
    """
    arguments.check_string("name", name)
    if not _is_name(name):
        raise ValueError(
            "name must be letters, digits, dots, dashes and underscores, beginning "
            f"with a letter or digit, at most 200; got {_short(name)}"
        )
    _check_unused(name)
    if name in {*NETWORKS, *zoo.entries(), *_zoo_names()}:
        _check_unused(name)  # another process may have published it just now
        raise ValueError(f"'{name}' is the name of another model; choose another")


def _short(name: object) -> str:
    text = repr(name)
    return text if len(text) < 60 else f"{text[:57]}..."


def _check_unused(name: str) -> None:
    if folder_of(name):
        raise ValueError(
            f"'{name}' is published already, and published models have no versions; "
            "choose another name, or unpublish it"
        )
    if os.path.lexists(root() / name):
        raise ValueError(f"'{root() / name}' exists; remove it, or choose another name")


def _zoo_names() -> list[str]:
    """Returns the names of all models in FiftyOne's zoo.

    Raises:
        ValueError: if FiftyOne can't read a manifest
    """
    faults = damaged()
    text = "; ".join(f"'{name}' is damaged: {fault}" for name, fault in faults.items())
    remedy = f"; published model {text}; unpublish it" if text else ""
    if manifest.NO_FILE in faults.values():  # FiftyOne would block on a pipe
        raise ValueError(f"FiftyOne's model zoo can't be read{remedy}")
    try:
        return fozm.list_zoo_models()
    except Exception as error:  # a manifest of anyone's can make it raise anything
        cause = database_uri.one_line(error)
        raise ValueError(
            f"FiftyOne's model zoo can't be read: {cause}{remedy}"
        ) from error


def damaged() -> dict[str, str]:
    """Returns the published models that can't be loaded, with the reason for each."""
    found = {name: manifest.fault(root() / name) for name in names()}
    return {name: fault for name, fault in found.items() if fault}
