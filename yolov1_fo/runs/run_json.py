"""Reads and checks a checkpoint's `run.json`, which anyone may have written.

Format 2 is written; format 1 and earlier names of settings are read too. Never imports
Keras.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from yolov1_fo.config import MAX_TILES, GridConfig
from yolov1_fo.config.arguments import MAX_NUMBER

FORMAT = 2
RENAMED_SETTINGS = {
    "clip_norm": "global_clipnorm",
    "ema": "ema_momentum",
    "frozen_stride": "freeze_to_stride",
    "side": "image_size",
    "trunk_rate": "backbone_lr_multiplier",
    "validate_every": "validation_freq",
    "workers": "num_workers",
}
"""Settings of format 1 and their names in format 2."""
RESPELLED_SETTINGS = {"neighbour_cells": "neighbor_cells"}
"""Earlier spellings of settings, in both formats."""
RENAMED_PARTS = {"trunk": "weights", "workers": "processes"}
"""The same for the other parts."""
MAX_BYTES = 64 * 2**20
"""Longest file that is read."""
MAX_SHOWN = 200
"""Characters of a value that an error message shows."""
REQUIRED = ("network", "image_size", "S", "B")
"""Settings that a detector can't be built without."""
POINT = ("thresh", "precision", "recall", "f1", "tp", "fp", "fn", "iou_thresh")
"""Numbers of an operating point."""


class _Part(NamedTuple):
    """What a part of the metadata must be: a check, and a description for errors."""

    is_valid: Callable[[Any], bool]
    description: str


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_one and abs(value) < MAX_NUMBER)


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(one, str) and one for one in value)
        and len(set(value)) == len(value)
    )


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_operating_point(value: Any) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, dict)
        and all(_is_number(value.get(name)) for name in POINT)
        and _are_numbers(value.get("class_threshs", {}))
    )


def _are_settings(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("network", ""), str)
        and _is_number(value.get("image_size"))
        and isinstance(value.get("letterbox", False), bool)
        and _is_number_of_tiles(value.get("tiles", 0))
    )


def _is_number_of_tiles(value: Any) -> bool:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    return is_integer and 0 <= value <= MAX_TILES


def _is_task(value: Any) -> bool:
    return value in (DETECT, CLASSIFY, KERAS)


DETECT, CLASSIFY, KERAS = "detect", "classify", "keras"
"""Tasks: our detectors, our classifiers, and networks of others."""
KINDS = ("classification", "detection", "segmentation")
"""What networks of others are for, as FiftyOne's tags of models."""


def _is_kind(value: Any) -> bool:
    return value in KINDS


PARENT_PARTS = ("weights", "run_key", "dataset", "checkpoint", "digest")
"""What `parent` may say of the weights that a training started from."""


def _is_parent(value: Any) -> bool:
    return value is None or (
        isinstance(value, dict)
        and all(_is_text(value.get(name)) for name in PARENT_PARTS)
        and re.fullmatch("[0-9a-f]{64}", value.get("digest") or "0" * 64) is not None
    )


PARTS = {
    "classes": _Part(_are_names, "a list of different names"),
    "settings": _Part(_are_settings, "an object of settings"),
    "task": _Part(_is_task, "detect, classify or keras"),
    "kind": _Part(_is_kind, f"one of {', '.join(KINDS)}"),
    "parent": _Part(_is_parent, "an object of texts with a sha256 as digest"),
    "versions": _Part(lambda value: isinstance(value, dict), "an object of versions"),
    "operating_point": _Part(
        _is_operating_point, f"an object with numbers {', '.join(POINT)}"
    ),
    **dict.fromkeys(
        ("metrics", "dropped"), _Part(_are_numbers, "an object of numbers")
    ),
    **dict.fromkeys(
        ("epoch", "images", "objects", "val_images", "skipped"),
        _Part(_is_number, "a number"),
    ),
    **dict.fromkeys(
        ("dataset", "gt_field", "run_key", "origin", "device", "weights"),
        _Part(_is_text, "text"),
    ),
}
"""Parts that are checked; others are only shown."""


def renamed(stored: dict[str, Any]) -> dict[str, Any]:
    """Returns the parts of a run or checkpoint of format 1 under today's names."""
    parts = {RENAMED_PARTS.get(name, name): value for name, value in stored.items()}
    return _with_settings(parts, RENAMED_SETTINGS)


