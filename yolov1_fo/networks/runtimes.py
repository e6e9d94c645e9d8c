"""Predictions by OpenVINO or ONNX Runtime, which on CPUs can be faster than TensorFlow.

A network is converted through a temporary ONNX file. Keras is the reference: the output
of another runtime for a batch is compared with it before the runtime is used.
"""

import logging
import math
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.config import packages
from yolov1_fo.networks import formats

logger = logging.getLogger(__name__)

KERAS, AUTO = "keras", "auto"
TOLERANCES = {"float32": 1e-4, "bfloat16": 0.05}
"""Largest difference from Keras, relative to the largest output if that is above 1."""
MIN_GAIN = 0.05
"""A runtime is chosen if it takes this much less time than Keras."""
REPEATS = 3
"""Measurements of a runtime, of which the fastest counts."""
SECONDS, SECONDS_PER_GB = 2.0, 10.0
"""About how long a conversion takes."""
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
    if _size(network) >= MAX_BYTES:
        raise ValueError(
            f"runtime={name!r} is for networks of less than 2 GB, got "
            f"{_size(network) / 1e9:.1f} GB"
        )


def load(
    names: Iterable[str], network: keras.Model, precision: str
) -> dict[str, Run | Exception]:
    """Returns what computes a network, by the name of the runtime; or why it can't.

    Args:
        names: of `RUNTIMES`
        network: in float32, with one output
        precision: of the computation
    """
    found: dict[str, Run | Exception] = {}
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        formats.hidden_output(),
    ):
        path = Path(folder) / "network.onnx"
        try:
            formats.write_onnx(network, path)
        except Exception as error:  # converters raise errors of many types
            return dict.fromkeys(names, error)
        for name in names:
            try:
                found[name] = RUNTIMES[name].load(path, precision)
            except Exception as error:
                found[name] = error
    return found


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


class Fastest:
    """Computes with Keras, until it has measured which runtime is the fastest.

    It converts the network only when Keras has computed for about as long as that
    takes, so that small jobs do not wait for it.

    Args:
        network: that is computed
        precision: of the computation
        with_keras: computes with Keras
        convertible: returns the network in float32, to be converted
    """

    def __init__(
        self,
        network: keras.Model,
        precision: str,
        with_keras: Run,
        convertible: Callable[[], keras.Model],
    ) -> None:
        self.network, self.precision = network, precision
        self.with_keras, self.convertible = with_keras, convertible
        self.patience = SECONDS + SECONDS_PER_GB * _size(network) / 1e9
        self.names = (
            [] if hardware.has_accelerator() else [*filter(self._can, RUNTIMES)]
        )
        self._chosen = None if self.names else with_keras
        self._seconds: dict[int, float] = {}  # the least, by the size of the batch
        self._total = 0.0
        self._lock = threading.Lock()

    def __call__(self, pixels: Array) -> Array:
        """Returns the output: (N, ...) float32.

        Args:
            pixels: (N, H, W, 3) uint8
        """
        with self._lock:
            if self._chosen is None:
                return self._measured(pixels)
        return self._chosen(pixels)

    def _measured(self, pixels: Array) -> Array:
        """Returns the output by Keras; chooses a runtime if it is time for that."""
        outputs, seconds = _timed(self.with_keras, pixels)
        size = len(pixels)
        if size not in self._seconds:  # Keras compiles for the first batch of a size
            self._seconds[size] = math.inf
            return outputs
        self._seconds[size] = min(self._seconds[size], seconds)
        self._total += seconds
        if self._total >= self.patience:
            self._chosen = self.with_keras  # also if the choice fails
            try:
                self._chosen = self._choose(pixels, outputs, self._seconds[size])
            except Exception as error:  # such as a full disk
                logger.debug("no runtime but Keras is used: %s", error)
        return outputs

    def _can(self, name: str) -> bool:
        """Returns whether a runtime may be able to compute the network."""
        try:
            check(name, self.network, self.precision)
        except (ImportError, ValueError):
            return False
        return True

    def _choose(self, pixels: Array, expected: Array, seconds: float) -> Run:
        """Returns what computes a batch fastest.

        Args:
            pixels: of the batch
            expected: its output by Keras
            seconds: that Keras takes
        """
        runs, times = {KERAS: self.with_keras}, {KERAS: seconds * (1 - MIN_GAIN)}
        found = load(self.names, self.convertible(), self.precision)
        for name, run in found.items():
            try:
                if isinstance(run, Exception):
                    raise run
                compare(name, run(pixels), expected, self.precision)
            except Exception as error:
                logger.debug("%s is not used: %s", RUNTIMES[name].label, error)
                continue
            runs[name] = run
            times[name] = min(_timed(run, pixels)[1] for _ in range(REPEATS))
        best = min(times, key=times.__getitem__)
        if best != KERAS:
            logger.info(
                "%s computes the predictions: %.3g ms per image, Keras takes %.3g ms",
                RUNTIMES[best].label,
                1e3 * times[best] / len(pixels),
                1e3 * seconds / len(pixels),
            )
        return runs[best]


def _timed(run: Run, pixels: Array) -> tuple[Array, float]:
    start = time.perf_counter()
    outputs = run(pixels)
    return outputs, time.perf_counter() - start


def _size(network: keras.Model) -> int:
    """Returns the size of a network's weights as float32, in bytes."""
    return 4 * sum(math.prod(weight.shape) for weight in network.weights)
