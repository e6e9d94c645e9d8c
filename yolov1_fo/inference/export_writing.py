"""Writes an export: converts, quantizes and compares the network, and adds NMS."""

import itertools
import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import INT8, GridConfig, packages
from yolov1_fo.image_files import resizing
from yolov1_fo.inference import onnx_nms, quantizing
from yolov1_fo.model.checkpoint_model import CheckpointModel
from yolov1_fo.networks import agreement, formats
from yolov1_fo.networks.calibrated import Calibrated
from yolov1_fo.networks.formats import FORMATS
from yolov1_fo.pipeline import tiling

logger = logging.getLogger(__name__)

COMPARED_IMAGES = 8
"""Calibration images on which a quantized export is compared with Keras."""


class Suppression(NamedTuple):
    """NMS as part of an export.

    Attributes:
        grid: S, B and C
        thresholds: what is kept
    """

    grid: GridConfig
    thresholds: onnx_nms.Thresholds


class Export(NamedTuple):
    """What is exported, and how.

    Attributes:
        model: that is exported
        network: its network in float32, decoded if NMS follows
        format: one of `FORMATS`
        target: path that messages name
        suppression: None adds no NMS
        paths: image files for the calibration; None does not quantize
    """

    model: CheckpointModel
    network: keras.Model
    format: str
    target: Path
    suppression: Suppression | None
    paths: list[str] | None


def write(export: Export, path: Path) -> None:
    """Writes an export to a path, beside which there may be other files afterwards.

    Raises:
        ValueError: if it can't be converted or quantized, or differs from Keras
        OSError: if it can't be written
    """
    form = FORMATS[export.format]
    # OpenVINO's format is made from an ONNX file.
    source = path if form.finish is None else path.with_name(f"{path.name}.onnx")
    what = f"exported as {export.format}"
    _converted(what, lambda: form.write(export.network, source))
    if export.paths is not None:
        batches = _calibration_batches(export)
        _converted(
            *("quantized", lambda: quantizing.quantize(source, batches)),
            unchanged=(OSError, ValueError),
        )
    if export.suppression is not None:
        _compare(export, source)  # NMS is not in Keras' network
        raw = Path(shutil.copy(source, path.with_name(f"{path.name}-raw.onnx")))
        onnx_nms.add(source, *export.suppression)
    if form.finish is not None:
        finish = form.finish
        _converted(what, lambda: finish(source, path))
    if export.suppression is None:
        _compare(export, path)
        raw = source
    _keep(export, raw)


def _converted(
    what: str,
    convert: Callable[[], None],
    unchanged: tuple[type[Exception], ...] = (OSError,),
) -> None:
    """Calls a converter; raises its errors as one line.

    Args:
        what: happens to the network
        convert: the converter
        unchanged (OSError): errors that are raised as they are
    """
    try:
        with formats.hidden_output():
            convert()
    except unchanged:
        raise
    except Exception as error:  # converters raise errors of many types
        line = packages.first_line(error)
        raise ValueError(f"the network can't be {what}: {line}") from error


def _calibration_batches(export: Export) -> Iterator[Array]:
    """Yields each image, and its tiles, as the network's input: (1, H, W, 3) float32.

    Raises:
        ValueError: if a file does not exist or can't be read
    """
    model, settings = export.model, export.model.metadata["settings"]
    letterbox, tiles = settings.get("letterbox", False), settings.get("tiles", 0)
    for path in export.paths or ():
        try:
            pixels = images.read(path)
        except FileNotFoundError as error:  # an OSError is one of the export's path
            raise ValueError(f"calibration: {error}") from error
        for part in tiling.cut(pixels, tiles):
            square = resizing.to_square(part, model.image_size, letterbox=letterbox)
            yield square[None] / np.float32(255)


def _compare(export: Export, path: Path) -> None:
    """Raises a ValueError if the outputs of a file differ from those of Keras.

    Args:
        export: what is exported
        path: of the export, or of the ONNX file that it is made from
    """
    runtime = FORMATS[export.format].runtime
    if not packages.is_installed(runtime):
        logger.warning(
            "'%s' was not compared with Keras, which needs %s: %s",
            *(export.target, runtime, packages.install(runtime)),
        )
        return
    pixels, precision = _random_pixels(export.network), "float32"
    if export.paths is not None:
        some = itertools.islice(_calibration_batches(export), COMPARED_IMAGES)
        pixels, precision = np.concatenate([*some]), INT8
    with keras.device("cpu:0"):  # the rounding of a GPU is not an error of the export
        found = export.network(pixels, training=False)
        expected = [*found.values()] if isinstance(found, dict) else [found]
        with formats.hidden_output():
            run = FORMATS[export.format].load(path)
            batches = [run(pixels), run(pixels[:1])]
    if precision == INT8:  # boxes and scores without an object are noise
        expected, batches = expected[-1:], [outputs[-1:] for outputs in batches]
    difference = max(
        agreement.check(
            f"the network as {export.format}",
            *(got, np.asarray(y)[: len(got)], precision),
            "nothing is written",
        )
        for outputs in batches
        for y, got in zip(expected, outputs, strict=True)
    )
    logger.info("'%s' is within %.1e of Keras", export.target, difference)


def _random_pixels(network: keras.Model) -> Any:
    shape = (3, *network.input_shape[1:])
    return np.random.default_rng(0).random(shape, np.float32)


def _keep(export: Export, source: Path) -> None:
    """Keeps a quantized network for `load_model(..., precision="int8")`.

    Args:
        export: what is exported
        source: ONNX file, without NMS
    """
    if export.paths is None:
        return

    def write(path: Path) -> None:
        if export.suppression is None:
            shutil.copyfile(source, path)
        else:
            onnx_nms.extract_raw(source, path)

    cache = export.model.network_cache.calibrated
    try:
        Calibrated(export.model.network, cache).keep(
            *(write, source.stat().st_size, len(export.paths))
        )
    except OSError as error:
        logger.warning("load_model(precision='int8') can't use the export: %s", error)
