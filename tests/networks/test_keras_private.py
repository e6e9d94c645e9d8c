"""Fails when a Keras release renames or changes a private name that is used."""

import keras
import numpy as np
import pytest

from yolov1_fo.networks import keras_private


@pytest.fixture
def variables():
    return [keras.Variable(np.ones(shape, np.float32)) for shape in ((2,), (3,))]


def test_producers_and_consumers_of_a_functional_model():
    image = keras.Input((4, 4, 3))
    conv, first, second = (keras.layers.Conv2D(3, 1) for _ in range(3))
    features = conv(image)
    outputs = [first(features), second(features)]
    model = keras.Model(image, outputs)
    assert keras_private.producer_of(model.outputs[0]) is first
    assert keras_private.producer_of(first.input) is conv
    assert keras_private.consumers_of(conv) == [first, second]
    assert keras_private.consumers_of(first) == []


def test_index_of_a_variable(variables):
    optimizer = keras.optimizers.SGD()
    optimizer.build(variables)
    indices = [keras_private.variable_index(optimizer, one) for one in variables]
    assert indices == [0, 1]


def test_moments_of_adam(variables):
    optimizer = keras.optimizers.AdamW(beta_1=0.9, beta_2=0.99)
    optimizer.build(variables)
    gradients = [keras.ops.full(one.shape, 2.0) for one in variables]
    optimizer.apply(gradients)
    first, second = keras_private.adam_moments(optimizer, 1)
    np.testing.assert_allclose(first.numpy(), np.full(3, 0.2), rtol=1e-5)  # 0.1 * 2
    np.testing.assert_allclose(second.numpy(), np.full(3, 0.04), rtol=1e-5)  # 0.01 * 4


def test_moving_averages_of_an_optimizer(variables):
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.5)
    optimizer.build(variables)
    for _ in range(2):  # from 1 to 0 to -1; the average starts at 0
        optimizer.apply([keras.ops.ones_like(one) for one in variables])
    pairs = keras_private.moving_averages(optimizer)
    assert [id(variable) for variable, _ in pairs] == list(map(id, variables))
    for variable, average in pairs:
        np.testing.assert_allclose(variable.numpy(), -1.0)
        np.testing.assert_allclose(average.numpy(), -0.5)


def test_optimizers_call_the_hook_that_sums_gradients(variables):
    calls = []

    class Counting(keras.optimizers.SGD):
        def _all_reduce_sum_gradients(self, grads_and_vars):
            calls.append(len(grads_and_vars))
            return super()._all_reduce_sum_gradients(grads_and_vars)

    optimizer = Counting()
    optimizer.build(variables)
    optimizer.apply([keras.ops.ones_like(one) for one in variables])
    assert calls == [2]


def test_steps_and_the_averages_of_accumulated_gradients(variables):
    calls = []

    class Counting(keras.optimizers.SGD):
        def _update_model_variables_moving_average(self, trainable_variables):
            calls.append(int(keras_private.step_count(self)))
            return super()._update_model_variables_moving_average(trainable_variables)

    optimizer = Counting(use_ema=True, gradient_accumulation_steps=2)
    optimizer.build(variables)
    for _ in range(3):
        optimizer.apply([keras.ops.ones_like(one) for one in variables])
    assert calls == [0, 1, 2]  # in each step; `iterations` counts updates
    assert int(optimizer.iterations) == 1
