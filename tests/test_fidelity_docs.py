"""The claims of docs/fidelity.md that Darknet's results do not test."""

import ast
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.micro import MICRO
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import NetworkConfig, TrainConfig, recipes
from yolov1_fo.networks import build, layers
from yolov1_fo.training.optimizers import DarknetSGD

TEXT = (Path(__file__).parent.parent / "docs" / "fidelity.md").read_text()
SETTING = re.compile(r"`(\w+)(?:=([^`]*))?`")


def test_settings_in_the_docs_exist():
    tables = [line.split(" | ") for line in TEXT.splitlines() if line.count(" | ") == 5]
    names = [name for *_, last in tables for name, _ in SETTING.findall(last)]
    assert len(names) > 20
    for name in names:
        assert name in (*TrainConfig.names(), "weights")


def test_darknets_recipe_is_that_in_the_docs():
    config = TrainConfig.for_network("darknet-yolov1")
    (text,) = re.findall(r"^takes the recipe `darknet`.*?\n\n", TEXT, re.S | re.M)
    shown = {name: ast.literal_eval(x) for name, x in SETTING.findall(text) if x}
    assert len(shown) == 4
    assert shown == {name: getattr(config, name) for name in shown}
    assert f"{config.epochs} epochs" in text.replace("\n", " ")


def test_recipes_deviate_from_the_paper_as_in_the_docs():
    section = TEXT.split("## Other recipes")[1].split("\n## ")[0]
    shown = {name: set() for name in recipes.RECIPES}
    for row in re.findall(r"^\| (`.*)", section, re.M):
        settings, names, _ = row.split(" | ")
        for recipe in re.findall(r"`([\w-]+)`", names):
            for setting, value in SETTING.findall(settings):
                shown[recipe].add(setting)
                if value:
                    choice = recipes.RECIPES[recipe][setting]
                    assert choice.value == ast.literal_eval(value)
    for recipe in ("scratch", "transfer", "fine-tune"):
        changed = {
            name
            for name, choice in recipes.RECIPES[recipe].items()
            if choice.is_automatic or choice.value != getattr(TrainConfig, name)
        }
        assert shown[recipe] == changed


@pytest.mark.slow
def test_initial_weights_are_those_in_the_docs():
    net = build.detector(NetworkConfig(network="fast-yolov1", image_size=64, S=1, C=2))
    kernel = net.get_layer("conv_14").get_weights()[0]  # 3 x 3 x 1024 inputs
    deviation = (2 / (9 * 1024)) ** 0.5
    assert kernel.std() == pytest.approx(deviation, rel=1e-2)
    assert 2.2 < np.abs(kernel).max() / deviation < 2.3
    connected = net.get_layer("connected_17").get_weights()[0]  # 256 to 4096
    assert np.abs(connected).max() == pytest.approx((6 / (256 + 4096)) ** 0.5, rel=1e-3)
    local = layers.Local(64, 3)
    local.build((1, 4, 4, 64))
    kernel, bias = local.get_weights()
    deviation = (2 / (9 * 64)) ** 0.5
    assert kernel.std(axis=(2, 3, 4, 5)) == pytest.approx(0.88 * deviation, rel=2e-2)
    assert 1.9 < np.abs(kernel).max() / deviation <= 2
    assert not bias.any()


@pytest.mark.slow
def test_transfer_networks_use_keras_batch_normalization(monkeypatch):
    settings = {"image_size": 32, "S": 1, "C": 2, "batch_norm": True, "head_filters": 8}
    transfer = NetworkConfig(
        network="yolov1-efficientnet-lite0", pretrained=False, **settings
    )
    monkeypatch.setitem(NETWORKS, "micro", MICRO)
    kinds = {
        name: {
            type(layer)
            for layer in net._flatten_layers()
            if layer.name.endswith(("_norm", "_bn1"))
        }
        for name, net in {
            "transfer": build.detector(transfer),
            "table": build.detector(NetworkConfig(network="micro", **settings)),
        }.items()
    }
    assert kinds == {
        "transfer": {keras.layers.BatchNormalization},
        "table": {layers.BatchNormalization},
    }


def test_halved_loss_equals_equation_3_with_half_the_rate_and_twice_the_decay():
    def steps(factor, rate, decay):
        variable = keras.Variable(np.ones(3, np.float32), name="kernel")
        optimizer = DarknetSGD(rate, momentum=0.9, decay=decay)
        optimizer.build([variable])
        for gradient in ((1.0, -2.0, 0.5), (0.3, 0.0, 1.0), (0.0, 1.0, -1.0)):
            optimizer.apply([factor * tf.constant(gradient)], [variable])
        return variable.numpy()

    halved, literal = steps(1, 0.2, 0.05), steps(2, 0.1, 0.1)
    np.testing.assert_allclose(halved, literal, rtol=1e-5)
    assert np.abs(steps(1, 0.2, 0.1) - literal).max() > 1e-3
