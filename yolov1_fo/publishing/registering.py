"""Our models and VOC's evaluation, by name in FiftyOne's own functions."""

import json
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.config as foc

from yolov1_fo import files, zoo
from yolov1_fo.datasets import fiftyone_private

logger = logging.getLogger(__name__)

METHOD = "voc"
"""Name of the evaluation method."""
CONFIG_CLS = "yolov1_fo.voc.VOCEvaluationConfig"
OVERRIDING = ("FIFTYONE_DETECTION_BACKENDS", "FIFTYONE_MODEL_ZOO_MANIFEST_PATHS")
"""Environment variables that replace settings of the configuration files."""
LOCK_TIMEOUT = 10.0
"""Seconds to wait for another process that changes a configuration file."""


def register(*, persistent: bool = False) -> None:
    """Makes our models and VOC's evaluation known to FiftyOne, by name.

    Then `foz.load_zoo_model("darknet-yolov1-voc")` finds our models, and
    `dataset.evaluate_detections(..., method="voc")` our evaluation.

    Args:
        persistent (False): whether new processes know them too: they are added to
            FiftyOne's configuration files. In this process they are known anyway

    Raises:
        ValueError: if a method of somebody else has that name, or a configuration
            file can't be read
        OSError: if it can't be written
    """
    _add_method(fo.evaluation_config.detection_backends, "FiftyOne")
    zoo.register()
    fiftyone_private.forget_zoo_models()
    if not persistent:
        return
    _update(Path(foc.locate_evaluation_config()), _add_stored_method)
    _update(Path(foc.locate_config()), _add_manifest)
    for name in (name for name in OVERRIDING if name in os.environ):
        logger.warning(
            "environment variable %s replaces what is in FiftyOne's configuration file",
            name,
        )


def unregister() -> None:
    """Removes what `register(persistent=True)` added to the configuration files.

    Raises:
        ValueError: if a configuration file can't be read
        OSError: if it can't be written
    """
    _update(Path(foc.locate_evaluation_config()), _remove_stored_method)
    _update(Path(foc.locate_config()), _remove_manifest)


def _add_method(methods: dict[str, Any], where: object) -> None:
    known = methods.setdefault(METHOD, {}).setdefault("config_cls", CONFIG_CLS)
    if known != CONFIG_CLS:
        raise ValueError(
            f"evaluation method '{METHOD}' is {known} in {where}; to use ours too, "
            "pass method=yolov1_fo.VOCEvaluationConfig"
        )


def _add_stored_method(config: dict[str, Any], path: Path) -> None:
    _add_method(config.setdefault("detection_backends", {}), f"'{path}'")


def _remove_stored_method(config: dict[str, Any], path: Path) -> None:
    methods = config.get("detection_backends", {})
    if methods.get(METHOD, {}).get("config_cls") == CONFIG_CLS:
        del methods[METHOD]


def _add_manifest(config: dict[str, Any], path: Path) -> None:
    """Adds our manifest, in place of those of other environments."""
    _remove_manifest(config, path)
    config["model_zoo_manifest_paths"] = [
        *(config.get("model_zoo_manifest_paths") or []),
        str(zoo.MANIFEST),
    ]


def _remove_manifest(config: dict[str, Any], path: Path) -> None:
    known = config.pop("model_zoo_manifest_paths", None) or []
    others = [one for one in known if Path(one).parts[-3:] != zoo.MANIFEST.parts[-3:]]
    if others:
        config["model_zoo_manifest_paths"] = others


def _update(path: Path, change: Callable[[dict[str, Any], Path], None]) -> None:
    """Changes a configuration file; its other settings and its mode are kept."""
    path = path.resolve()  # a link to another place stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.locked(path.with_name(f".{path.name}.lock"), LOCK_TIMEOUT):
        config = _read(path)
        change(config, path)
        with files.atomic_file(path) as unfinished:
            if path.is_file():
                shutil.copymode(path, unfinished)
            unfinished.write_text(json.dumps(config, indent=4) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
        config = json.loads(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"'{path}' can't be read: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"'{path}' must be a JSON object, got {text[:40]!r}")
    return config
