"""Steps whose gradients are accumulated are those of a larger batch."""

import keras
import numpy as np
import pytest

from tests.micro import SETTINGS
from tests.training.test_optimizers import rates, variable
from tests.training.test_resume import assert_same_run, cut, train
from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline import shuffling
from yolov1_fo.training import optimizers
from yolov1_fo.training.distribution import Devices
from yolov1_fo.training.learner_builder import build_learner


@pytest.mark.parametrize("name", ["paper", "cosine", "darknet-yolov1"])
def test_the_schedule_is_that_of_the_large_batch(name):
    settings = {"schedule": name, "epochs": 4, "warmup_epochs": 1}
    large = rates(5, **settings)
    small = rates(15, gradient_accumulation_steps=3, **settings)
    for step in range(60):
        assert small(step / 15) == pytest.approx(large(step // 3 / 5), rel=1e-6)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_updates_averages_and_clipping_are_those_of_the_mean_gradient(
    name, precision, rng
):
    settings = {
        "optimizer": name,
        "precision": precision,
        "learning_rate": 0.1,
        "weight_decay": 0.1,
        "global_clipnorm": 0.5,
        "ema_momentum": 0.5,
        "epochs": 8,
        "warmup_epochs": 2,
        "schedule": "cosine",
    }
    gradients = rng.normal(size=(12, 2)).astype(np.float32)
    ended = []
    for steps in (1, 3):
        config = TrainConfig(gradient_accumulation_steps=steps, **settings)
        weight = variable("kernel", 0.5)
        optimizer = optimizers.build(config, steps, [weight])
        half = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        scale = float(optimizer.dynamic_scale) if half else 1.0
        fed = gradients[:, :1] if steps == 3 else gradients.reshape(4, 3, 2).mean(1)
        for gradient in fed:
            optimizer.apply([scale * gradient[:1]])
        inner = optimizer.inner_optimizer if half else optimizer
        assert inner.fuses
        assert int(inner.iterations) == 4
        (average,) = inner.averages().values()
        ended.append((float(weight[0]), float(average[0]), float(inner.learning_rate)))
    assert ended[0][0] != 0.5
    assert ended[0][:2] == pytest.approx(ended[1][:2], rel=1e-5)
    assert 0 < ended[0][2] == pytest.approx(ended[1][2], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_accumulated_batches_equal_a_large_one(micro, rng, name):
    given = {key: value for key, value in SETTINGS.items() if key != "progress"}
    n, updates, k = 8, 4, 2
    still = {"jitter": 0.0, "flip": 0.0, "exposure": 1.0, "saturation": 1.0}
    still |= {"batch_norm": False, "optimizer": name, "warmup_epochs": 0.5}
    images = {
        "images": rng.integers(0, 256, (n, 32, 32, 3), np.uint8),
        "boxes": np.tile(np.float32([0.2, 0.3, 0.6, 0.8]), (n, 1, 1)),
        "class_ids": rng.integers(0, 2, (n, 1)).astype(np.int32),
    }
    images["boxes"] += rng.uniform(0, 0.2, (n, 1, 1)).astype(np.float32)

    def weights(batch_size, accumulated):
        settings = {**given, **still, "batch_size": batch_size, "C": 2, "epochs": 2}
        config = TrainConfig(**settings, gradient_accumulation_steps=accumulated)
        learner = build_learner(config, n // batch_size)
        for step in range(updates * accumulated):
            rows = shuffling.rows_of_step(step, n, batch_size, seed=3)
            learner.train_on_batch({key: value[rows] for key, value in images.items()})
        return learner.network.get_weights()

    start = build_learner(TrainConfig(**given, **still, C=2), 2).network.get_weights()
    large, small = weights(4, 1), weights(4 // k, k)
    assert max(np.abs(a - b).max() for a, b in zip(start, large, strict=True)) > 1e-3
    for ours, theirs in zip(small, large, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_resumed_within_an_update_is_as_if_never_stopped(painted, micro, precision):
    settings = {
        **micro,
        "epochs": 4,
        "optimizer": "adam",
        "ema_momentum": 0.9,
        "precision": precision,
        "gradient_accumulation_steps": 2,  # 3 steps an epoch: epoch 1 ends within one
    }
    whole = train(painted, run_key="whole", **settings)
    cut(painted, 1, **settings)
    assert_same_run(train(painted, resume="cut", progress=False), whole)


@pytest.mark.slow
def test_more_steps_than_the_training_has_are_one_clear_line(painted, micro):
    line = "gradient_accumulation_steps 9 must be at most the 6 steps of the training"
    with pytest.raises(ValueError, match=line):
        train(painted, epochs=2, gradient_accumulation_steps=9, **micro)
    assert not painted.list_runs()


def test_replicas_are_refused_in_one_clear_line():
    config = TrainConfig(batch_size=4, gradient_accumulation_steps=2)
    line = "gradient_accumulation_steps must be 1 for several devices on TensorFlow"
    with pytest.raises(ValueError, match=line):
        Devices(2, replicas=2).check(config)
    Devices(2).check(config)  # JAX
