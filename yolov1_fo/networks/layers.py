"""Layers of Darknet that Keras does not have."""

from typing import Any

import keras
from keras import ops

from yolov1_fo.boxes import Array

EPSILON = 1e-6
"""Added to the standard deviation, not to the variance."""


@keras.saving.register_keras_serializable(package="yolov1_fo")
class BatchNormalization(keras.layers.Layer):
    """Batch normalization as in Darknet: divides by the standard deviation plus 1e-6.

    In training, the variance of the batch divides by n - 1, and the momentum of the
    running statistics is 0.99. Keras' layer adds 1e-3 to the variance and divides by n.

    Source: Darknet batchnorm_layer.c, blas.c
    """

    momentum = 0.99

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates scale, bias and the running statistics."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.moving_mean = self._add_statistic("moving_mean", shape, "zeros")
        self.moving_variance = self._add_statistic("moving_variance", shape, "ones")

    def _add_statistic(
        self, name: str, shape: tuple[int | None], initializer: str
    ) -> Any:
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            trainable=False,
            autocast=False,
        )

    def call(self, x: Array, training: bool = False) -> Array:
        """Returns (N, H, W, channels), computed in float32."""
        x = ops.cast(x, "float32")
        if training and self.trainable:
            mean, variance = self._batch_statistics(x)
            self._update(self.moving_mean, mean)
            self._update(self.moving_variance, variance)
        else:
            mean = ops.convert_to_tensor(self.moving_mean)
            variance = ops.convert_to_tensor(self.moving_variance)
        # A constant channel: the gradient of the square root is infinite at 0.
        varies = variance > 0
        deviation = ops.sqrt(ops.where(varies, variance, 1.0))
        deviation = ops.where(varies, deviation, 0.0) + EPSILON
        x = (x - mean) / deviation
        x = x * ops.cast(self.gamma, "float32") + ops.cast(self.beta, "float32")
        return ops.cast(x, self.compute_dtype)

    def _batch_statistics(self, x: Array) -> tuple[Array, Array]:
        n = ops.cast(ops.prod(ops.shape(x)[:-1]), "float32")
        mean = ops.mean(x, axis=(0, 1, 2))
        squares = ops.sum(ops.square(x - mean), axis=(0, 1, 2))
        return mean, squares / ops.maximum(n - 1, 1)

    def _update(self, statistic: Any, value: Array) -> None:
        moved = self.momentum * statistic + (1 - self.momentum) * value
        statistic.assign(ops.stop_gradient(moved))


@keras.saving.register_keras_serializable(package="yolov1_fo")
class Local(keras.layers.Layer):
    """A locally connected layer: a convolution with other weights at each position.

    Args:
        filters: output channels
        size: of the window, odd, in cells; the input is padded by half of it
        stride (1): in cells
        kernel_initializer (he_normal): of the kernel, for the inputs of one position

    Source: Darknet local_layer.c
    """

    def __init__(
        self,
        filters: int,
        size: int,
        stride: int = 1,
        kernel_initializer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.size, self.stride = filters, size, stride
        self.kernel_initializer = keras.initializers.get(kernel_initializer)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates kernel (rows, columns, size, size, channels, filters) and bias."""
        rows, columns = self._output_size(input_shape)
        channels = int(input_shape[-1] or 0)
        deviation = (2 / (self.size**2 * channels)) ** 0.5
        self.kernel = self.add_weight(
            name="kernel",
            shape=(rows, columns, self.size, self.size, channels, self.filters),
            initializer=self.kernel_initializer
            or keras.initializers.TruncatedNormal(stddev=deviation),
        )
        self.bias = self.add_weight(
            name="bias", shape=(rows, columns, self.filters), initializer="zeros"
        )

    def _output_size(self, shape: tuple[int | None, ...]) -> tuple[int, int]:
        height, width = int(shape[1] or 0), int(shape[2] or 0)
        return -(-height // self.stride), -(-width // self.stride)

    def call(self, x: Array) -> Array:
        """Returns (N, rows, columns, filters)."""
        rows, columns = self._output_size(x.shape)
        half, stride = self.size // 2, self.stride
        x = ops.pad(x, ((0, 0), (half, half), (half, half), (0, 0)))
        windows = [
            x[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            for i in range(self.size)
            for j in range(self.size)
        ]
        inputs = ops.concatenate(windows, axis=-1)  # (N, rows, columns, k)
        kernel = ops.reshape(self.kernel, (rows, columns, -1, self.filters))
        return ops.einsum("nhwk,hwkf->nhwf", inputs, kernel) + self.bias

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns (N, rows, columns, filters)."""
        return (input_shape[0], *self._output_size(input_shape), self.filters)

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the layer."""
        initializer = self.kernel_initializer
        return {
            **super().get_config(),
            "filters": self.filters,
            "size": self.size,
            "stride": self.stride,
            "kernel_initializer": initializer
            and keras.initializers.serialize(initializer),
        }
