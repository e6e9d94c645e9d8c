import keras
import numpy as np
import pytest

from yolov1_fo.config import TrainConfig
from yolov1_fo.training import optimizers, schedules


def rates(steps_per_epoch=10, **settings):
    schedule = schedules.Schedule(TrainConfig(**settings), steps_per_epoch)
    return lambda epoch: round(float(schedule(round(epoch * steps_per_epoch))), 8)


def test_paper_schedule_warms_up_and_drops_twice():
    rate = rates(epochs=135, warmup_epochs=3)
    assert rate(0) == pytest.approx(1e-3)
    assert rate(1.5) == pytest.approx(5.5e-3)  # half of the way to 1e-2
    assert rate(3) == rate(74.9) == pytest.approx(1e-2)
    assert rate(75) == rate(104.9) == pytest.approx(1e-3)
    assert rate(105) == rate(134.9) == pytest.approx(1e-4)


@pytest.mark.parametrize("schedule", ["paper", "cosine", "constant", "darknet-tiny"])
def test_the_rate_outside_of_a_step_is_that_of_the_step(schedule):
    config = TrainConfig(schedule=schedule, gradient_accumulation_steps=2)
    made = schedules.Schedule(config, 10)
    for step in (0, 1, 15, 1000, 1349):
        assert made.rate(step) == float(made(step)) > 0


def test_paper_schedule_shrinks_with_the_epochs():
    rate = rates(epochs=27, warmup_epochs=0)
    assert rate(14.9) == pytest.approx(1e-2)
    assert rate(15) == pytest.approx(1e-3)
    assert rate(21) == pytest.approx(1e-4)


def test_steps_are_right_at_any_epoch():
    rate = rates(schedule="steps", rate_steps=((0, 1e-3), (75, 1e-4), (105, 1e-5)))
    assert rate(74.9) == pytest.approx(1e-3)
    assert rate(80) == pytest.approx(1e-4)  # also the first asked for, after a resume
    assert rate(200) == pytest.approx(1e-5)


def test_cosine_ends_at_zero():
    rate = rates(schedule="cosine", epochs=11, warmup_epochs=1)
    assert rate(1) == pytest.approx(1e-2)
    assert rate(6) == pytest.approx(5e-3)
    assert rate(11) == pytest.approx(0, abs=1e-9)


def test_constant_is_constant():
    rate = rates(schedule="constant")
    assert rate(0) == rate(100) == pytest.approx(1e-2)


def variable(name, value):
    layer = keras.layers.Layer(name="layer")
    return layer.add_weight(
        shape=(1,), name=name, initializer=keras.initializers.Constant(value)
    )


def test_sgd_worked_by_hand():
    config = TrainConfig(schedule="constant", learning_rate=0.1, weight_decay=0.5)
    kernel, bias = variable("kernel", 1.0), variable("bias", 1.0)
    optimizer = optimizers.build(config, 1, [kernel, bias])
    for gradient in (2.0, 4.0):
        optimizer.apply([np.float32([gradient])] * 2)
    # kernel: u = 2 + 0.5 = 2.5, w = 1 - 0.25 = 0.75;
    #         u = 0.9 x 2.5 + 4 + 0.375 = 6.625, w = 0.75 - 0.6625 = 0.0875
    # bias:   u = 2, w = 0.8; u = 1.8 + 4 = 5.8, w = 0.22
    assert float(kernel[0]) == pytest.approx(0.0875, abs=1e-6)
    assert float(bias[0]) == pytest.approx(0.22, abs=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_slow_variables_take_smaller_steps(name):
    config = TrainConfig(
        network="yolov1-efficientnet-lite0",
        optimizer=name,
        schedule="constant",
        weight_decay=0.0,
        backbone_lr_multiplier=0.1,
    )
    weights, head = variable("kernel", 1.0), variable("kernel_of_head", 1.0)
    optimizer = optimizers.build(config, 1, [weights, head], slow=[weights.path])
    optimizer.apply([np.float32([1.0])] * 2)
    moved, whole = 1 - float(weights[0]), 1 - float(head[0])
    assert moved == pytest.approx(0.1 * whole, rel=1e-3)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_only_kernels_decay(name):
    config = TrainConfig(optimizer=name, schedule="constant", weight_decay=0.5)
    kernel, gamma = variable("kernel", 1.0), variable("gamma", 1.0)
    optimizer = optimizers.build(config, 1, [kernel, gamma])
    optimizer.apply([np.zeros(1, np.float32)] * 2)
    assert float(kernel[0]) < 1
    assert float(gamma[0]) == 1


def test_clipping_bounds_the_step():
    config = TrainConfig(
        schedule="constant", learning_rate=1.0, weight_decay=0.0, global_clipnorm=0.5
    )
    weight = variable("kernel", 0.0)
    optimizers.build(config, 1, [weight]).apply([np.float32([100.0])])
    assert float(weight[0]) == pytest.approx(-0.5)


def test_averages_swap_in_and_out():
    config = TrainConfig(schedule="constant", learning_rate=1.0, ema_momentum=0.5)
    weight = variable("bias", 0.0)
    optimizer = optimizers.build(config, 1, [weight])
    for _ in range(2):  # values -1, then -2.9; average -1, then -1.95
        optimizer.apply([np.float32([1.0])])
    optimizer.swap_averages()
    assert float(weight[0]) == pytest.approx(-1.95)
    optimizer.swap_averages()
    assert float(weight[0]) == pytest.approx(-2.9)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_one_pass_over_a_variable_gives_the_same(name, rng):
    config = TrainConfig(optimizer=name, learning_rate=0.1, weight_decay=0.1, epochs=4)
    gradients = rng.normal(size=(6, 1)).astype(np.float32)
    ended = []
    for replicas in (1, 2):  # two do it step by step
        weight = variable("kernel", 0.5)
        optimizer = optimizers.build(config, 2, [weight], replicas=replicas)
        for gradient in gradients:
            optimizer.apply([gradient])
        ended.append(float(weight[0]))
    assert optimizer.fuses is False
    assert ended[0] != 0.5
    assert ended[0] == pytest.approx(ended[1], rel=1e-6)
