"""Parameters and floating point operations of the networks, without importing Keras."""

from collections.abc import Iterator
from typing import NamedTuple

from yolov1_fo.architectures import (
    Connected,
    Conv,
    Layer,
    LocalConv,
    Pool,
    with_batch_norm,
)


class Shape(NamedTuple):
    """The output shape of a layer, and its cost.

    Attributes:
        layer: from the table
        height: of the output
        width: of the output
        channels: of the output
        parameters: trainable parameters
        flops: per image; a multiply-add counts as two
    """

    layer: Layer
    height: int
    width: int
    channels: int
    parameters: int
    flops: int


def shapes(
    layers: tuple[Layer, ...], image_size: int, *, batch_norm: bool = False
) -> Iterator[Shape]:
    """Yields output shape and cost of each layer, for an RGB input.

    Args:
        layers: a table as in `NETWORKS`
        image_size: side of the input, in pixels
        batch_norm (False): value for convolutions that leave it to the settings: scale
            and shift replace the bias
    """
    height = width = image_size
    channels = 3
    for layer in with_batch_norm(layers, batch_norm=batch_norm):
        parameters = flops = 0
        if isinstance(layer, Conv):
            weights = layer.size**2 * channels * layer.filters
            height, width = -(-height // layer.stride), -(-width // layer.stride)
            channels = layer.filters
            parameters = weights + channels * (2 if layer.batch_norm else 1)
            flops = 2 * weights * height * width
        elif isinstance(layer, LocalConv):
            weights = layer.size**2 * channels * layer.filters * height * width
            channels = layer.filters
            parameters, flops = weights + channels * height * width, 2 * weights
        elif isinstance(layer, Pool):
            height, width = -(-height // layer.size), -(-width // layer.size)
        elif isinstance(layer, Connected):
            weights = height * width * channels * layer.units
            height, width, channels = 1, 1, layer.units
            parameters, flops = weights + channels, 2 * weights
        yield Shape(layer, height, width, channels, parameters, flops)


def count(
    layers: tuple[Layer, ...],
    image_size: int,
    outputs: int,
    *,
    batch_norm: bool = False,
) -> tuple[int, int]:
    """Returns trainable parameters and FLOPs per image, including the output layer.

    Args:
        layers: a table as in `NETWORKS`
        image_size: side of the input, in pixels
        outputs: units of the output layer
        batch_norm (False): see `shapes`

    Example:
        >>> from yolov1_fo.architectures import YOLOV1
        >>> parameters, flops = count(YOLOV1, 448, outputs=1470)
        >>> round(parameters / 1e6, 1), round(flops / 1e9, 2)
        (271.7, 40.57)
    """
    table = (*layers, Connected(outputs, leaky=False))
    rows = list(shapes(table, image_size, batch_norm=batch_norm))
    return sum(row.parameters for row in rows), sum(row.flops for row in rows)


class BackboneCost(NamedTuple):
    """Cost of a backbone up to one of its output strides.

    Attributes:
        parameters: of all its layers
        channels: of its features
        flops: per image and input pixel; a multiply-add counts as two
        activations: values that its layers output, per image and input pixel
    """

    parameters: int
    channels: int
    flops: float
    activations: float


BACKBONE_COSTS = {
    "efficientnet-lite0": {
        32: BackboneCost(2_998_304, 320, 14502, 397.7),
        16: BackboneCost(716_928, 112, 9697, 358.2),
    },
    "efficientnet-lite1": {
        32: BackboneCost(3_774_624, 320, 19177, 517.2),
        16: BackboneCost(1_012_096, 112, 13451, 470.3),
    },
    "efficientnet-lite2": {
        32: BackboneCost(4_413_488, 352, 22048, 542.3),
        16: BackboneCost(1_186_496, 120, 15359, 491.7),
    },
    "mobilenetv2": {
        32: BackboneCost(2_257_984, 1280, 11938, 437.7),
        16: BackboneCost(558_656, 96, 8365, 404.2),
    },
    "mobilenetv3-large": {
        32: BackboneCost(2_996_352, 960, 8533, 310.4),
        16: BackboneCost(803_640, 112, 6063, 278.7),
    },
    "efficientnetv2-b0": {
        32: BackboneCost(5_919_312, 1280, 28572, 325.2),
        16: BackboneCost(1_392_036, 112, 21018, 249.6),
    },
    "resnet50v2": {
        32: BackboneCost(23_564_800, 2048, 138720, 628.4),
        16: BackboneCost(7_452_160, 1024, 105824, 572.8),
    },
}
"""Costs by backbone and output stride; a test compares them with Keras' layers."""
