"""Starts the export of a model, after all checks that need no Keras."""

import os
import re
from pathlib import Path

import fiftyone as fo

from yolov1_fo.config import arguments
from yolov1_fo.inference import export_formats
from yolov1_fo.jobs import spawn
from yolov1_fo.jobs.job import Job
from yolov1_fo.publishing import model_sources


def start(
    dataset: fo.Dataset, model: str, path: str | os.PathLike[str], format: str
) -> Job:
    """Starts an export.

    Args:
        dataset: of the run
        model: run key, checkpoint folder, or name of a published model
        path: the file to write, or the folder of a SavedModel or for OpenVINO
        format: saved_model, onnx, openvino or litert

    Raises:
        ValueError: if the path exists or is not absolute, or the format is unknown
        ImportError: if a package is missing
        FileNotFoundError: if there is no such model
        OSError: if the job did not start
    """
    target = check(dataset, model, path, format)
    given = {"model": model, "path": str(target), "format": format}
    name = re.sub(r"\W", "_", f"{model}_{format}")
    return spawn.start(dataset, "export", f"export_{name}", given)


def check(
    dataset: fo.Dataset, model: str, path: str | os.PathLike[str], format: str
) -> Path:
    """Returns the path of an export, after all checks without Keras.

    Args:
        dataset: of the run
        model: run key, checkpoint folder, or name of a published model
        path: the file to write, or the folder of a SavedModel or for OpenVINO
        format: saved_model, onnx, openvino or litert

    Raises:
        ValueError: if the path exists or is not absolute, or the format is unknown
        ImportError: if a package is missing
        FileNotFoundError: if there is no such model
    """
    spawn.check_backend()
    model_sources.find_config(model, dataset)
    target = Path(arguments.check_path_or_name("path", path)).expanduser()
    if not target.is_absolute():
        raise ValueError(f"path must be absolute, as '/home/me/model', got '{path}'")
    export_formats.check(target, format)
    return target
