"""The names of the export formats, and where an export may be written.

Never imports Keras: the App's form checks with it.
"""

import os
from pathlib import Path
from typing import NamedTuple

from yolov1_fo.config import packages, spelling

ONNX_FORMATS = ("onnx", "openvino")
"""Formats that can include NMS, and compute in 8 bits."""


class Target(NamedTuple):
    """What an export format is called and needs.

    Attributes:
        label: for people
        suffix: of its files; a folder, as SavedModel and OpenVINO write, has none
        writers: packages that write it, in addition to TensorFlow
    """

    label: str
    suffix: str
    writers: tuple[str, ...] = ()


TARGETS = {
    "saved_model": Target("SavedModel (TensorFlow)", ""),
    "onnx": Target("ONNX", ".onnx", ("tf2onnx", "onnx")),
    "openvino": Target("OpenVINO", "", ("tf2onnx", "onnx", "openvino")),
    "litert": Target("LiteRT", ".tflite"),
}


def metadata_path(path: Path) -> Path:
    """Returns the path of an export's metadata."""
    return path.with_name(f"{path.name}.json")


def check(path: Path, format: str) -> None:
    """Checks everything that can be checked before the model is loaded.

    Args:
        path: of the export
        format: one of `TARGETS`

    Raises:
        ValueError: if there is no such format, or the path or its metadata exist
        ImportError: if a package is missing
    """
    spelling.check_choice("format", format, TARGETS)
    for one in (path, metadata_path(path)):
        if os.path.lexists(one):  # also true for a dangling link
            raise ValueError(f"'{one}' exists; choose another path, or delete it")
    packages.require(format, TARGETS[format].writers)
