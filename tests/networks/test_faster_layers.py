import keras
import numpy as np
import pytest

from yolov1_fo.networks import faster_layers
from yolov1_fo.networks.faster_layers import FastDepthwiseConv2D, faster

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="kernels of TensorFlow"
)
RNG = np.random.default_rng(8)


def network(layer, *shape):
    """Returns a model of one layer, which thereby knows its input."""
    image = keras.Input(shape)
    return keras.Model(image, layer(image))


def step(layer, inputs, variables):
    """Returns outputs and gradients, by the inputs and the variables."""
    import tensorflow as tf

    x = tf.constant(inputs, "float32")
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = layer(x)
        loss = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(loss, [x, *(one.value for one in variables)])
    return [one.numpy() for one in (outputs, *gradients)]


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(10, 13), (9, 8)])
@pytest.mark.parametrize(
    ("size", "stride"), [(5, 1), (5, 2), (7, 3), ((3, 5), 2), (3, 1)]
)
def test_depthwise_gradients_are_the_same(size, stride, height, width, multiplier):
    conv = keras.layers.DepthwiseConv2D(
        size, stride, "same", multiplier, use_bias=False
    )
    network(conv, height, width, 6)
    fast = FastDepthwiseConv2D(conv)
    inputs = RNG.standard_normal((3, height, width, 6))
    expected = step(conv, inputs, conv.trainable_variables)
    got = step(fast, inputs, conv.trainable_variables)
    for one, other in zip(expected, got, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5 * np.abs(one).max())


def test_gradients_in_half_precision_are_close():
    conv = keras.layers.DepthwiseConv2D(
        5, 2, "same", use_bias=False, dtype="mixed_bfloat16"
    )
    network(conv, 10, 13, 6)
    fast = FastDepthwiseConv2D(conv)
    inputs = RNG.standard_normal((3, 10, 13, 6))
    expected = step(conv, inputs, conv.trainable_variables)
    got = step(fast, inputs, conv.trainable_variables)
    for one, other in zip(expected, got, strict=True):
        assert one.dtype == other.dtype
        one, other = (np.asarray(values, np.float32) for values in (one, other))
        np.testing.assert_allclose(other, one, atol=0.02 * np.abs(one).max())


def conv(size=5, padding="same", dtype=None, trainable=True, **settings):
    layer = keras.layers.DepthwiseConv2D(
        size, padding=padding, dtype=dtype, **{"use_bias": False, **settings}
    )
    layer.trainable = trainable
    return layer


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (conv(), FastDepthwiseConv2D),
        (conv((3, 7)), FastDepthwiseConv2D),
        (conv(3), None),  # oneDNN is fast
        (conv(dtype="mixed_bfloat16"), FastDepthwiseConv2D),
        (conv(trainable=False), None),  # has no gradient
        (conv(padding="valid"), None),
        (conv(use_bias=True), None),
        (conv(activation="relu"), None),
        (conv(dilation_rate=2), None),
        (keras.layers.Conv2D(4, 5, padding="same"), None),
    ],
)
def test_only_what_becomes_faster_is_replaced(layer, kind):
    network(layer, 8, 8, 4)
    replaced = faster(layer)
    assert type(replaced) is (kind or type(layer))
    assert kind or replaced is layer


def test_nothing_is_replaced_on_an_accelerator(monkeypatch):
    monkeypatch.setattr(faster_layers.hardware, "has_accelerator", lambda: True)
    layer = conv()
    network(layer, 8, 8, 4)
    assert faster(layer) is layer
