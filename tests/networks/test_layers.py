"""Darknet's layers; test_fidelity compares their results with Darknet's."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from yolov1_fo.networks.layers import BatchNormalization, Local


def test_batch_normalization_worked_by_hand():
    layer = BatchNormalization()
    x = np.float32([[[[1.0]], [[3.0]]]])  # mean 2, variance 2 / (2 - 1)
    y = layer(x, training=True)
    np.testing.assert_allclose(np.ravel(y), [-(0.5**0.5), 0.5**0.5], rtol=1e-5)
    np.testing.assert_allclose(layer.moving_mean, [0.02], rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, [0.99 + 0.02], rtol=1e-6)
    layer.moving_variance.assign([4.0])
    y = layer(x, training=False)
    np.testing.assert_allclose(np.ravel(y), [0.49, 1.49], rtol=1e-5)  # (x - 0.02) / 2


def test_constant_channels_have_finite_gradients():
    layer = BatchNormalization()
    x = tf.ones((2, 3, 3, 2))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert not np.any(y)
    assert np.isfinite(tape.gradient(y, x)).all()


def test_variance_of_a_single_value_is_zero():
    y = BatchNormalization()(np.float32([[[[5.0]]]]), training=True)
    assert np.ravel(y) == [0.0]


def test_frozen_batch_normalization_uses_running_statistics():
    layer = BatchNormalization()
    x = np.random.default_rng(0).normal(3, 2, (4, 2, 2, 3)).astype(np.float32)
    layer(x, training=True)
    layer.trainable = False
    before = layer.moving_mean.numpy()
    np.testing.assert_array_equal(layer(x, training=True), layer(x, training=False))
    np.testing.assert_array_equal(layer.moving_mean, before)


@pytest.mark.parametrize("stride", [1, 2])
def test_local_with_equal_kernels_is_a_convolution(rng, stride):
    x = rng.normal(size=(2, 7, 6, 3)).astype(np.float32)
    local = Local(4, 3, stride)
    local.build(x.shape)
    kernel = rng.normal(size=(3, 3, 3, 4)).astype(np.float32)
    rows, columns = local.compute_output_shape(x.shape)[1:3]
    kernels = np.broadcast_to(kernel, (rows, columns, *kernel.shape))
    local.set_weights([kernels, np.zeros((rows, columns, 4))])
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    expected = tf.nn.conv2d(padded, kernel, stride, "VALID")
    np.testing.assert_allclose(local(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_layers_use_the_dtype_policy(rng, policy):
    x = rng.normal(size=(1, 4, 4, 2)).astype(np.float32)
    half = policy.removeprefix("mixed_")
    for layer in (BatchNormalization(dtype=policy), Local(3, 3, dtype=policy)):
        assert keras.backend.standardize_dtype(layer(x).dtype) == half
        assert {v.dtype for v in layer.weights} == {"float32"}


def test_layers_are_serialized(rng):
    for layer in (
        BatchNormalization(name="norm"),
        Local(3, 5, 2, kernel_initializer="zeros", name="local"),
        Local(3, 5, name="local"),
    ):
        again = keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        )
        assert again.get_config() == layer.get_config()
        registered = keras.saving.get_registered_name(type(layer))
        assert registered == f"yolov1_fo>{type(layer).__name__}"
