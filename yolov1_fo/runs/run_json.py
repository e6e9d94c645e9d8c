"""Reads and checks `run.json` of a checkpoint, which anyone may have written.

Format 2 is written; format 1, which has other names, is read for ever. No Keras.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from yolov1_fo.config import GridConfig
from yolov1_fo.config.settings import LARGEST

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
"""Settings of format 1, and what they are called now."""
RENAMED_PARTS = {"trunk": "weights", "workers": "processes"}
"""The same for what a run says beside its settings."""
LONGEST = 64 * 2**20
"""Bytes of a file that are read at most."""
LONGEST_WORD = 200
"""Characters of a value that an error shows."""
REQUIRED = ("network", "image_size", "S", "B")
"""Settings that a detector can't be built without."""


class _Part(NamedTuple):
    """What a part of a card must be: a check, and its words for an error."""

    fits: Callable[[Any], bool]
    words: str


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (is_one and abs(value) < LARGEST)


def _are_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and all(isinstance(one, str) and one for one in value)
        and len(set(value)) == len(value)
    )


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _are_settings(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("network", ""), str)
        and _is_number(value.get("image_size"))
    )


def _is_task(value: Any) -> bool:
    return value in ("detect", "classify")


PARTS = {
    "classes": _Part(_are_names, "different names"),
    "settings": _Part(_are_settings, "settings by name"),
    "task": _Part(_is_task, "detect or classify"),
    "versions": _Part(lambda value: isinstance(value, dict), "names and versions"),
    **dict.fromkeys(("metrics", "dropped"), _Part(_are_numbers, "numbers by name")),
    **dict.fromkeys(
        ("epoch", "images", "objects", "val_images", "skipped"),
        _Part(_is_number, "a number"),
    ),
    **dict.fromkeys(
        ("dataset", "gt_field", "run_key", "origin", "device", "weights"),
        _Part(_is_text, "text"),
    ),
}
"""What `run.json` may say; other parts are for people."""


def renamed(stored: dict[str, Any]) -> dict[str, Any]:
    """Returns what a run or checkpoint of format 1 says, under today's names."""
    parts = {RENAMED_PARTS.get(name, name): value for name, value in stored.items()}
    if isinstance(settings := parts.get("settings"), dict):
        parts["settings"] = {
            RENAMED_SETTINGS.get(name, name): value for name, value in settings.items()
        }
    return parts


def check(path: Path, metadata: dict[str, Any], task: str | None = None) -> None:
    """Raises a ValueError unless a card is as we write it.

    Args:
        path: it was read from
        metadata: as read from it
        task (any): what the network must be for, detect or classify
    """
    check_format(path, metadata)
    missing = [key for key in ("classes", "settings") if key not in metadata]
    if missing:
        raise ValueError(f"'{path}' lacks {', '.join(missing)}")
    _check_parts(path, metadata)
    is_for = metadata.get("task", "detect")
    if task not in (None, is_for):
        makes = {"detect": "train", "classify": "pretrain"}
        raise ValueError(
            f"checkpoint '{path.parent}' must be one of {makes[task or is_for]}, "
            f"got one of {makes[is_for]}"
        )
    if task == "detect":
        _check_detector(path, metadata["settings"])


def check_format(path: Path, metadata: dict[str, Any]) -> None:
    """Raises a ValueError unless a card has a format that can be read."""
    number = metadata.get("format")
    if number not in range(1, FORMAT + 1) or isinstance(number, bool):
        raise ValueError(
            f"'{path}' must have a format of at most {FORMAT}, got {_short(number)}"
        )


def _check_parts(path: Path, metadata: dict[str, Any]) -> None:
    for part, value in metadata.items():
        if part in PARTS and not PARTS[part].fits(value):
            raise ValueError(
                f"'{path}' must have {PARTS[part].words} as {part}, got {_short(value)}"
            )


def _check_detector(path: Path, settings: dict[str, Any]) -> None:
    missing = [name for name in REQUIRED if name not in settings]
    if missing:
        raise ValueError(f"'{path}' lacks settings {', '.join(missing)}")
    try:
        GridConfig.pick(settings)
    except ValueError as error:
        raise ValueError(
            f"'{path}' has settings that do not fit: {_cut(str(error))}"
        ) from None


def _short(value: Any) -> str:
    return _cut(repr(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_WORD else f"{text[:LONGEST_WORD]}..."


def read_json(path: Path) -> dict[str, Any]:
    """Returns what a file of JSON says.

    Raises:
        ValueError: if it is none, or says another thing than an object
        FileNotFoundError: if there is no such file
        OSError: if it may not be read
    """
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is not there, or is no file")
    text = read_text(path, LONGEST)
    try:
        said = json.loads(text)
        json.dumps(said, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError(f"'{path}' is not valid JSON: it is too deep") from None
    except UnicodeEncodeError:
        raise ValueError(f"'{path}' has half a character") from None
    except ValueError as error:
        raise ValueError(f"'{path}' is not valid JSON: {error}") from None
    if not isinstance(said, dict):
        raise ValueError(f"'{path}' must be a JSON object, got {type(said).__name__}")
    return said


def read_text(path: Path, most: int) -> str:
    """Returns what a file says in UTF-8.

    Args:
        path: of the file
        most: bytes that it may have

    Raises:
        ValueError: if it is longer, or no text
        OSError: if it may not be read
    """
    try:
        with path.open("rb") as file:
            read = file.read(most + 1)
    except OSError as error:
        raise type(error)(f"'{path}' can't be read: {error.strerror}") from None
    if len(read) > most:
        raise ValueError(f"'{path}' is too long: it may have {most} bytes")
    try:
        return read.decode()
    except UnicodeDecodeError:
        raise ValueError(f"'{path}' is no text in UTF-8") from None
