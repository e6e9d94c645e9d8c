"""Batch normalization with TensorFlow's fused kernel.

Keras computes mean, variance and result with one kernel per operation, which reads and
writes the features several times.
"""

import keras

from yolov1_fo.boxes import Array

MIN_EPSILON = 1.001e-5
"""The fused kernel replaces a smaller epsilon."""


class FusedBatchNormalization(keras.layers.Layer):
    """Normalizes as a layer of Keras does, with its variables.

    Args:
        norm: the layer
    """

    def __init__(self, norm: keras.layers.BatchNormalization) -> None:
        super().__init__(
            name=norm.name, dtype=norm.dtype_policy, trainable=norm.trainable
        )
        self.norm = norm

    @classmethod
    def of(cls, layer: keras.layers.Layer) -> keras.layers.Layer:
        """Returns the fused version of a layer, or itself if there is none."""
        is_fused = (
            type(layer) is keras.layers.BatchNormalization
            and keras.backend.backend() == "tensorflow"
            and layer.axis in (-1, 3)
            and len(layer.input.shape) == 4
            and layer.center
            and layer.scale
            and not layer.synchronized
            and layer.epsilon >= MIN_EPSILON
        )
        return cls(layer) if is_fused else layer

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
