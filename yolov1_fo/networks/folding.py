"""Folds batch normalization into the convolutions before it: the same, but faster."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from yolov1_fo.boxes import Array
from yolov1_fo.networks import keras_private, layers
from yolov1_fo.networks.faster_layers import faster

EMBEDDINGS = "embeddings"
OUTPUT_LAYERS = ("output", "class_probs", "confidence", "boxes", EMBEDDINGS)
"""Layers whose results are returned; they stay float32."""

_NORMS = (keras.layers.BatchNormalization, layers.BatchNormalization)
_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def fold_batch_norm(network: keras.Model, precision: str | None = None) -> keras.Model:
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
    return _clone(network, norms, precision)


def for_training(network: keras.Model) -> keras.Model:
    """Returns a network with the same variables, which takes less time per step.

    Batch normalization of frozen layers is folded, into copies of their weights as they
    are now; other layers are shared, or replaced by those of `faster_layers`.

    Args:
        network: a functional model; nested ones are changed too
    """
    norms = {
        key: norm
        for key, norm in _foldable_norms(network).items()
        if not (norm.trainable or keras_private.producer_of(norm.input).trainable)
    }
    return _clone(network, norms, substitute=faster)


def _clone(
    network: keras.Model,
    norms: dict[int, Any],
    precision: str | None = None,
    substitute: Callable[[Any], Any] = lambda layer: layer,
) -> keras.Model:
    """Returns a network with folded normalization.

    Args:
        network: a functional model
        norms: normalization to fold, by the id of the convolution before it
        precision (unchanged): of all layers but the last
        substitute (itself): returns the replacement of a layer
    """
    folded = {id(norm) for norm in norms.values()}
    copies: list[tuple[Any, Any]] = []

    def clone(layer: Any) -> Any:
        if not isinstance(layer, keras.layers.Layer):
            return layer  # an operation such as a sum
        dtype, has_norm = _dtype(layer, precision), id(layer) in norms
        is_same = not has_norm and dtype == layer.dtype_policy.name
        if id(layer) in folded:
            return layer
        if is_same:
            return substitute(layer)
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
            # Other networks may share the layers.
            consumers = [
                one
                for one in keras_private.consumers_of(source)
                if any(one is other for other in network.operations)
            ]
            if is_linear and consumers == [layer]:
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
