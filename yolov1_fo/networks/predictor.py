"""Runs a network for inference: batch normalization folded, in another precision."""

import functools
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.config import INT8
from yolov1_fo.networks import folding, runtimes
from yolov1_fo.networks.calibrated import MISSING, Calibrated
from yolov1_fo.networks.conversions import Conversion, NetworkCache
from yolov1_fo.networks.fastest import Fastest


class Predictor:
    """Runs a network on batches of any size.

    The network is not modified, and its weights must not change after the first batch.

    Args:
        network: from `build.detector` or `keras_file.load`
        precision (the network's): float32, bfloat16 or float16, for all layers but the
            last; auto uses `hardware.fastest_precision`. int8 is the last calibrated
            export, see `inference.exporting`
        runtime (keras): one of `config.RUNTIMES`; auto uses others than Keras only for
            uint8 pixels; in int8, it is one that is installed
        cache (None): where the network is kept as other runtimes need it

    Attributes:
        precision: the argument
        runtime: the argument
        remaining: number of images still to be computed, which it counts down; None if
            unknown. It determines whether a conversion pays

    Raises:
        ImportError: if a package of the runtime is missing
        ValueError: if the runtime can't compute the network, or there is no calibrated
            export of it
    """

    def __init__(
        self,
        network: keras.Model,
        precision: str | None = None,
        runtime: str = runtimes.KERAS,
        cache: NetworkCache | None = None,
    ) -> None:
        self.network, self.precision, self.runtime = network, precision, runtime
        self.cache = cache
        self.remaining: int | None = None
        self._compiled: dict[str, keras.Model] = {}
        self._runs: dict[str, runtimes.Run] = {}
        self._error: ValueError | None = None
        self._largest_batch = 0
        # TensorFlow without XLA compiles for any batch size after the second.
        self._compiles_each_size = (
            keras.backend.backend() != "tensorflow" or hardware.has_accelerator()
        )
        computed = computed_precision(network, precision)
        self._name = runtimes.resolved(runtime, computed)
        runtimes.check(self._name, network, computed)
        if precision == INT8 and not self._calibrated.is_kept():
            raise ValueError(MISSING)

    def __call__(self, pixels: Array) -> Array:
        """Returns the raw output (N, outputs) float32.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]

        Raises:
            ValueError: if the runtime can't convert the network, or its output differs
                from that of Keras
        """
        if self._error:
            raise self._error
        if self.remaining is not None:
            self.remaining = max(self.remaining - len(pixels), 0)
        dtype = pixels.dtype.name
        if dtype not in self._runs:
            self._runs[dtype] = self._make_run(dtype, pixels)
        return np.asarray(self._runs[dtype](pixels), np.float32)

    def _make_run(self, dtype: str, pixels: Array) -> runtimes.Run:
        """Returns what computes pixels of a dtype.

        Args:
            dtype: uint8 or float32
            pixels: a batch of them, on which a runtime is compared with Keras
        """
        precision = computed_precision(self.network, self.precision)
        name = self._name
        if name == runtimes.KERAS or (name == runtimes.AUTO and dtype != "uint8"):
            return self._with_keras
        if name == runtimes.AUTO:
            return Fastest(
                *(self.network, precision, self._with_keras),
                self._conversion(dtype, functools.partial(self._convertible, dtype)),
                remaining=lambda: self.remaining,
            )
        network = self._convertible(dtype)
        source: Conversion | Calibrated = self._conversion(dtype, lambda: network)
        if precision == INT8:
            source = self._calibrated
        with keras.device("cpu:0"):  # a GPU rounds in other ways
            expected = np.asarray(network(pixels, training=False))
        run = runtimes.load([name], source, precision, pixels, expected)[name]
        if isinstance(run, ValueError):
            self._error = run  # do not convert for each batch
            raise run
        return run

    def _conversion(
        self, dtype: str, convertible: Callable[[], keras.Model]
    ) -> Conversion:
        cache = self.cache.converted if self.cache else None
        return Conversion(self.network, dtype, convertible, cache)

    @functools.cached_property
    def _calibrated(self) -> Calibrated:
        cache = self.cache.calibrated if self.cache else None
        return Calibrated(self.network, cache)

    def _with_keras(self, pixels: Array) -> Array:
        dtype = pixels.dtype.name
        if dtype not in self._compiled:
            self._compiled[dtype] = _on_pixels(self._optimized_network, dtype)
        n = len(pixels)
        self._largest_batch = max(self._largest_batch, n)
        if self._compiles_each_size:
            pixels = _pad_batch(pixels, self._largest_batch)
        return self._compiled[dtype].predict_on_batch(pixels)[:n]

    @functools.cached_property
    def _optimized_network(self) -> keras.Model:
        precision = self.precision
        if precision == "auto":
            precision = hardware.fastest_precision()
        return folding.fold_batch_norm(self.network, precision)

    def _convertible(self, dtype: str) -> keras.Model:
        """Returns the network for other runtimes: in float32, on pixels of a dtype."""
        return _on_pixels(folding.fold_batch_norm(self.network, "float32"), dtype)


def computed_precision(network: keras.Model, precision: str | None) -> str:
    """Returns the precision of a computation: float32, bfloat16, float16 or int8.

    Args:
        network: that computes
        precision: as in `Predictor`
    """
    if precision == "auto":
        return hardware.fastest_precision()
    if precision is not None:
        return precision
    found = {layer.compute_dtype for layer in network.layers}
    return next((one for one in ("bfloat16", "float16") if one in found), "float32")


def _on_pixels(network: keras.Model, dtype: str) -> keras.Model:
    """Returns a network on pixels, uint8 or float32 in [0, 1]."""
    image = keras.Input(network.input_shape[1:], dtype=dtype, name="pixels")
    scaled = ops.cast(image, "float32") / 255.0 if dtype == "uint8" else image
    return keras.Model(image, network(scaled), name="forward")


def _pad_batch(pixels: Array, largest: int) -> Array:
    """Returns a batch padded to a power of two, or to `largest` if that is less."""
    size = min(1 << (len(pixels) - 1).bit_length(), largest)
    return np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))
