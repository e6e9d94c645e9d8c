"""Trained models in FiftyOne's local model zoo.

A published model is a folder with a manifest of its own inside FiftyOne's folder for
models, so that any process finds it. It loads no Keras.
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
from yolov1_fo.datasets import connection, database
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.publishing import manifest, model_card
from yolov1_fo.runs import checkpoint, registry

README = "README.md"
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]{0,199}"
LOCK = ".lock"
PATIENCE = 60.0
"""Seconds to wait for another process that publishes: it copies a gigabyte at most."""


def published(name: str) -> Path | None:
    """Returns the folder of a published model; None if there is none of that name."""
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        return None
    folder = root() / name
    return folder if folder.is_dir() else None


def names() -> list[str]:
    """Returns the names of all published models."""
    found = (path.name for path in root().glob("*") if path.is_dir())
    return sorted(name for name in found if re.fullmatch(NAME, name))


def root() -> Path:
    """Returns the folder of all published models, which may not be there."""
    return Path(fo.config.model_zoo_dir) / manifest.PUBLISHED


@connection.answering()
def publish(
    checkpoint_dir: str | os.PathLike[str], name: str, dataset: fo.Dataset | None = None
) -> Path:
    """Puts a trained model into the local model zoo, for every process.

    Then `foz.load_zoo_model(name)` loads it. It is a copy: the run may be deleted.
    FiftyOne gives a model again that this process loaded under the name and still
    holds; publishing makes it forget that one here. Another process that holds one can
    pass `cache=False`, or take `yolov1_fo.load_model(name)`.

    Args:
        checkpoint_dir: a checkpoint's folder, or a run's, of which the best is taken,
            or a run key
        name: in the zoo
        dataset (None): where to look up a run key

    Returns:
        its folder in the zoo; `README.md` there is its card

    Raises:
        FileNotFoundError: if there is no such checkpoint
        ValueError: if it can't be read, or the name is taken or can't be one
        TypeError: if an argument is of another kind
        OSError: if it can't be written
    """
    source = _source(checkpoint_dir, dataset)
    metadata = checkpoint.read_metadata(source, "detect")
    check_name(name)
    with _alone():
        _check_free(name)  # another process may have taken it meanwhile
        with files.whole_folder(root() / name) as unfinished:
            _fill(unfinished, source, name, metadata)
    _forget(name)
    return root() / name


def _source(checkpoint_dir: str | os.PathLike[str], dataset: fo.Dataset | None) -> Path:
    key = arguments.path_or_name("checkpoint_dir", checkpoint_dir)
    if dataset is not None:
        fo_samples.check(dataset, "dataset")
    if dataset is not None and (
        registry.exists(dataset, key) or not files.is_folder(key)
    ):
        return checkpoint.resolve(registry.checkpoint_dir(dataset, key))
    try:
        return checkpoint.resolve(checkpoint_dir)
    except FileNotFoundError as error:
        if dataset is None and not files.is_folder(key):
            raise FileNotFoundError(
                f"{error}; to publish a run by its key, pass dataset="
            ) from None
        raise


def _fill(folder: Path, source: Path, name: str, metadata: dict[str, Any]) -> None:
    for part in (checkpoint.NETWORK, checkpoint.METADATA):
        shutil.copyfile(source / part, folder / part)
    manifest.write(folder, name, metadata)
    (folder / README).write_text(model_card.text(name, metadata), encoding="utf-8")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
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
    for tries in (2, 1, 0):
        try:
            root().mkdir(parents=True, exist_ok=True)
            stack.enter_context(files.locked(root() / LOCK, PATIENCE))
        except FileNotFoundError:  # another process has just removed the empty folder
            if not tries:
                raise
        else:
            break
    stack.callback(_tidy)


def _tidy() -> None:
    """Removes the folder of published models, under its lock, if it holds none."""
    with contextlib.suppress(OSError):
        if [path.name for path in root().iterdir()] == [LOCK]:
            (root() / LOCK).unlink()
            root().rmdir()


def leftovers() -> list[Path]:
    """Returns what is being written, or was when a process was killed."""
    return sorted(root().glob(f".*{files.UNFINISHED}"))


def clean() -> int:
    """Removes what killed processes left; returns how many folders these were.

    Raises:
        OSError: if another process publishes for long, or the lock can't be had
    """
    found = leftovers()
    if found:
        with _alone():
            found = [path for path in found if not path.exists()]
    return len(found)


def unpublish(name: str) -> None:
    """Removes a published model from the local model zoo.

    Raises:
        ValueError: if there is none of that name
        OSError: if it can't be removed
    """
    _find(name)
    with _alone():
        files.remove(files.set_aside(_find(name)))
    _forget(name)


def _find(name: str) -> Path:
    folder = published(name)
    if folder is None:
        has = ", ".join(names()) or "none"
        raise ValueError(f"{_short(name)} is not published; there are: {has}")
    return folder


def _forget(name: str) -> None:
    """Lets FiftyOne read the zoo anew.

    It has no public way: while a model is in use, loading it again by the same name
    and settings gives the same object, whatever was published meanwhile.
    """
    fozm._invalidate_zoo_models_manifest()
    with_settings = f"({('name', name)!r}, "  # as FiftyOne spells its keys
    for key in list(fozm._MODELS):
        if key == name or key.startswith(with_settings):
            fozm._MODELS.pop(key, None)


def check_name(name: str) -> None:
    """Raises an error unless a model can be published under this name.

    Raises:
        ValueError: if it is taken, or can't be one
        TypeError: if it is no string
    """
    arguments.check_string("name", name)
    if not re.fullmatch(NAME, name):
        raise ValueError(
            "name must be letters, digits, dots, dashes and underscores, beginning "
            f"with a letter or digit, at most 200; got {_short(name)}"
        )
    _check_free(name)
    if name in {*NETWORKS, *zoo.entries(), *_others()}:
        _check_free(name)  # another process may have published it just now
        raise ValueError(f"'{name}' is the name of another model; choose another")


def _short(name: object) -> str:
    said = repr(name)
    return said if len(said) < 60 else f"{said[:57]}..."


def _check_free(name: str) -> None:
    if published(name):
        raise ValueError(
            f"'{name}' is published already; choose another name, or unpublish it"
        )
    if os.path.lexists(root() / name):
        raise ValueError(f"'{root() / name}' stands in its place; remove it")


def _others() -> list[str]:
    """Returns the names of all models that FiftyOne knows.

    Raises:
        ValueError: if it can't read a manifest
    """
    faults = damaged()
    said = "; ".join(f"'{name}' is damaged: {why}" for name, why in faults.items())
    remedy = f"; published model {said}; unpublish it" if said else ""
    if any(
        why == manifest.NO_FILE for why in faults.values()
    ):  # FiftyOne would wait for ever
        raise ValueError(f"FiftyOne's zoo of models can't be read{remedy}")
    try:
        return fozm.list_zoo_models()
    except Exception as error:  # whatever a manifest of anyone's makes it raise
        raise ValueError(
            f"FiftyOne's zoo of models can't be read: {database.line(error)}{remedy}"
        ) from error


def damaged() -> dict[str, str]:
    """Returns what is wrong with published models that can't be loaded, by name."""
    found = {name: manifest.fault(root() / name) for name in names()}
    return {name: fault for name, fault in found.items() if fault}
