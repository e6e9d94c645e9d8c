"""Layers of TensorFlow that compute what layers of Keras do, in less time per step."""

from collections.abc import Callable
from typing import Any

import keras

from yolov1_fo import hardware
from yolov1_fo.boxes import Array

MIN_EPSILON = 1.001e-5
"""The fused kernel replaces a smaller epsilon."""
MAX_ONEDNN_SIDE = 3
"""Up to this side of a depthwise kernel, oneDNN computes its gradient fast."""


def faster(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Returns a faster layer with the same variables, or the layer if there is none."""
    if keras.backend.backend() == "tensorflow":
        for kind in (FusedBatchNormalization, FastDepthwiseConv2D):
            if kind.replaces(layer):
                return kind(layer)
    return layer


class FusedBatchNormalization(keras.layers.Layer):
    """Normalizes with TensorFlow's fused kernel.

    Keras computes mean, variance and result with one kernel per operation, which reads
    and writes the features several times.

    Args:
        norm: the layer
    """

    def __init__(self, norm: keras.layers.BatchNormalization) -> None:
        super().__init__(
            name=norm.name, dtype=norm.dtype_policy, trainable=norm.trainable
        )
        self.norm = norm

    @staticmethod
    def replaces(layer: keras.layers.Layer) -> bool:
        """Returns whether it computes the same as a layer."""
        return (
            type(layer) is keras.layers.BatchNormalization
            and layer.axis in (-1, 3)
            and len(layer.input.shape) == 4
            and layer.center
            and layer.scale
            and not layer.synchronized
            and layer.epsilon >= MIN_EPSILON
        )

    def call(self, inputs: Array, training: bool = False, mask: None = None) -> Array:
        """Returns the normalized features: (N, H, W, channels)."""
        import tensorflow as tf

        norm, fused = self.norm, tf.compat.v1.nn.fused_batch_norm
        gamma, beta, mean, variance = (
            tf.cast(variable, "float32")
            for variable in (
                norm.gamma,
                norm.beta,
                norm.moving_mean,
                norm.moving_variance,
            )
        )
        if not (training and norm.trainable):
            return fused(
                *(inputs, gamma, beta, mean, variance),
                epsilon=norm.epsilon,
                is_training=False,
            )[0]
        outputs, batch_mean, batch_variance = fused(
            *(inputs, gamma, beta), epsilon=norm.epsilon, is_training=True
        )
        # The kernel returns the unbiased variance; Keras averages the biased one.
        count = tf.cast(tf.size(inputs) / tf.shape(inputs)[-1], batch_variance.dtype)
        batch_variance *= (count - 1) / count
        for average, value in (
            (norm.moving_mean, batch_mean),
            (norm.moving_variance, batch_variance),
        ):
            average.assign(norm.momentum * average + (1 - norm.momentum) * value)
        return outputs


class FastDepthwiseConv2D(keras.layers.Layer):
    """A depthwise convolution whose gradient takes half the time on a CPU.

    oneDNN computes the gradient of a wide depthwise kernel as that of a convolution of
    groups of 16 channels, with 16 times the multiplications.

    Args:
        conv: the layer
    """

    def __init__(self, conv: keras.layers.DepthwiseConv2D) -> None:
        super().__init__(
            name=conv.name.lstrip("_"),
            dtype=conv.dtype_policy,
            trainable=conv.trainable,
        )
        self.conv = conv

    @staticmethod
    def replaces(layer: keras.layers.Layer) -> bool:
        """Returns whether it computes the same as a layer, faster."""
        return (
            type(layer) is keras.layers.DepthwiseConv2D
            and layer.trainable
            and not hardware.has_accelerator()
            and layer.data_format == "channels_last"
            and layer.padding == "same"
            and layer.dilation_rate == (1, 1)
            and len(set(layer.strides)) == 1
            and not layer.use_bias
            and layer.activation is keras.activations.linear
            and max(layer.kernel_size) > MAX_ONEDNN_SIDE
            and None not in layer.input.shape[1:3]
        )

    def call(self, inputs: Array, mask: None = None) -> Array:
        """Returns the features: (N, H', W', channels)."""
        import tensorflow as tf

        kernel = tf.convert_to_tensor(self.conv.kernel)
        return _depthwise(inputs, kernel, self.conv.strides[0])


def _depthwise(inputs: Array, kernel: Array, stride: int) -> Array:
    """Returns a depthwise convolution with padding `same`.

    Args:
        inputs: (N, H, W, channels)
        kernel: (height, width, channels, multiplier)
        stride: in both directions
    """
    import tensorflow as tf

    strides = [1, stride, stride, 1]

    @tf.custom_gradient
    def convolve(x: Array, weights: Array) -> tuple[Array, Callable[..., Any]]:
        def gradients(change: Array) -> tuple[Array, Array]:
            of_inputs = tf.raw_ops.DepthwiseConv2dNativeBackpropInput(
                input_sizes=tf.shape(x),
                filter=weights,
                out_backprop=change,
                strides=strides,
                padding="SAME",
            )
            # With explicit padding, TensorFlow uses its own kernel, not oneDNN's; it is
            # fast in float32.
            of_weights = tf.raw_ops.DepthwiseConv2dNativeBackpropFilter(
                input=tf.cast(x, "float32"),
                filter_sizes=weights.shape,
                out_backprop=tf.cast(change, "float32"),
                strides=strides,
                padding="EXPLICIT",
                explicit_paddings=_same(x.shape[1:3], weights.shape[:2], stride),
            )
            return of_inputs, tf.cast(of_weights, weights.dtype)

        outputs = tf.raw_ops.DepthwiseConv2dNative(
            input=x, filter=weights, strides=strides, padding="SAME"
        )
        return outputs, gradients

    return convolve(inputs, kernel)


def _same(size: Any, kernel_size: Any, stride: int) -> list[int]:
    """Returns padding `same` as numbers, before and after each of the four axes.

    Args:
        size: height and width of the inputs
        kernel_size: height and width
        stride: in both directions
    """
    pads = [0, 0]
    for n, k in zip(size, kernel_size, strict=True):
        total = max((-(-n // stride) - 1) * stride + k - n, 0)
        pads += total // 2, total - total // 2
    return [*pads, 0, 0]
