"""The cost of a network is that of the network which is built."""

import math

import keras
import pytest

from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import backbones, build, costs
from yolov1_fo.runs import network_cost


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "image_size", "S", "separable_head"),
    [
        ("fast-yolov1", 64, 2, False),
        ("yolov1-efficientnet-lite0", 224, 7, False),
        ("yolov1-efficientnet-lite0", 224, 7, True),
        ("yolov1-efficientnet-lite0", 224, 14, False),
        ("yolov1-efficientnet-lite1", 224, 14, True),
    ],
)
def test_parameters_are_those_of_the_network(name, image_size, S, separable_head):
    config = TrainConfig(
        network=name,
        image_size=image_size,
        S=S,
        C=3,
        pretrained=False,
        separable_head=separable_head,
    )
    net = build.detector(config, zero_init=True)
    parameters = network_cost.total_cost(config).parameters
    assert parameters == pytest.approx(net.count_params(), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", costs.BACKBONE_COSTS)
@pytest.mark.parametrize("stride", [16, 32])
def test_backbone_costs_are_those_of_keras(name, stride):
    backbone = backbones.build(name, 224, pretrained=False, stride=stride)
    flops = activations = 0
    for layer in backbone.layers:
        shape = layer.output.shape[1:]
        activations += math.prod(shape)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            flops += 2 * math.prod(layer.kernel.shape[:3]) * math.prod(shape[:2])
        elif isinstance(layer, keras.layers.Conv2D):
            flops += 2 * math.prod(layer.kernel.shape) * math.prod(shape[:2])
        elif isinstance(layer, keras.layers.Dense):
            flops += 2 * math.prod(layer.kernel.shape)
    cost = costs.BACKBONE_COSTS[name][stride]
    assert cost.parameters == backbone.count_params()
    assert cost.channels == backbone.output_shape[-1]
    assert cost.flops == pytest.approx(flops / 224**2, rel=1e-3)
    assert cost.activations == pytest.approx(activations / 224**2, rel=1e-3)
