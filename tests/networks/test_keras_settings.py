"""What we make does not depend on the user's own settings of Keras."""

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
from yolov1_fo.networks import build, predictor
from yolov1_fo.networks.keras_settings import pinned
from yolov1_fo.runs import checkpoint
from yolov1_fo.training import learner

NAMES = ("floatx", "image_data_format", "dtype_policy")
HALF = ("float16", "channels_first", "mixed_float16")
DOUBLE = ("float64", "channels_first", "mixed_bfloat16")


@pytest.fixture
def user():
    """Sets settings of Keras; puts them back."""
    before = said()

    def use(settings):
        for name, value in zip(NAMES, settings, strict=True):
            getattr(keras.config, f"set_{name}")(value)

    yield use
    use(before)


def said():
    floatx, channels, policy = (getattr(keras.config, name)() for name in NAMES)
    return floatx, channels, policy.name


def made(net):
    """Returns what each layer has taken from Keras' settings, and its weights."""
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


@pytest.mark.parametrize(
    "name",
    [
        *("micro", "yolov1", "darknet-yolov1-tiny"),
        *("yolov1-efficientnet-lite0", "yolov1-mobilenetv2"),
    ],
)
def test_a_network_is_the_same_under_any_settings(name, micro, user):
    config = NetworkConfig(network=name, image_size=64, S=2, C=2, pretrained=False)
    blank = not config.has_backbone  # random numbers take their time
    expected = made(build.detector(config, blank=blank))
    user(HALF)
    assert made(build.detector(config, blank=blank)) == expected
    assert said() == HALF


def test_the_settings_come_back_after_a_fault(user):
    user(DOUBLE)

    def fail():
        with pinned("mixed_float16"):
            assert said() == ("float32", "channels_last", "mixed_float16")
            raise OSError("fault")

    with pytest.raises(OSError, match="fault"):
        fail()
    assert said() == DOUBLE


def learned(config, rng):
    """Returns losses of some steps, and the outputs of the network that is saved."""
    batch = {
        "images": rng.integers(0, 256, (4, 32, 32, 3), np.uint8),
        "boxes": np.tile(np.float32([0.1, 0.2, 0.6, 0.7]), (4, 3, 1)),
        "class_ids": rng.integers(-1, 2, (4, 3)).astype(np.int32),
    }
    built = learner.make(config)
    built.prepare(2)
    fed = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    kept = {metric.dtype for metric in built.metrics}
    losses = built.fit(fed, epochs=2, shuffle=False, verbose=0)
    said = predictor.Forward(built.network)(batch["images"])
    return losses.history, said, kept


def test_the_same_steps_are_taken_under_any_settings(micro, user):
    config = TrainConfig(
        **{key: micro[key] for key in ("network", "image_size", "S", "batch_size")},
        C=2,
        optimizer="adam",
        hue=0.1,
        learning_rate=1e-3,
    )
    losses, outputs, kept = learned(config, np.random.default_rng(0))
    for settings in (HALF, DOUBLE):
        user(settings)
        losses_too, outputs_too, kept_too = learned(config, np.random.default_rng(0))
        assert kept == kept_too == {"float32"}
        assert losses_too == losses
        np.testing.assert_array_equal(outputs_too, outputs)


def test_a_checkpoint_says_the_same_under_any_settings(checkpoint_dir, user, rng):
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


def test_a_transfer_network_is_saved_whole_under_any_settings(user, tmp_path, rng):
    config = NetworkConfig(
        network="yolov1-efficientnet-lite0", image_size=64, S=2, C=2, pretrained=False
    )
    pixels = rng.integers(0, 256, (2, 64, 64, 3), np.uint8)
    user(DOUBLE)
    net = build.detector(config)
    metadata = {"classes": ["a", "b"], "settings": asdict(config)}
    (tmp_path / "kept").mkdir()
    checkpoint.write(tmp_path / "kept", net, metadata)
    loaded = build.load(tmp_path / "kept" / checkpoint.NETWORK)
    assert made(loaded) == made(net)
    np.testing.assert_array_equal(
        predictor.Forward(loaded)(pixels), predictor.Forward(net)(pixels)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "backend", "line"),
    [
        ({}, "numpy", "needs Keras' backend tensorflow or jax, got numpy; set KERAS_"),
        ([], None, "Keras can't be loaded with your keras.json"),
    ],
)
def test_a_backend_that_can_not_train_is_one_clear_line(
    tmp_path, config, backend, line
):
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
def test_an_absent_backend_is_one_clear_line(monkeypatch, backend):
    def absent(name):
        raise ModuleNotFoundError(f"No module named '{backend}'", name=backend)

    monkeypatch.setattr(yolov1_fo.importlib, "import_module", absent)
    with pytest.raises(ImportError, match=f"backend {backend} is not installed; set"):
        yolov1_fo._load("yolov1_fo.networks.build")


@pytest.mark.slow
def test_a_training_is_not_told_to_be_traced_again(painted, micro):
    """TensorFlow warns after the fifth training in a process."""
    told = []
    logger = logging.getLogger("tensorflow")
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())
    logger.addHandler(handler)

    def warn(epoch, metrics):
        logger.warning("5 out of the last 9 calls triggered tf.function retracing")
        logger.warning("something else")

    try:
        yolov1_fo.train(painted, epochs=1, on_epoch=warn, **micro)
    finally:
        logger.removeHandler(handler)
    assert told == ["something else"]
    assert not logger.filters
