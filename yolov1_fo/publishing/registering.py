"""Our models and VOC's evaluation, by name in FiftyOne's own functions."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.config as foc

from yolov1_fo import files, zoo

METHOD = "voc"
"""Name of the evaluation method."""
CONFIG_CLS = "yolov1_fo.voc.VOCEvaluationConfig"


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
    if persistent:
        _update(Path(foc.locate_evaluation_config()), _add_stored_method)
        _update(Path(foc.locate_config()), _add_manifest)


def _add_method(methods: dict[str, Any], where: object) -> None:
    known = methods.setdefault(METHOD, {}).setdefault("config_cls", CONFIG_CLS)
    if known != CONFIG_CLS:
        raise ValueError(
            f"evaluation method '{METHOD}' is {known} in {where}; to use ours too, "
            "pass method=yolov1_fo.VOCEvaluationConfig"
        )


def _add_stored_method(config: dict[str, Any], path: Path) -> None:
    _add_method(config.setdefault("detection_backends", {}), f"'{path}'")


def _add_manifest(config: dict[str, Any], path: Path) -> None:
    known = config.setdefault("model_zoo_manifest_paths", None) or []
    if str(zoo.MANIFEST) not in known:
        config["model_zoo_manifest_paths"] = [*known, str(zoo.MANIFEST)]


def _update(path: Path, change: Callable[[dict[str, Any], Path], None]) -> None:
    """Changes a configuration file; the other settings in it are kept."""
    try:
        text = path.read_text(encoding="utf-8") if path.is_file() else "{}"
        config = json.loads(text)
    except (OSError, ValueError) as error:
        raise ValueError(f"'{path}' can't be read: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"'{path}' must be a JSON object, got {text[:40]!r}")
    change(config, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, json.dumps(config, indent=4) + "\n")
