"""Networks do not depend on the user's settings of Keras."""

import json
import logging
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import tree

import yolov1_fo
from yolov1_fo.config import NetworkConfig, TrainConfig
from yolov1_fo.networks import build, keras_file, predictor
from yolov1_fo.networks.keras_settings import fixed_settings
from yolov1_fo.runs import checkpoint
from yolov1_fo.training import learner_builder

NAMES = ("floatx", "image_data_format", "dtype_policy")
HALF = ("float16", "channels_first", "mixed_float16")
DOUBLE = ("float64", "channels_first", "mixed_bfloat16")


@pytest.fixture
def user():
    """Sets the user's settings of Keras; restores them after the test."""
    before = current()

    def use(settings):
        for name, value in zip(NAMES, settings, strict=True):
            getattr(keras.config, f"set_{name}")(value)

    yield use
    use(before)


def current():
    floatx, channels, policy = (getattr(keras.config, name)() for name in NAMES)
    return floatx, channels, policy.name


def describe(net):
    """Returns what each layer has from Keras' settings, and its weights."""
    return [
        (
            type(layer),
            layer.dtype_policy.name,
            getattr(layer, "data_format", None),
            [(weight.shape, weight.dtype) for weight in layer.weights],
            [tensor.dtype for tensor in tree.flatten(layer.output)],
        )
        for layer in net._flatten_layers(recursive=True, include_self=False)
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("micro", "yolov1", "darknet-yolov1-tiny"),
        *("yolov1-efficientnet-lite0", "yolov1-mobilenetv2"),
    ],
)
def test_a_network_is_the_same_under_any_settings(name, micro, user):
    config = NetworkConfig(network=name, image_size=64, S=2, C=2, pretrained=False)
    zero_init = not config.has_backbone  # faster
    expected = describe(build.detector(config, zero_init=zero_init))
    user(HALF)
    assert describe(build.detector(config, zero_init=zero_init)) == expected
    assert current() == HALF


def test_settings_are_restored_after_an_error(user):
    user(DOUBLE)

    def fail():
        with fixed_settings("mixed_float16"):
            assert current() == ("float32", "channels_last", "mixed_float16")
            raise OSError("error")

    with pytest.raises(OSError, match="error"):
        fail()
    assert current() == DOUBLE


def train_steps(config, rng):
    """Returns the losses of some steps, outputs of the network, and metric dtypes."""
    batch = {
        "images": rng.integers(0, 256, (4, 32, 32, 3), np.uint8),
        "boxes": np.tile(np.float32([0.1, 0.2, 0.6, 0.7]), (4, 3, 1)),
        "class_ids": rng.integers(-1, 2, (4, 3)).astype(np.int32),
    }
    built = learner_builder.uncompiled(config)
    built.prepare(2)
    batches = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    dtypes = {metric.dtype for metric in built.metrics}
    losses = built.fit(batches, epochs=2, shuffle=False, verbose=0)
    outputs = predictor.Predictor(built.network)(batch["images"])
    return losses.history, outputs, dtypes


@pytest.mark.slow
def test_training_is_the_same_under_any_settings(micro, user):
    config = TrainConfig(
        **{key: micro[key] for key in ("network", "image_size", "S", "batch_size")},
        C=2,
        optimizer="adam",
        hue=0.1,
        learning_rate=1e-3,
    )
    losses, outputs, dtypes = train_steps(config, np.random.default_rng(0))
    for settings in (HALF, DOUBLE):
        user(settings)
        losses_too, outputs_too, dtypes_too = train_steps(
            config, np.random.default_rng(0)
        )
        assert dtypes == dtypes_too == {"float32"}
        assert losses_too == losses
        np.testing.assert_array_equal(outputs_too, outputs)


def test_a_checkpoint_predicts_the_same_under_any_settings(checkpoint_dir, user, rng):
    image = rng.integers(0, 256, (40, 30, 3), np.uint8)
    model = yolov1_fo.load_model(checkpoint_dir)
    expected, vector = model.predict(image).to_dict(), model.embed(image)
    user(DOUBLE)
    again = yolov1_fo.load_model(checkpoint_dir)
    np.testing.assert_array_equal(again.embed(image), vector)
    for one in (found := again.predict(image).to_dict())["detections"]:
        del one["_id"]
    for one in expected["detections"]:
        del one["_id"]
    assert found == expected


@pytest.mark.slow
def test_a_transfer_network_is_saved_under_any_settings(user, tmp_path, rng):
    config = NetworkConfig(
        network="yolov1-efficientnet-lite0", image_size=64, S=2, C=2, pretrained=False
    )
    pixels = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    user(DOUBLE)
    net = build.detector(config)
    metadata = {"classes": ["a", "b"], "settings": asdict(config)}
    (tmp_path / "kept").mkdir()
    checkpoint.write(tmp_path / "kept", net, metadata)
    loaded = keras_file.load(tmp_path / "kept" / checkpoint.NETWORK)
    assert describe(loaded) == describe(net)
    np.testing.assert_array_equal(
        predictor.Predictor(loaded)(pixels), predictor.Predictor(net)(pixels)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "backend", "line"),
    [
        ({}, "numpy", "needs Keras' backend tensorflow or jax, got numpy; set KERAS_"),
        ([], None, "Keras can't be imported with your keras.json"),
    ],
)
def test_unusable_backends_are_one_line(tmp_path, config, backend, line):
    (tmp_path / "keras.json").write_text(json.dumps(config))
    environment = {**os.environ, "KERAS_HOME": str(tmp_path)}
    environment.pop("KERAS_BACKEND", None)
    if backend:
        environment["KERAS_BACKEND"] = backend
    code = "import yolov1_fo; yolov1_fo._load('yolov1_fo.networks.build')"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 1
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert re.search(line, last), last


@pytest.mark.parametrize("backend", ["jax", "torch", "openvino"])
def test_missing_backends_are_one_line(monkeypatch, backend):
    def absent(name):
        raise ModuleNotFoundError(f"No module named '{backend}'", name=backend)

    monkeypatch.setattr(yolov1_fo.importlib, "import_module", absent)
    with pytest.raises(ImportError, match=f"backend {backend} is not installed; set"):
        yolov1_fo._load("yolov1_fo.networks.build")


@pytest.mark.slow
def test_retracing_warnings_are_hidden_in_trainings(painted, micro):
    """TensorFlow warns after the fifth training in a process."""
    messages = []
    logger = logging.getLogger("tensorflow")
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger.addHandler(handler)

    def warn(epoch, metrics):
        logger.warning("5 out of the last 9 calls triggered tf.function retracing")
        logger.warning("something else")

    try:
        yolov1_fo.train(painted, epochs=1, on_epoch=warn, **micro)
    finally:
        logger.removeHandler(handler)
    assert messages == ["something else"]
    assert not logger.filters