def respelled(stored: dict[str, Any]) -> dict[str, Any]:
    """Returns the parts of a run or checkpoint with today's spelling of settings."""
    return _with_settings(stored, RESPELLED_SETTINGS)


def _with_settings(parts: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    settings = parts.get("settings")
    if not isinstance(settings, dict):
        return parts
    changed = {names.get(name, name): value for name, value in settings.items()}
    return {**parts, "settings": changed}


def check(path: Path, metadata: dict[str, Any], task: str | None = None) -> None:
    """Raises a ValueError unless metadata has the parts that we write.

    Args:
        path: that it was read from
        metadata: in format 2
        task (any): required task of the network: detect, classify or keras
    """
    missing = [key for key in ("classes", "settings") if key not in metadata]
    if missing:
        raise ValueError(f"'{path}' lacks {', '.join(missing)}")
    _check_parts(path, metadata)
    got = task_of(metadata)
    if task not in (None, got):
        functions = {DETECT: "train", CLASSIFY: "pretrain", KERAS: "from_keras"}
        raise ValueError(
            f"checkpoint '{path.parent}' must come from {functions[task or got]}, "
            f"got one from {functions[got]}"
        )
    if task == DETECT:
        _check_detector(path, metadata["settings"])
    if got == KERAS:
        _check_keras(path, metadata)


def task_of(metadata: dict[str, Any]) -> str:
    """Returns what a network is for: detect, classify or keras."""
    return metadata.get("task", DETECT)


def check_format(path: Path, metadata: dict[str, Any]) -> None:
    """Raises a ValueError unless metadata has a format that can be read."""
    number = metadata.get("format")
    if number not in range(1, FORMAT + 1) or isinstance(number, bool):
        raise ValueError(
            f"'{path}' must have a format of at most {FORMAT}, got {_short(number)}"
        )


def _check_parts(path: Path, metadata: dict[str, Any]) -> None:
    for part, value in metadata.items():
        if part in PARTS and not PARTS[part].is_valid(value):
            raise ValueError(
                f"{part} in '{path}' must be {PARTS[part].description}, "
                f"got {_short(value)}"
            )


def _check_detector(path: Path, settings: dict[str, Any]) -> None:
    missing = [name for name in REQUIRED if name not in settings]
    if missing:
        raise ValueError(f"'{path}' lacks settings {', '.join(missing)}")
    try:
        GridConfig.pick(settings)
    except ValueError as error:
        raise ValueError(f"'{path}' has invalid settings: {_cut(str(error))}") from None


def _check_keras(path: Path, metadata: dict[str, Any]) -> None:
    if "kind" not in metadata:
        raise ValueError(f"'{path}' lacks kind")
    size = metadata["settings"].get("size")
    sides = size if isinstance(size, list) and len(size) == 2 else [None]
    if not all(isinstance(side, int) and 0 < side < MAX_NUMBER for side in sides):
        raise ValueError(
            f"size in '{path}' must be a height and a width, got {_short(size)}"
        )


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Raises:
        ValueError: if it is not JSON, or not an object
        FileNotFoundError: if there is no such file
        OSError: if it may not be read
    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' does not exist or is not a file")
    text = read_text(path, MAX_BYTES)
    try:
        content = json.loads(text)
        json.dumps(content, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(f"'{path}' is not valid JSON: it is too deep") from None
    except UnicodeEncodeError:
        raise ValueError(f"'{path}' has an incomplete surrogate pair") from None
    except ValueError as error:
        raise ValueError(f"'{path}' is not valid JSON: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(
            f"'{path}' must be a JSON object, got {type(content).__name__}"
        )
    return content


def read_text(path: Path, max_bytes: int) -> str:
    """Returns the text of a file in UTF-8.

    Args:
        path: of the file
        max_bytes: longest file that is read

    Raises:
        ValueError: if it is longer, or not UTF-8
        OSError: if it may not be read
    """
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as error:
        raise type(error)(f"'{path}' can't be read: {error.strerror}") from None
    if len(content) > max_bytes:
        raise ValueError(f"'{path}' must have at most {max_bytes} bytes, got more")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"'{path}' is not text in UTF-8") from None
