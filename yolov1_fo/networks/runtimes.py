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
from yolov1_fo.config import packages
from yolov1_fo.networks import formats
from yolov1_fo.networks.conversions import Conversion, weight_bytes

KERAS, AUTO = "keras", "auto"
TOLERANCES = {"float32": 1e-4, "bfloat16": 0.05}
"""Largest difference from Keras, relative to the largest output if that is above 1."""
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
        ("onnx", "openvino", "tf2onnx"),
        ("float32", "bfloat16"),
        _load_openvino,
    ),
    "onnxruntime": Runtime(
        "ONNX Runtime",
        ("onnx", "onnxruntime", "tf2onnx"),
        ("float32",),
        _load_onnxruntime,
    ),
}


def check(name: str, network: keras.Model, precision: str) -> None:
    """Checks what can be known before a runtime converts a network.

    Args:
        name: one of `config.RUNTIMES`
        network: to be converted
        precision: float32, bfloat16 or float16

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
        raise ValueError(
            f"{label} computes in {' or '.join(precisions)}, got {precision}; set "
            "precision='float32', or another runtime"
        )
    if weight_bytes(network) >= MAX_BYTES:
        raise ValueError(
            f"runtime={name!r} is for networks of less than 2 GB, got "
            f"{weight_bytes(network) / 1e9:.1f} GB"
        )


def load(
    names: Iterable[str],
    conversion: Conversion,
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
    if is_kept and all(isinstance(one, ValueError) for one in found.values()):
        conversion.discard()
        found = _load(names, *given, wait=wait)
    return found


def _load(
    names: Iterable[str], conversion: Conversion, *given: Any, wait: bool
) -> dict[str, Run | ValueError]:
    try:
        with conversion.file(wait=wait) as path:
            return {name: _compared(name, path, *given) for name in names}
    except TimeoutError:
        raise
    except Exception as error:  # converters raise errors of many types
        return {name: _unconvertible(name, error) for name in names}


def _compared(
    name: str, path: Path, precision: str, pixels: Array, expected: Array
) -> Run | ValueError:
    """Returns what runs an ONNX file; or why it can't be used."""
    try:
        with formats.hidden_output():
            run = RUNTIMES[name].load(path, precision)
            outputs = run(pixels)
    except Exception as error:
        return _unconvertible(name, error)
    try:
        compare(name, outputs, expected, precision)
    except ValueError as error:
        return error
    return run


def _unconvertible(name: str, cause: Exception) -> ValueError:
    line = packages.first_line(cause)
    error = ValueError(f"the network can't be converted for runtime={name!r}: {line}")
    error.__cause__ = cause
    return error


def compare(name: str, outputs: Array, expected: Array, precision: str) -> None:
    """Raises a ValueError if a runtime's output differs from that of Keras.

    Outputs of Keras that are not finite are not compared.

    Args:
        name: of the runtime
        outputs: (N, ...)
        expected: of the same batch, by Keras
        precision: of the computation
    """
    if not np.isfinite(expected).all():
        return
    allowed = TOLERANCES[precision] * max(1.0, float(np.abs(expected).max()))
    difference = float(np.abs(outputs - expected).max())
    if not difference <= allowed:
        raise ValueError(
            f"{RUNTIMES[name].label} must be within {allowed:.1e} of Keras, got "
            f"{difference:.1e}; use runtime='keras'"
        )
