import keras
import numpy as np
import pytest
from keras import ops

from tests.micro import lived_in
from tests.networks.test_predictor import CASES, pixels
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build, folding, parts, predictor
from yolov1_fo.networks.faster_layers import FusedBatchNormalization


def test_networks_without_normalization_are_not_copied(monkeypatch):
    architecture, settings = CASES["plain"]
    monkeypatch.setitem(NETWORKS, "micro", architecture)
    net = build.detector(NetworkConfig(**settings))
    assert folding.fold_batch_norm(net) is net
    half = folding.fold_batch_norm(net, "bfloat16")
    assert half.get_layer("conv_01").kernel.dtype == "bfloat16"
    assert half.get_layer("output").kernel.dtype == "float32"


def test_normalization_is_folded(monkeypatch):
    architecture, settings = CASES["batch_norm"]
    monkeypatch.setitem(NETWORKS, "micro", architecture)
    net = build.detector(NetworkConfig(**settings))
    kinds = {type(layer) for layer in folding.fold_batch_norm(net).layers}
    assert keras.layers.BatchNormalization not in kinds


@pytest.mark.parametrize(
    "backbone", ["efficientnet-lite0", "resnet50v2", "mobilenetv3-large"]
)
@pytest.mark.slow
def test_normalization_in_backbones_is_folded(backbone):
    config = NetworkConfig(
        network=f"yolov1-{backbone}",
        image_size=64,
        S=2,
        C=3,
        pretrained=False,
        batch_norm=True,
    )
    net = lived_in(build.detector(config))
    norms = folding._foldable_norms(net)
    assert len(norms) > 30
    images = pixels(3, 64)
    expected = ops.convert_to_numpy(net(images / np.float32(255)))
    got = predictor.Predictor(net)(images)
    np.testing.assert_allclose(got, expected, atol=1e-4 * np.abs(expected).max())


LITE = {
    "network": "yolov1-efficientnet-lite0",
    "image_size": 64,
    "S": 4,
    "C": 3,
    "batch_norm": True,
    "dropout": 0.0,
    "pretrained": False,
}


@pytest.fixture(scope="module")
def lite():
    network = lived_in(build.detector(NetworkConfig(**LITE), seed=3))
    parts.freeze_backbone(parts.backbone_of(network), 8)
    return network


def step(network, forward, images):
    """Returns outputs, gradients and moving statistics of a step in training."""
    import tensorflow as tf

    before = network.get_weights()
    with tf.GradientTape() as tape:
        outputs = forward(images, training=True)
        loss = ops.sum(ops.square(outputs - 0.3))
    variables = network.trainable_variables
    gradients = tape.gradient(loss, [one.value for one in variables])
    statistics = [ops.convert_to_numpy(one) for one in network.non_trainable_variables]
    network.set_weights(before)
    names = [one.path for one in variables]
    return outputs.numpy(), dict(zip(names, gradients, strict=True)), statistics


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow kernel"
)
def test_a_step_of_the_faster_network_is_the_same(lite):
    images = (pixels(4, 64) / np.float32(255)).astype(np.float32)
    faster = folding.for_training(lite)
    for one, other in zip(
        *(step(lite, forward, images) for forward in (lite, faster)), strict=True
    ):
        pairs = zip(one, other, strict=True)
        if isinstance(one, dict):
            assert one.keys() == other.keys()
            pairs = zip(one.values(), other.values(), strict=True)
        for expected, got in pairs:  # an activation may be on either side of a ReLU
            difference = np.linalg.norm(np.subtract(got, expected))
            assert difference < 2e-3 * max(np.linalg.norm(expected), 1e-3)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="a TensorFlow kernel"
)
def test_the_faster_network_folds_what_is_frozen_and_fuses_the_rest(lite):
    faster = folding.for_training(lite)
    layers = {layer.name: layer for layer in parts.backbone_of(faster).layers}
    norms = [
        one for one in layers.values() if "_bn" in one.name and "relu" not in one.name
    ]
    assert {type(one) for one in norms} == {FusedBatchNormalization}
    plain = [
        layer
        for layer in parts.backbone_of(lite).layers
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert 0 < len(norms) < len(plain)
    assert {one.norm.trainable for one in norms} == {True}
    trained = {id(variable) for variable in lite.trainable_variables}
    assert {id(variable) for variable in faster.trainable_variables} == trained


def test_the_network_can_be_folded_while_another_shares_its_layers(lite):
    before = len(folding._foldable_norms(lite))
    faster = folding.for_training(lite)
    assert len(folding._foldable_norms(lite)) == before
    assert faster is not lite
