"""The cost of a whole network, from its settings, without building it."""

from typing import NamedTuple

from yolov1_fo import architectures, grid
from yolov1_fo.architectures import Connected, Conv
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import costs


class NetworkCost(NamedTuple):
    """The cost of a network or a part of it.

    Attributes:
        parameters: trainable ones
        flops: of a forward pass, per image
        activations: values that its layers output, per image
    """

    parameters: float
    flops: float
    activations: float


def total_cost(config: TrainConfig) -> NetworkCost:
    """Returns the cost of the network of these settings."""
    architecture = architectures.NETWORKS[config.network]
    if architecture.backbone:
        backbone = _backbone_cost(config, config.backbone_stride)
        return NetworkCost(*map(sum, zip(backbone, _head_cost(config), strict=True)))
    table = (*architecture.layers, Connected(grid.output_size(config), leaky=False))
    rows = list(costs.shapes(table, config.image_size, batch_norm=config.batch_norm))
    return NetworkCost(
        sum(row.parameters for row in rows),
        sum(row.flops for row in rows),
        sum(
            row.height * row.width * row.channels * _tensors(row.layer) for row in rows
        ),
    )


def trained_cost(config: TrainConfig) -> NetworkCost:
    """Returns the cost of the layers that are not frozen."""
    total = total_cost(config)
    if not config.freeze_to_stride:
        return total
    stride = 16 if config.freeze_to_stride < 32 else config.backbone_stride
    frozen = _backbone_cost(config, stride)
    return NetworkCost(*(a - b for a, b in zip(total, frozen, strict=True)))


def _tensors(layer: architectures.Layer) -> int:
    """Returns how many tensors a layer outputs: raw, normalized, activated."""
    if not isinstance(layer, Conv):
        return 1
    return 2 + bool(layer.batch_norm)


def _backbone(config: TrainConfig, stride: int) -> costs.BackboneCost:
    name = architectures.NETWORKS[config.network].backbone
    return costs.BACKBONE_COSTS[name][stride]


def _backbone_cost(config: TrainConfig, stride: int) -> NetworkCost:
    backbone, pixels = _backbone(config, stride), config.image_size**2
    return NetworkCost(
        backbone.parameters, backbone.flops * pixels, backbone.activations * pixels
    )


def _head_cost(config: TrainConfig) -> NetworkCost:
    stride = config.backbone_stride
    positions, cells = (config.image_size // stride) ** 2, config.S**2
    width = config.head_filters
    channels = _backbone(config, stride).channels
    first, rest = (
        9 * inputs + inputs * width if config.separable_head else 9 * inputs * width
        for inputs in (channels, width)
    )
    last = width * (config.C + 5 * config.B)
    return NetworkCost(
        first + 2 * rest + last,
        2 * (first * positions + (2 * rest + last) * cells),
        2 * width * (positions + 2 * cells),
    )
