"""The network as it predicts: normalisation folded into kernels, precision changed."""

import functools
from typing import Any

import keras
import numpy as np
from keras import ops

from yolov1_fo import hardware
from yolov1_fo.boxes import Array
from yolov1_fo.networks import layers

EMBEDDINGS = "embeddings"
SPOKEN = ("output", "class_probs", "confidence", "boxes", EMBEDDINGS)
"""Layers that say what is given out; they stay float32."""

_NORMS = (keras.layers.BatchNormalization, layers.BatchNormalization)
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


class Forward:
    """Runs a network on batches of any size, as fast as it can.

    It takes the weights as they are at the first batch; the network stays as it is.

    Args:
        network: from `network.build` or `network.load`
        precision (None): float32, bfloat16 or float16 of all but the last layer; auto
            takes what `hardware.fastest_precision` gives; by default the network's own

    Attributes:
        asked: the precision that was asked for
    """

    def __init__(self, network: keras.Model, precision: str | None = None) -> None:
        self.network, self.asked = network, precision
        self._compiled: dict[str, keras.Model] = {}
        self._most = 0
        # TensorFlow without XLA takes any number of images from the second size on.
        self._compiles_each_size = (
            keras.backend.backend() != "tensorflow" or hardware.has_accelerator()
        )

    def __call__(self, pixels: Array) -> Array:
        """Returns the raw output (N, outputs) float32.

        Args:
            pixels: (N, H, W, 3) RGB; uint8, or float32 in [0, 1]
        """
        kind = pixels.dtype.name
        if kind not in self._compiled:
            self._compiled[kind] = self._compile(kind)
        n = len(pixels)
        self._most = max(self._most, n)
        if self._compiles_each_size:
            pixels = _filled(pixels, self._most)
        y_pred = self._compiled[kind].predict_on_batch(pixels)
        return np.asarray(y_pred[:n], np.float32)

    @functools.cached_property
    def _network(self) -> keras.Model:
        precision = hardware.fastest_precision() if self.asked == "auto" else self.asked
        return predicting(self.network, precision)

    def _compile(self, kind: str) -> keras.Model:
        image = keras.Input(self.network.input_shape[1:], dtype=kind, name="pixels")
        scaled = ops.cast(image, "float32") / 255.0 if kind == "uint8" else image
        return keras.Model(image, self._network(scaled), name="forward")


def _filled(pixels: Array, most: int) -> Array:
    """Returns the images with empty ones behind: a power of two, or `most` of them."""
    wanted = min(1 << (len(pixels) - 1).bit_length(), most)
    return np.pad(pixels, ((0, wanted - len(pixels)), (0, 0), (0, 0), (0, 0)))


def predicting(network: keras.Model, precision: str | None = None) -> keras.Model:
    """Returns a network that gives the same, faster.

    Batch normalisation behind a convolution becomes part of its kernel and bias. What
    need not change is shared with the network: with neither normalisation nor another
    precision it comes back as it is.

    Args:
        network: a functional model; nested ones are folded too
        precision (None): of all layers but the last; by default their own
    """
    norms = _norms_behind(network)
    if not norms and precision is None:
        return network
    gone = {id(norm) for norm in norms.values()}
    fillings: list[tuple[Any, Any]] = []

    def changed(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):
            return layer  # a plain operation, such as a sum
        dtype = _dtype(layer, precision)
        folds = id(layer) in norms
        if id(layer) in gone or not (folds or dtype != layer.dtype_policy.name):
            return layer
        config = {**layer.get_config(), "dtype": dtype}
        # SavedModel takes no weight whose name begins so.
        config["name"] = layer.name.lstrip("_")
        if folds:
            config["use_bias"] = True
        for name in ("kernel_initializer", "depthwise_initializer"):
            if config.get(name):
                config[name] = "zeros"  # random numbers take their time
        new = layer.__class__.from_config(config)
        fillings.append((new, layer))
        return new

    def called(layer: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        return x if id(layer) in gone else layer(x, *args, **kwargs)

    result = keras.models.clone_model(
        network, clone_function=changed, call_function=called, recursive=True
    )
    for new, layer in fillings:
        norm = norms.get(id(layer))
        new.set_weights(_folded(layer, norm) if norm else layer.get_weights())
    return result


def _dtype(layer: Any, precision: str | None) -> str:
    if precision is None:
        return layer.dtype_policy.name
    return "float32" if layer.name in SPOKEN else precision


def _norms_behind(network: keras.Model) -> dict[int, Any]:
    """Returns the normalisation behind each convolution that has one, by its id."""
    found: dict[int, Any] = {}
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found |= _norms_behind(layer)
        elif isinstance(layer, _NORMS):
            source = layer.input._keras_history.operation
            is_plain = isinstance(source, _CONVOLUTIONS) and (
                source.activation is keras.activations.linear
            )
            if is_plain and len(source._outbound_nodes) == 1:
                found[id(source)] = layer
    return found


def _folded(convolution: Any, norm: Any) -> list[Array]:
    """Returns kernel and bias that do what convolution and normalisation do."""
    kernel, *bias = (w.astype(np.float64) for w in convolution.get_weights())
    scale, shift = _affine(norm)
    # The channels that a kernel gives are its last axis, of a depthwise one its last
    # two.
    wide = kernel.reshape(*kernel.shape[:2], -1, len(scale)) * scale
    return [wide.reshape(kernel.shape), sum(b * scale for b in bias) + shift]


def _affine(norm: Any) -> tuple[Array, Array]:
    """Returns what each channel is multiplied with, and what is added then."""
    mean, variance = (
        np.asarray(ops.convert_to_numpy(statistic), np.float64)
        for statistic in (norm.moving_mean, norm.moving_variance)
    )
    if isinstance(norm, layers.BatchNormalization):
        deviation = np.sqrt(variance) + layers.EPSILON
    else:
        deviation = np.sqrt(variance + norm.epsilon)
    gamma, beta = (
        other if weight is None else ops.convert_to_numpy(weight).astype(np.float64)
        for weight, other in ((norm.gamma, 1.0), (norm.beta, 0.0))
    )
    scale = gamma / deviation
    return scale, beta - mean * scale
