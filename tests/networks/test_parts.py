import numpy as np
import pytest

from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build
from yolov1_fo.networks.parts import (
    backbone_of,
    copy_backbone,
    features_of,
    freeze_backbone,
)


@pytest.mark.slow
def test_freeze_backbone_up_to_a_stride():
    config = NetworkConfig(
        network="yolov1-efficientnet-lite0", pretrained=False, image_size=64, S=2
    )
    backbone = backbone_of(build.detector(config))
    count = len(backbone.trainable_variables)
    freeze_backbone(backbone, 16)
    trainable_strides = {
        64 // layer.output.shape[1] for layer in backbone.layers if layer.trainable
    }
    assert trainable_strides == {32}
    freeze_backbone(backbone, 32)
    assert not backbone.trainable_variables
    freeze_backbone(backbone, 0)
    assert len(backbone.trainable_variables) == count


@pytest.mark.slow
def test_layers_after_global_pooling_are_frozen_too():
    config = NetworkConfig(
        network="yolov1-mobilenetv3-large", pretrained=False, image_size=64, S=2
    )
    backbone = backbone_of(build.detector(config))
    freeze_backbone(backbone, 32)
    assert not backbone.trainable_variables


@pytest.fixture
def pretraining(micro, monkeypatch):
    """The first two convolutions of `micro` are pretrained."""
    architecture = NETWORKS["micro"]._replace(pretrained_convs=2)
    monkeypatch.setitem(NETWORKS, "micro", architecture)
    return NetworkConfig(network="micro", image_size=32, S=2, C=3)


def test_copy_backbone_copies_the_first_convolutions(pretraining):
    classifier = build.classifier(pretraining, seed=1)
    network = build.detector(pretraining, seed=2)
    before = network.get_weights()
    copy_backbone(classifier, network)
    copied = [layer for layer in classifier.layers if layer.name.startswith("conv_")]
    copied = [layer for layer in copied if layer.weights]
    assert len(copied) == 2
    for layer in copied:
        for a, b in zip(
            layer.get_weights(),
            network.get_layer(layer.name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(network.get_weights()[-1], before[-1])


def test_copy_backbone_refuses_other_networks(pretraining):
    network = build.detector(pretraining)
    with pytest.raises(ValueError, match="it is not a classifier from pretrain"):
        copy_backbone(network, network)


def test_features_have_the_resolution_of_the_grid(micro):
    net = build.detector(NetworkConfig(network="micro", image_size=64, S=2, C=3))
    assert len(features_of(net).shape) == 4
