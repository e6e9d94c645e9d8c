"""Exports a model as SavedModel, ONNX, OpenVINO or LiteRT, for use without Keras.

An export returns the raw output, which `decode.decode` decodes with NumPy only, or with
`nms` the detections.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone as fo
import humanize
import keras

from yolov1_fo import files, grid
from yolov1_fo.config import INT8, arguments, packages
from yolov1_fo.datasets import checks, media_files
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.image_files import remote
from yolov1_fo.inference import export_formats, export_writing, onnx_nms
from yolov1_fo.inference.export_formats import metadata_path
from yolov1_fo.inference.export_writing import Export, Suppression
from yolov1_fo.model.checkpoint_model import CheckpointModel
from yolov1_fo.model.load import load_model
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.networks import folding, formats
from yolov1_fo.networks.formats import FORMATS
from yolov1_fo.runs import checkpoint, run_json


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
    output stay float32, and so do the layers that predict scores and boxes. The INT8
    network is kept for `load_model(..., precision="int8")`, in any process, in place of
    that of an earlier calibrated export.

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
        OSError: if it can't be written, or a server of images does not answer
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
            export_writing.write(
                Export(loaded, network, format, target, suppression, paths), unfinished
            )
            about = _metadata(loaded, format, suppression)
            if paths is not None:
                about |= {"precision": INT8, "calibration_images": len(paths)}
            metadata.write_text(json.dumps(about, indent=2) + "\n")
            metadata.replace(metadata_path(target))
            unfinished.replace(target)
    except remote.StorageError:  # of an image for calibration
        raise
    except OSError as error:
        raise OSError(f"'{target}' can't be written: {error}") from error
    return target


def _suppression(model: CheckpointModel) -> Suppression:
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
    return Suppression(
        model.grid,
        onnx_nms.Thresholds(
            config.confidence_thresh, config.iou_thresh, config.max_detections
        ),
    )


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


def _metadata(
    model: CheckpointModel, format: str, suppression: Suppression | None
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
