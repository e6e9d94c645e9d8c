"""Exports a model as SavedModel, ONNX, OpenVINO or LiteRT, for use without Keras.

An export returns the raw output, which `decode.decode` decodes with NumPy only, or with
`nms` the detections.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import humanize
import keras
import numpy as np

from yolov1_fo import files, grid, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, arguments, packages
from yolov1_fo.datasets import checks, media_files
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.image_files import resizing
from yolov1_fo.inference import export_formats, onnx_nms, quantizing
from yolov1_fo.inference.export_formats import metadata_path
from yolov1_fo.model.checkpoint_model import CheckpointModel
from yolov1_fo.model.load import load_model
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.networks import folding, formats
from yolov1_fo.networks.formats import FORMATS
from yolov1_fo.pipeline import tiling
from yolov1_fo.runs import checkpoint, run_json

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Allowed difference from Keras, relative to the largest output if that exceeds 1."""


def export(
    model: CheckpointModel | str | os.PathLike[str],
    path: str | os.PathLike[str],
    format: str,
    dataset: fo.Dataset | None = None,
    *,
    nms: bool = False,
    calibration: fo_samples.Samples | None = None,
) -> Path:
    """Exports a model, with its metadata in `<path>.json`.

    The input is `image`, (N, H, W, 3) float32 RGB in [0, 1], for any N; the output is
    the raw output, (N, outputs) float32, for any training precision; of a classifier
    from `pretrain`, logits (N, C). The metadata include classes, image size, letterbox
    and, of a detector, the grid. If the runtime of the format is installed, the output
    of the export is compared with that of Keras.

    With `nms` the outputs are `boxes` (N, K, 4) xyxy relative to the input, `scores`
    (N, K) and `class_ids` (N, K) of the best detections, by descending score; rows
    without a detection have a score of 0 and the class -1. Thresholds and K are those
    of the model: `load_model(..., confidence_thresh=0.3, max_detections=50)`.

    With `calibration` the export computes in 8 bits (INT8), by ONNX Runtime's static
    quantization, which chooses the scales of activations for these images. Input and
    output stay float32, and so do the layers that predict scores and boxes.

    Args:
        model: a model from `load_model`, or a source that `load_model` accepts
        path: the file to write, or the folder of a SavedModel or for OpenVINO
        format: saved_model, onnx, openvino or litert
        dataset (None): the dataset of a run key
        nms (False): includes decoding and NMS; for onnx and openvino
        calibration (None): a FiftyOne dataset or view of images, of which a hundred are
            enough; for onnx and openvino

    Returns:
        the path

    Raises:
        ValueError: if the path or `<path>.json` exists, or the model can't be exported,
            the export differs from Keras, or NMS or INT8 is not possible; nothing is
            written then
        ImportError: if a package is missing
        FileNotFoundError: if the model does not exist
        OSError: if it can't be written
    """
    target = Path(path)
    arguments.check_bool("nms", nms)
    if calibration is not None:
        calibration = fo_samples.ungrouped(calibration, "calibration")
        checks.check_images(calibration)
    _check(target, format, nms=nms, has_calibration=calibration is not None)
    loaded: CheckpointModel = (
        model if isinstance(model, CheckpointModel) else load_model(model, dataset)
    )
    checkpoint.check_finite(loaded.network)
    suppression = _suppression(loaded) if nms else None
    paths = None
    if calibration is not None:
        field = media_files.default(calibration, loaded.metadata.get("settings", {}))
        paths = media_files.read(calibration, field, calibration.values("id"))
    network = folding.fold_batch_norm(loaded.network, "float32")
    _check_size(network, format)
    if suppression is not None:
        network = onnx_nms.decoded(network, suppression.grid)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with files.scratch_folder(target) as folder:
            unfinished, metadata = folder / "network", folder / "metadata"
            _write(network, unfinished, format)
            _compare(network, unfinished, format, target)
            if suppression is not None or paths is not None:
                _change(unfinished, format, loaded, suppression, paths)
            about = _metadata(loaded, format, suppression)
            if paths is not None:
                about |= {"precision": "int8", "calibration_images": len(paths)}
            metadata.write_text(json.dumps(about, indent=2) + "\n")
            metadata.replace(metadata_path(target))
            unfinished.replace(target)
    except OSError as error:
        raise OSError(f"'{target}' can't be written: {error}") from error
    return target


class _Suppression(NamedTuple):
    """NMS as part of an export.

    Attributes:
        grid: S, B and C
        thresholds: what is kept
    """

    grid: GridConfig
    thresholds: onnx_nms.Thresholds


def _suppression(model: CheckpointModel) -> _Suppression:
    """Returns the NMS of a model.

    Raises:
        ValueError: if the model is no detector, or suppresses in another way
    """
    if not isinstance(model, YOLOv1Model):
        raise ValueError("nms=True is for detectors, got a classifier")
    config = model.config
    others = {
        "class_agnostic": config.class_agnostic,
        "darknet": config.darknet,
        "filter_classes": config.filter_classes is not None,
        "tiles": bool(config.tiles),  # those of the training are in the metadata
    }
    given = [name for name, is_given in others.items() if is_given]
    if given:
        raise ValueError(f"nms=True does not support {', '.join(given)} of the model")
    return _Suppression(
        model.grid,
        onnx_nms.Thresholds(
            config.confidence_thresh, config.iou_thresh, config.max_detections
        ),
    )


