"""Runs a network for inference: batch normalization folded, in another precision."""

import functools

import keras
import numpy as np
from keras import ops

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.networks import folding


class Predictor:
    """Runs a network on batches of any size.

    It uses the weights as they are at the first batch; the network is not modified.

    Args:
        network: from `build.detector` or `keras_file.load`
        precision (the network's): float32, bfloat16 or float16, for all layers but the
            last; auto uses `hardware.fastest_precision`

    Attributes:
        precision: the argument
    """

    def __init__(self, network: keras.Model, precision: str | None = None) -> None:
        self.network, self.precision = network, precision
        self._compiled: dict[str, keras.Model] = {}
        self._largest_batch = 0
        # TensorFlow without XLA compiles for any batch size after the second.
        self._compiles_each_size = (
            keras.backend.backend() != "tensorflow" or hardware.has_accelerator()
        )

    def __call__(self, pixels: Array) -> Array:
        """Returns the raw output (N, outputs) float32.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
        """
        dtype = pixels.dtype.name
        if dtype not in self._compiled:
            self._compiled[dtype] = self._compile(dtype)
        n = len(pixels)
        self._largest_batch = max(self._largest_batch, n)
        if self._compiles_each_size:
            pixels = _pad_batch(pixels, self._largest_batch)
        y_pred = self._compiled[dtype].predict_on_batch(pixels)
        return np.asarray(y_pred[:n], np.float32)

    @functools.cached_property
    def _optimized_network(self) -> keras.Model:
        precision = self.precision
        if precision == "auto":
            precision = hardware.fastest_precision()
        return folding.fold_batch_norm(self.network, precision)

    def _compile(self, dtype: str) -> keras.Model:
        image = keras.Input(self.network.input_shape[1:], dtype=dtype, name="pixels")
        scaled = ops.cast(image, "float32") / 255.0 if dtype == "uint8" else image
        return keras.Model(image, self._optimized_network(scaled), name="forward")


def _pad_batch(pixels: Array, largest: int) -> Array:
    """Returns a batch padded to a power of two, or to `largest` if that is less."""
    size = min(1 << (len(pixels) - 1).bit_length(), largest)
    return np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))
