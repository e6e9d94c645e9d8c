"""Predictions by OpenVINO or ONNX Runtime, which on CPUs can be faster than TensorFlow.

A network is converted to an ONNX file. Keras is the reference: the output of another
runtime for a batch is compared with it before the runtime is used.
"""

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import INT8, packages
from yolov1_fo.networks import agreement, formats
from yolov1_fo.networks.calibrated import Calibrated
from yolov1_fo.networks.conversions import Conversion, weight_bytes

KERAS, AUTO = "keras", "auto"
MAX_BYTES = 2**31
"""Size limit of ONNX."""

Run = Callable[[Array], Array]
"""Maps pixels (N, H, W, 3) to the output (N, ...)."""


class Runtime(NamedTuple):
    """A runtime.

    Attributes:
        label: for people
        packages: that it needs, beside TensorFlow
        precisions: in which it computes
        load: returns a function that runs an ONNX file, in a precision
    """

    label: str
    packages: tuple[str, ...]
    precisions: tuple[str, ...]
    load: Callable[[Path, str], Run]


def _load_openvino(path: Path, precision: str) -> Run:
    compute, lock = formats.load_openvino(path, precision), threading.Lock()

    def run(pixels: Array) -> Array:
        with lock:
            return compute(pixels)[0]

    return run


def _load_onnxruntime(path: Path, precision: str) -> Run:
    run = formats.load_onnx(path)
    return lambda pixels: run(pixels)[0]


RUNTIMES = {
    "openvino": Runtime(
        "OpenVINO",
        packages.OF_RUNTIMES["openvino"],
        ("float32", "bfloat16", INT8),
        _load_openvino,
    ),
    "onnxruntime": Runtime(
        "ONNX Runtime",
        packages.OF_RUNTIMES["onnxruntime"],
        ("float32", INT8),
        _load_onnxruntime,
    ),
}


def resolved(name: str, precision: str) -> str:
    """Returns the runtime for a precision: in 8 bits, `auto` is one that is installed.

    Args:
        name: one of `config.RUNTIMES`
        precision: float32, bfloat16, float16 or int8

    Raises:
        ValueError: if it is Keras, in 8 bits
        ImportError: if none is installed
    """
    if precision != INT8 or name in RUNTIMES:
        return name
    if name == KERAS:
        choices = " or ".join(map(repr, RUNTIMES))
        raise ValueError(f"precision={INT8!r} needs runtime={choices}, got {name!r}")
    for one, runtime in RUNTIMES.items():
        if all(map(packages.is_installed, runtime.packages)):
            return one
    packages.require(f"precision={INT8!r}", RUNTIMES["openvino"].packages)
    return name


def check(name: str, network: keras.Model, precision: str) -> None:
    """Checks what can be known before a runtime converts a network.

    Args:
        name: one of `config.RUNTIMES`
        network: to be converted
        precision: float32, bfloat16, float16 or int8

    Raises:
        ImportError: if a package is missing
        ValueError: if it does not compute in the precision, the network is too large,
            or Keras does not run on TensorFlow
    """
    if name in (KERAS, AUTO):
        return
    label, needed, precisions, _ = RUNTIMES[name]
    packages.require(f"runtime={name!r}", needed)
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            f"runtime={name!r} needs the TensorFlow backend, got "
            f"{keras.backend.backend()}"
        )
    if precision not in precisions:
        *others, last = precisions
        raise ValueError(
            f"{label} computes in {', '.join(others)} or {last}, got {precision}; set "
            "precision='float32', or another runtime"
        )
    if weight_bytes(network) >= MAX_BYTES:
        raise ValueError(
            f"runtime={name!r} is for networks of less than 2 GB, got "
            f"{weight_bytes(network) / 1e9:.1f} GB"
        )


def load(
    names: Iterable[str],
    conversion: Conversion | Calibrated,
    precision: str,
    pixels: Array,
    expected: Array,
    *,
    wait: bool = True,
) -> dict[str, Run | ValueError]:
    """Returns what computes a network, by the name of the runtime; or why it can't.

    A kept conversion that no runtime can use is replaced.

    Args:
        names: of `RUNTIMES`
        conversion: of the network
        precision: of the computation
        pixels: a batch on which the runtimes are compared with Keras
        expected: its output by Keras
        wait (True): for another process that converts the network

    Raises:
        TimeoutError: if another process converts it, without `wait`
    """
    names, given = [*names], (conversion, precision, pixels, expected)
    is_kept = conversion.is_kept()
    found = _load(names, *given, wait=wait)
    is_useless = all(isinstance(one, ValueError) for one in found.values())
    if is_kept and is_useless and conversion.discard():
        found = _load(names, *given, wait=wait)
    return found


def _load(
    names: Iterable[str], conversion: Conversion | Calibrated, *given: Any, wait: bool
) -> dict[str, Run | ValueError]:
    try:
        with conversion.file(wait=wait) as path:
            return {name: _compared(name, path, *given) for name in names}
    except TimeoutError:
        raise
    except Exception as error:  # converters raise errors of many types
        precision = given[0]
        return {name: _unusable(name, precision, error) for name in names}


def _compared(
    name: str, path: Path, precision: str, pixels: Array, expected: Array
) -> Run | ValueError:
    """Returns what runs an ONNX file; or why it can't be used."""
    label, advice = RUNTIMES[name].label, "use runtime='keras'"
    if precision == INT8:
        label = f"{label} in 8 bits"
        advice = "calibrate with images like these, or use another precision"
    try:
        with formats.hidden_output():
            run = _run_of(name, path, precision)
            outputs = run(pixels)
    except Exception as error:
        return _unusable(name, precision, error)
    try:
        agreement.check(label, outputs, expected, precision, advice)
    except ValueError as error:
        return error
    return run


def _run_of(name: str, path: Path, precision: str) -> Run:
    run = RUNTIMES[name].load(path, precision)
    if precision != INT8:
        return run

    def scaled(pixels: Array) -> Array:
        is_uint8 = pixels.dtype == np.uint8
        return run(pixels / np.float32(255) if is_uint8 else pixels)

    return scaled


def _unusable(name: str, precision: str, cause: Exception) -> ValueError:
    line = packages.first_line(cause)
    what = f"the network can't be converted for runtime={name!r}"
    if precision == INT8:
        what = f"{RUNTIMES[name].label} can't read the INT8 network; export it again"
    error = ValueError(f"{what}: {line}")
    error.__cause__ = cause
    return error
