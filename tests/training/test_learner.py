import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.micro import GOLDEN
from yolov1_fo import loss
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import TrainConfig
from yolov1_fo.training.learner_builder import build_learner


@pytest.fixture
def config(micro):
    settings = {k: v for k, v in micro.items() if k != "progress"}
    return TrainConfig(**settings, C=2, epochs=2)


def batch(rng, config, n=4):
    corners = np.sort(rng.uniform(0, 1, (n, 3, 2, 2)), axis=2).astype(np.float32)
    return {
        "images": rng.integers(
            0, 256, (n, config.image_size, config.image_size, 3), np.uint8
        ),
        "boxes": corners.reshape(n, 3, 4),
        "class_ids": rng.integers(-1, config.C, (n, 3)).astype(np.int32),
    }


def changed(config, **settings):
    from dataclasses import asdict

    return TrainConfig(**{**asdict(config), **settings})


@pytest.mark.slow
def test_fit_reports_every_term(config, rng):
    learner = build_learner(config, 2)
    history = learner.fit(batch(rng, config), batch_size=2, verbose=0).history
    assert set(history) == {"loss", *loss.Terms._fields}
    parts = sum(history[name][0] for name in loss.Terms._fields)
    assert history["loss"][0] == pytest.approx(parts, rel=1e-5)


@pytest.mark.slow
def test_the_learner_resizes_as_it_is_told(config, rng):
    one = batch(rng, config)
    targets = [
        build_learner(changed(config, seed=5, align_corners=meet), 2)(
            one, training=True
        )["y_true"]
        for meet in (False, True)
    ]
    assert np.abs(targets[0] - targets[1]).max() > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_draws_count_the_steps(config, rng, steps_per_execution):
    config = changed(config, seed=5, steps_per_execution=steps_per_execution)
    learner = build_learner(config, 2)
    learner.fit(batch(rng, config), batch_size=2, epochs=3, verbose=0)
    assert np.array(learner.draws.next()).tolist() == [5, 6]
    assert int(learner.step) == 6


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_boxes_and_targets_stay_float32(config, rng, precision):
    learner = build_learner(changed(config, precision=precision), 2)
    said = learner(batch(rng, config), training=True)
    assert said["y_true"].dtype == said["y_pred"].dtype == tf.float32
    inner = [layer.compute_dtype for layer in learner.network.layers]
    assert precision.removeprefix("mixed_") in inner
    learner.fit(batch(rng, config), batch_size=2, verbose=0)
    assert int(learner.first_bad_step) == -1


def test_half_precision_scales_the_loss(config):
    learner = build_learner(changed(config, precision="mixed_float16"), 2)
    assert isinstance(learner.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["micro", "darknet"])
def test_step_compiles_under_xla(config, rng, monkeypatch, architecture):
    monkeypatch.setitem(NETWORKS, "darknet", GOLDEN["micro"])
    darknet = {
        "hue": 0.1,
        "align_corners": True,
        "rmse_fallback": True,
        "softmax": True,
    }
    more = darknet if architecture == "darknet" else {}
    config = changed(config, network=architecture, jitter=0.2, flip=0.5, **more)
    learner = build_learner(config, 2)
    learner.compile(optimizer=learner.optimizer, jit_compile=True)
    history = learner.fit(batch(rng, config), batch_size=2, verbose=0).history
    assert np.isfinite(history["loss"][0])


@pytest.mark.slow
def test_same_seed_takes_the_same_steps(config, rng):
    fed = batch(rng, config)

    def weights(seed):
        keras.utils.set_random_seed(9)  # must not matter
        learner = build_learner(changed(config, seed=seed, dropout=0.5), 2)
        learner.fit(fed, batch_size=2, epochs=2, verbose=0, shuffle=False)
        return learner.network.get_weights()

    for a, b in zip(weights(3), weights(3), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(weights(3)[0], weights(4)[0])


@pytest.mark.slow
def test_first_bad_step_is_kept(config, rng):
    learner = build_learner(config, 2)
    fed = batch(rng, config, n=6)
    learner.train_on_batch({key: value[:2] for key, value in fed.items()})
    learner.network.weights[0].assign(learner.network.weights[0] * np.nan)
    for _ in range(2):
        learner.train_on_batch({key: value[:2] for key, value in fed.items()})
    assert int(learner.first_bad_step) == 1


def test_prediction_does_not_vary(config, rng):
    learner = build_learner(config, 2)
    fed = batch(rng, config)
    first, second = (learner(fed, training=False)["y_pred"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    plain = learner.network(fed["images"].astype(np.float32) / 255)
    np.testing.assert_allclose(first, plain, atol=1e-6)
