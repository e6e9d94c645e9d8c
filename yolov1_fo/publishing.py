"""Trained models in FiftyOne's local model zoo.

A published model is a folder with a manifest of its own inside FiftyOne's folder for
models, so that any process finds it. It loads no Keras.
"""

import contextlib
import json
import os
import re
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.zoo.models as fozm

from yolov1_fo import checkpoint, files, model_card, zoo
from yolov1_fo.architectures import NETWORKS

PUBLISHED = "yolov1-published"
CARD = "README.md"
NAME = "[A-Za-z0-9][A-Za-z0-9_.-]*"
MODEL = "yolov1_fo.model.YOLOv1Model"

LOST = '''"""What FiftyOne asks when this published model has lost its weights."""


def download_model(model_name, model_path):
    raise FileNotFoundError(
        f"published model '{model_name}' is damaged: '{model_path}' is not there, or "
        "its manifest.json was changed; unpublish it, then publish it again"
    )


def load_model(model_name, model_path, **settings):
    download_model(model_name, model_path)
'''


def published(name: str) -> Path | None:
    """Returns the folder of a published model; None if there is none of that name."""
    folder = _folder(name)
    return folder if re.fullmatch(NAME, name) and folder.is_dir() else None


def names() -> list[str]:
    """Returns the names of all published models."""
    root = _folder("")
    return sorted(path.name for path in root.glob("[!.]*")) if root.is_dir() else []


def _folder(name: str) -> Path:
    return Path(fo.config.model_zoo_dir) / PUBLISHED / name


def publish(checkpoint_dir: str | os.PathLike[str], name: str) -> Path:
    """Puts a trained model into the local model zoo, for every process.

    Then `foz.load_zoo_model(name)` loads it. It is a copy: the run may be deleted.

    Args:
        checkpoint_dir: a checkpoint's folder, or a run's, of which the best is taken
        name: in the zoo

    Returns:
        its folder in the zoo; `README.md` there is its card

    Raises:
        FileNotFoundError: if there is no such checkpoint
        ValueError: if it can't be read, or the name is taken or can't be one
        OSError: if it can't be written
    """
    source = checkpoint.resolve(checkpoint_dir)
    card = checkpoint.read_card(source, "detect")
    check_name(name)
    folder = _folder(name)
    try:
        with files.whole_folder(folder) as unfinished:  # FiftyOne looks past it
            for part in (checkpoint.NETWORK, checkpoint.CARD):
                shutil.copyfile(source / part, unfinished / part)
            size = (source / checkpoint.NETWORK).stat().st_size
            manifest = json.dumps(_manifest(name, card, size), indent=2)
            (unfinished / "manifest.json").write_text(manifest + "\n")
            (unfinished / CARD).write_text(model_card.text(name, card))
            (unfinished / "__init__.py").write_text(LOST)
    finally:
        _tidy()
    return folder


def unpublish(name: str) -> None:
    """Removes a published model from the local model zoo.

    Raises:
        ValueError: if there is none of that name
    """
    folder = published(name)
    if folder is None:
        has = ", ".join(names()) or "none"
        raise ValueError(f"'{name}' is not published; there are: {has}")
    gone = folder.with_name(f".{name}.unfinished")
    try:
        folder.rename(gone)  # at once, whatever happens while its files go
        shutil.rmtree(gone)
    except OSError as error:
        raise OSError(f"'{folder}' can't be removed: {error}") from error
    _tidy()


def _tidy() -> None:
    """Removes the folder of published models if it is empty."""
    with contextlib.suppress(OSError):
        _folder("").rmdir()


def check_name(name: str) -> None:
    """Raises a ValueError unless a model can be published under this name."""
    if not re.fullmatch(NAME, name):
        raise ValueError(
            "name must be letters, digits, dots, dashes and underscores, beginning "
            f"with a letter or digit; got {name!r}"
        )
    if published(name):
        raise ValueError(
            f"'{name}' is published already; choose another name, or unpublish it"
        )
    if name in {*NETWORKS, *zoo.entries(), *fozm.list_zoo_models()}:
        raise ValueError(f"'{name}' is the name of another model; choose another")


def _manifest(name: str, card: dict[str, Any], size: int) -> dict[str, Any]:
    now = f"{datetime.now():%Y-%m-%d %H:%M:%S}"
    return {
        "name": f"{PUBLISHED}/{name}",
        "models": [
            {
                "base_name": name,
                "base_filename": checkpoint.NETWORK,
                "description": model_card.sentence(card),
                "size_bytes": size,
                "date_added": now,
                "tags": ["detection", "tensorflow", "yolov1", "published"],
                "training_data": [{"name": card.get("dataset", "unknown")}],
                "requirements": {
                    "packages": [
                        "yolov1-fo",
                        "keras>=3.15",
                        "tensorflow|tensorflow-cpu|tensorflow-macos",
                    ],
                    "cpu": {"support": True},
                    "gpu": {"support": True},
                },
                "default_deployment_config_dict": {"type": MODEL, "config": {}},
            }
        ],
    }
