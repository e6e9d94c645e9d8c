"""A model as SavedModel, ONNX or LiteRT, for programs without Keras and FiftyOne.

What is exported ends at the grid; `decode.decode` finds the boxes, in NumPy only.
"""

import importlib.util
import json
import logging
import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone as fo
import keras
import numpy as np

from yolov1_fo import grid
from yolov1_fo.config import spelling, units
from yolov1_fo.inference import formats
from yolov1_fo.inference.formats import FORMATS
from yolov1_fo.model.load import load_model
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.networks import predictor
from yolov1_fo.runs import checkpoint, run_json

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""How far an export may be from Keras, as a part of the largest output or of 1."""
INSTALL = "pip install 'yolov1-fo[export]'"


def export(
    model: YOLOv1Model | str | os.PathLike[str],
    path: str | os.PathLike[str],
    format: str,
    dataset: fo.Dataset | None = None,
) -> Path:
    """Writes a model for programs that serve it, and its card beside it.

    The export takes `image` (N, H, W, 3) float32 RGB in [0, 1], for any N, and
    gives the raw output (N, outputs) float32, in whatever precision it was trained. The
    card, `<path>.json`, has grid, classes and side. Where the format's runtime is
    installed, the export is run and compared with Keras.

    Args:
        model: what `load_model` gives, or a source that it takes
        path: of the new file, or of SavedModel's new folder
        format: saved_model, onnx or litert
        dataset (None): where to look up a run key

    Returns:
        the path

    Raises:
        ValueError: if the path or its card exists, or the model can't be exported, or
            the export differs from Keras; then nothing is left of it
        ImportError: if a package is missing
        FileNotFoundError: if there is no such model
        OSError: if it can't be written
    """
    target = Path(path)
    _check(target, format)
    if not isinstance(model, YOLOv1Model):
        model = load_model(model, dataset)
    checkpoint.check_finite(model.network)
    network = predictor.predicting(model.network, "float32")
    _check_size(network, format)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".export-", dir=target.parent
        ) as folder:
            unfinished, metadata = Path(folder) / "network", Path(folder) / "card"
            _write(network, unfinished, format)
            _compare(network, unfinished, format, target)
            metadata.write_text(json.dumps(_card(model, format), indent=2) + "\n")
            metadata.replace(card_path(target))
            unfinished.replace(target)
    except OSError as error:
        raise OSError(f"'{target}' can't be written: {error}") from error
    return target


def card_path(path: Path) -> Path:
    """Returns where the card of an export stands."""
    return path.with_name(f"{path.name}.json")


def _check(target: Path, format: str) -> None:
    """Raises the errors that can be known before anything is loaded."""
    spelling.check_choice("format", format, FORMATS)
    for there in (target, card_path(target)):
        if os.path.lexists(there):  # a link to nowhere is the user's, too
            raise ValueError(f"'{there}' exists; choose another path, or delete it")
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "export needs Keras' backend tensorflow, got "
            f"{keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )
    missing = [name for name in FORMATS[format].writers if not _is_installed(name)]
    if missing:
        raise ImportError(f"{format} needs {' and '.join(missing)}: {INSTALL}")


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _check_size(network: keras.Model, format: str) -> None:
    size, most = 4 * network.count_params(), FORMATS[format].most
    if size >= most:
        raise ValueError(
            f"{format} holds less than {units.of_bytes(most)}, the network has "
            f"{units.of_bytes(size)}; export it as saved_model"
        )


def _write(network: keras.Model, path: Path, format: str) -> None:
    try:
        with formats.unheard():
            FORMATS[format].write(network, path)
    except OSError:
        raise
    except Exception as error:  # converters have no common kind
        line = (str(error).strip() or repr(error)).splitlines()[0]
        raise ValueError(
            f"the network can't be exported as {format}: {line}"
        ) from error


def _compare(network: keras.Model, path: Path, format: str, target: Path) -> None:
    """Raises a ValueError if what stands at `path` does not say what Keras says."""
    runtime = FORMATS[format].runtime
    if not _is_installed(runtime):
        logger.warning(
            "'%s' was not compared with Keras, which takes %s: %s",
            *(target, runtime, INSTALL),
        )
        return
    shape = (3, *network.input_shape[1:])
    pixels = np.random.default_rng(0).random(shape, np.float32)
    with keras.device("cpu:0"):  # a GPU's own rounding is no fault of the export
        expected = np.asarray(network(pixels, training=False))
        with formats.unheard():
            run = FORMATS[format].load(path)
            got = [run(pixels), run(pixels[:1])]
    allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    apart = max(float(np.abs(expected[: len(y)] - y).max()) for y in got)
    if not apart <= allowed:
        raise ValueError(
            f"the network as {format} must be within {allowed:.1e} of Keras, got "
            f"{apart:.1e}; nothing is kept"
        )
    logger.info("'%s' is within %.1e of Keras", target, apart)


def _card(model: YOLOv1Model, format: str) -> dict[str, Any]:
    image_size = model.image_size
    return {
        "format": run_json.FORMAT,
        "exported": format,
        "network": model.metadata["settings"]["network"],
        "input": f"{formats.INPUT}: (N, {image_size}, {image_size}, 3) float32 RGB "
        "in [0, 1]",
        "output": f"(N, {grid.outputs(model.grid)}) float32, for decode.decode",
        "image_size": image_size,
        "grid": asdict(model.grid),
        "classes": model.classes,
    }