def _change(
    path: Path,
    format: str,
    model: CheckpointModel,
    suppression: _Suppression | None,
    paths: list[str] | None,
) -> None:
    """Quantizes an export that has been compared with Keras, and adds NMS.

    Args:
        path: of the export
        format: onnx or openvino
        model: that is exported
        suppression: None adds no NMS
        paths: image files; None does not quantize
    """
    # OpenVINO's format was converted from this file.
    onnx_path = path if format == "onnx" else path.with_name(f"{path.name}.onnx")
    if paths is not None:
        _quantize(onnx_path, _calibration_batches(model, paths))
    if suppression is not None:
        onnx_nms.add(onnx_path, *suppression)
    if onnx_path != path:
        files.remove(path)
        with formats.hidden_output():
            formats.openvino_of_onnx(onnx_path, path)


def _quantize(path: Path, batches: Iterator[Array]) -> None:
    try:
        with formats.hidden_output():
            quantizing.quantize(path, batches)
    except (OSError, ValueError):
        raise
    except Exception as error:  # ONNX Runtime raises errors of many types
        line = packages.first_line(error)
        raise ValueError(f"the network can't be quantized: {line}") from error


def _calibration_batches(
    model: CheckpointModel, paths: Iterable[str]
) -> Iterator[Array]:
    """Yields each image, and its tiles, as the network's input: (1, H, W, 3) float32.

    Raises:
        ValueError: if a file does not exist or can't be read
    """
    settings = model.metadata["settings"]
    letterbox, tiles = settings.get("letterbox", False), settings.get("tiles", 0)
    for path in paths:
        try:
            pixels = images.read(path)
        except FileNotFoundError as error:  # an OSError is one of the export's path
            raise ValueError(f"calibration: {error}") from error
        for part in tiling.cut(pixels, tiles):
            square = resizing.to_square(part, model.image_size, letterbox=letterbox)
            yield square[None] / np.float32(255)


def _check(
    target: Path,
    format: str,
    *,
    nms: bool,
    has_calibration: bool,
) -> None:
    """Checks everything that can be checked before the model is loaded."""
    export_formats.check(target, format)
    given = {"nms=True": nms, "calibration": has_calibration}
    for name in (name for name, is_given in given.items() if is_given):
        if format not in export_formats.ONNX_FORMATS:
            formats_of_it = " and ".join(export_formats.ONNX_FORMATS)
            raise ValueError(f"{name} is for {formats_of_it}, got {format}")
    if has_calibration and not packages.is_installed("onnxruntime"):
        raise ImportError(
            f"calibration needs onnxruntime: {packages.install('onnxruntime')}"
        )
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "export needs Keras' backend tensorflow, got "
            f"{keras.backend.backend()}; set KERAS_BACKEND=tensorflow"
        )


def _check_size(network: keras.Model, format: str) -> None:
    size, limit = 4 * network.count_params(), FORMATS[format].max_bytes
    if size >= limit:
        raise ValueError(
            f"{format} is limited to {humanize.naturalsize(limit)}, got a network of "
            f"{humanize.naturalsize(size)}; export it as saved_model"
        )


def _write(network: keras.Model, path: Path, format: str) -> None:
    try:
        with formats.hidden_output():
            FORMATS[format].write(network, path)
    except OSError:
        raise
    except Exception as error:  # converters raise errors of many types
        line = packages.first_line(error)
        raise ValueError(
            f"the network can't be exported as {format}: {line}"
        ) from error


def _compare(network: keras.Model, path: Path, format: str, target: Path) -> None:
    """Raises a ValueError if the output of the export at `path` differs from Keras."""
    runtime = FORMATS[format].runtime
    if not packages.is_installed(runtime):
        logger.warning(
            "'%s' was not compared with Keras, which needs %s: %s",
            *(target, runtime, packages.install(runtime)),
        )
        return
    shape = (3, *network.input_shape[1:])
    pixels = np.random.default_rng(0).random(shape, np.float32)
    with keras.device("cpu:0"):  # the rounding of a GPU is not an error of the export
        found = network(pixels, training=False)
        found = [*found.values()] if isinstance(found, dict) else [found]
        with formats.hidden_output():
            run = FORMATS[format].load(path)
            batches = [run(pixels), run(pixels[:1])]
    expected = [*map(np.asarray, found)]
    allowed = TOLERANCE * max(1.0, *(float(np.abs(y).max()) for y in expected))
    difference = max(
        float(np.abs(y[: len(got)] - got).max())
        for outputs in batches
        for y, got in zip(expected, outputs, strict=True)
    )
    if not difference <= allowed:
        raise ValueError(
            f"the network as {format} must be within {allowed:.1e} of Keras, got "
            f"{difference:.1e}; nothing is written"
        )
    logger.info("'%s' is within %.1e of Keras", target, difference)


def _metadata(
    model: CheckpointModel, format: str, suppression: _Suppression | None
) -> dict[str, Any]:
    image_size = model.image_size
    about = {
        "format": run_json.FORMAT,
        "exported": format,
        "network": model.metadata["settings"]["network"],
        "input": f"{formats.INPUT}: (N, {image_size}, {image_size}, 3) float32 RGB "
        "in [0, 1]",
        "image_size": image_size,
        "letterbox": model.metadata["settings"].get("letterbox", False),
        "tiles": model.metadata["settings"].get("tiles", 0),
        "classes": model.classes,
    }
    if not isinstance(model, YOLOv1Model):
        return {**about, "output": f"(N, {len(model.classes)}) float32 logits"}
    if suppression is not None:
        output = (
            "of each image the best detections: boxes xyxy relative to the input, "
            "scores, class_ids; -1 without a detection"
        )
        nms = suppression.thresholds._asdict()
        return {**about, "output": output, "grid": asdict(model.grid), "nms": nms}
    output = f"(N, {grid.output_size(model.grid)}) float32, for decode.decode"
    return {**about, "output": output, "grid": asdict(model.grid)}
