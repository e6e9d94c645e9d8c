"""Runs a network for inference: batch normalization folded, in another precision."""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.networks import keras_private, layers

EMBEDDINGS = "embeddings"
OUTPUT_LAYERS = ("output", "class_probs", "confidence", "boxes", EMBEDDINGS)
"""Layers whose results are returned; they stay float32."""

_NORMS = (keras.layers.BatchNormalization, layers.BatchNormalization)
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


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
        return optimized_for_inference(self.network, precision)

    def _compile(self, dtype: str) -> keras.Model:
        image = keras.Input(self.network.input_shape[1:], dtype=dtype, name="pixels")
        scaled = ops.cast(image, "float32") / 255.0 if dtype == "uint8" else image
        return keras.Model(image, self._optimized_network(scaled), name="forward")


def _pad_batch(pixels: Array, largest: int) -> Array:
    """Returns a batch padded to a power of two, or to `largest` if that is less."""
    size = min(1 << (len(pixels) - 1).bit_length(), largest)
    return np.pad(pixels, ((0, size - len(pixels)), (0, 0), (0, 0), (0, 0)))


def optimized_for_inference(
    network: keras.Model, precision: str | None = None
) -> keras.Model:
    """Returns a faster network with the same output, up to rounding.

    Batch normalization is folded into the kernel and bias of the convolution before it.
    Layers that do not change are shared with the network; if none does, it is returned
    itself.

    Args:
        network: a functional model; nested ones are optimized too
        precision (unchanged): of all layers but the last
    """
    norms = _foldable_norms(network)
    if not norms and precision is None:
        return network
    folded = {id(norm) for norm in norms.values()}
    copies: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation such as a sum
        dtype, has_norm = _dtype(layer, precision), id(layer) in norms
        is_same = not has_norm and dtype == layer.dtype_policy.name
        if id(layer) in folded or is_same:
            return layer
        copies.append((_copy_layer(layer, dtype, has_norm), layer))
        return copies[-1][0]

    def call(layer: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        return x if id(layer) in folded else layer(x, *args, **kwargs)

    result = keras.models.clone_model(
        network, clone_function=clone, call_function=call, recursive=True
    )
    for copy, layer in copies:
        norm = norms.get(id(layer))
        weights = _folded_weights(layer, norm) if norm else layer.get_weights()
        copy.set_weights(weights)
    return result


def _copy_layer(layer: Any, dtype: str, has_norm: bool) -> Any:
    """Returns a new layer with another dtype, and a bias if normalization is folded."""
    config = {**layer.get_config(), "dtype": dtype}
    config["name"] = layer.name.lstrip("_")  # SavedModel refuses a leading underscore
    if has_norm:
        config["use_bias"] = True
    for name in ("kernel_initializer", "depthwise_initializer"):
        if config.get(name):
            config[name] = "zeros"  # faster than random numbers
    return layer.__class__.from_config(config)


def _dtype(layer: Any, precision: str | None) -> str:
    if precision is None:
        return layer.dtype_policy.name
    return "float32" if layer.name in OUTPUT_LAYERS else precision


def _foldable_norms(network: keras.Model) -> dict[int, Any]:
    """Returns the normalization after each linear convolution, by its id."""
    found: dict[int, Any] = {}
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found |= _foldable_norms(layer)
        elif isinstance(layer, _NORMS):
            source = keras_private.producer_of(layer.input)
            is_linear = isinstance(source, _CONVOLUTIONS) and (
                source.activation is keras.activations.linear
            )
            if is_linear and keras_private.consumer_count(source) == 1:
                found[id(source)] = layer
    return found


def _folded_weights(convolution: Any, norm: Any) -> list[Array]:
    """Returns the kernel and bias equivalent to a convolution with normalization."""
    kernel, *bias = (w.astype(np.float64) for w in convolution.get_weights())
    scale, shift = _scale_and_shift(norm)
    # Output channels are the last axis of a kernel, the last two of a depthwise one.
    scaled = kernel.reshape(*kernel.shape[:2], -1, len(scale)) * scale
    return [scaled.reshape(kernel.shape), sum(b * scale for b in bias) + shift]


def _scale_and_shift(norm: Any) -> tuple[Array, Array]:
    """Returns scale and shift of each channel: norm(x) = scale * x + shift."""
    mean, variance = (
        np.asarray(ops.convert_to_numpy(statistic), np.float64)
        for statistic in (norm.moving_mean, norm.moving_variance)
    )
    if isinstance(norm, layers.BatchNormalization):
        deviation = np.sqrt(variance) + layers.EPSILON
    else:
        deviation = np.sqrt(variance + norm.epsilon)
    gamma, beta = (
        default if weight is None else ops.convert_to_numpy(weight).astype(np.float64)
        for weight, default in ((norm.gamma, 1.0), (norm.beta, 0.0))
    )
    scale = gamma / deviation
    return scale, beta - mean * scale
