"""Layer tables of the networks, with their parameter and operation counts."""

import math
from collections.abc import Iterator
from typing import NamedTuple


class Conv(NamedTuple):
    """A leaky convolution, padded by half its size on every side.

    Whether it is normalised is a setting, unless the table says it.
    """

    filters: int
    size: int
    stride: int = 1
    batch_norm: bool | None = None


class Pool(NamedTuple):
    """The maximum of each 2 x 2 square; the last of an odd side stands alone."""

    size: int = 2


class Local(NamedTuple):
    """A leaky convolution whose weights differ from place to place."""

    filters: int
    size: int


class Connected(NamedTuple):
    """A fully connected layer."""

    units: int
    leaky: bool = True


class Dropout(NamedTuple):
    """Where dropout stands; its rate is a setting."""


Layer = Conv | Pool | Local | Connected | Dropout


class Architecture(NamedTuple):
    """A network: a table of layers before the output layer, or the name of a backbone.

    Attributes:
        layers: before the output layer
        backbone: name of a pretrained classifier, in the place of layers
        description: in a line
        B: boxes a cell, unless a setting says it
        pixels: what black and white are for the first layer
        classified: how many of its convolutions come from a classifier
    """

    layers: tuple[Layer, ...] = ()
    backbone: str = ""
    description: str = ""
    B: int = 2
    pixels: tuple[float, float] = (-1.0, 1.0)
    classified: int = 0


YOLOV1 = (
    *(Conv(64, 7, 2), Pool()),
    *(Conv(192, 3), Pool()),
    *(Conv(128, 1), Conv(256, 3), Conv(256, 1), Conv(512, 3), Pool()),
    *((Conv(256, 1), Conv(512, 3)) * 4),
    *(Conv(512, 1), Conv(1024, 3), Pool()),
    *((Conv(512, 1), Conv(1024, 3)) * 2),
    *(Conv(1024, 3), Conv(1024, 3, 2)),
    *(Conv(1024, 3), Conv(1024, 3)),
    *(Connected(4096), Dropout()),
)

FAST_YOLOV1 = (
    *(Conv(16, 3), Pool()),
    *(Conv(32, 3), Pool()),
    *(Conv(64, 3), Pool()),
    *(Conv(128, 3), Pool()),
    *(Conv(256, 3), Pool()),
    *(Conv(512, 3), Pool()),
    *(Conv(1024, 3), Conv(1024, 3), Conv(1024, 3)),
    *(Connected(256, leaky=False), Connected(4096), Dropout()),
)


def normalised(layers: tuple[Layer, ...], *, batch_norm: bool) -> tuple[Layer, ...]:
    """Returns a table in which each convolution says whether it is normalised.

    Args:
        layers: a table as in `NETWORKS`
        batch_norm: of those that do not say it
    """
    return tuple(
        layer._replace(batch_norm=batch_norm)
        if isinstance(layer, Conv) and layer.batch_norm is None
        else layer
        for layer in layers
    )


DARKNET_YOLOV1 = normalised((*YOLOV1[:-2], Local(256, 3), Dropout()), batch_norm=True)

DARKNET_YOLOV1_TINY = normalised(
    (*FAST_YOLOV1[:12], Conv(1024, 3), Conv(256, 3)), batch_norm=True
)

NETWORKS = {
    "yolov1": Architecture(
        YOLOV1,
        description="the paper's network: 24 convolutions, 2 connected layers",
        classified=20,
    ),
    "fast-yolov1": Architecture(
        FAST_YOLOV1,
        description="the paper's Fast YOLO: 9 convolutions",
        classified=7,
    ),
    "darknet-yolov1": Architecture(
        DARKNET_YOLOV1,
        description="Darknet's yolov1.cfg: normalised, a local layer, 3 boxes a cell",
        B=3,
        pixels=(0.0, 1.0),
        classified=20,
    ),
    "darknet-yolov1-tiny": Architecture(
        DARKNET_YOLOV1_TINY,
        description="Darknet's yolov1-tiny.cfg: 8 normalised convolutions",
        pixels=(0.0, 1.0),
        classified=7,
    ),
    "yolov1-efficientnet-lite0": Architecture(
        backbone="efficientnet-lite0",
        description="ImageNet backbone from PyPI; trains on a CPU",
    ),
    "yolov1-mobilenetv2": Architecture(
        backbone="mobilenetv2", description="backbone of keras.applications"
    ),
    "yolov1-mobilenetv3-large": Architecture(
        backbone="mobilenetv3-large", description="backbone of keras.applications"
    ),
    "yolov1-efficientnetv2-b0": Architecture(
        backbone="efficientnetv2-b0", description="backbone of keras.applications"
    ),
    "yolov1-resnet50v2": Architecture(
        backbone="resnet50v2", description="backbone of keras.applications"
    ),
}
"""Every network by its name; `network.build` makes it."""


class Trunk(NamedTuple):
    """What a pretrained backbone costs, up to one of its strides.

    Attributes:
        parameters: of all its layers
        channels: of its features
        flops: an image and pixel of its input (two a multiply-add)
        numbers: that its layers give out, an image and pixel of its input
    """

    parameters: int
    channels: int
    flops: float
    numbers: float


TRUNKS = {
    "efficientnet-lite0": {
        32: Trunk(2_998_304, 320, 14502, 397.7),
        16: Trunk(716_928, 112, 9697, 358.2),
    },
    "mobilenetv2": {
        32: Trunk(2_257_984, 1280, 11938, 437.7),
        16: Trunk(558_656, 96, 8365, 404.2),
    },
    "mobilenetv3-large": {
        32: Trunk(2_996_352, 960, 8533, 310.4),
        16: Trunk(803_640, 112, 6063, 278.7),
    },
    "efficientnetv2-b0": {
        32: Trunk(5_919_312, 1280, 28572, 325.2),
        16: Trunk(1_392_036, 112, 21018, 249.6),
    },
    "resnet50v2": {
        32: Trunk(23_564_800, 2048, 138720, 628.4),
        16: Trunk(7_452_160, 1024, 105824, 572.8),
    },
}
"""Costs of the backbones by their strides; a test holds them against Keras."""


def tables() -> list[str]:
    """Returns the names of the networks that are layer tables."""
    return [
        name for name, architecture in NETWORKS.items() if not architecture.backbone
    ]


class Shape(NamedTuple):
    """What one layer turns its input into, and at what cost."""

    layer: Layer
    height: int
    width: int
    channels: int
    parameters: int
    flops: int


def backbone(architecture: Architecture) -> tuple[Layer, ...]:
    """Returns the layers that a classifier shares: up to its last convolution."""
    layers, left = [], architecture.classified
    for layer in architecture.layers:
        if not left:
            break
        layers.append(layer)
        left -= isinstance(layer, Conv)
    return tuple(layers)


def stride(layers: tuple[Layer, ...]) -> int:
    """Returns how many times smaller than the image a table's features are.

    Example:
        >>> stride(YOLOV1)
        64
    """
    factors = [
        layer.stride if isinstance(layer, Conv) else layer.size
        for layer in layers
        if isinstance(layer, Conv | Pool)
    ]
    return math.prod(factors)


def shapes(
    layers: tuple[Layer, ...], image_size: int, *, batch_norm: bool = False
) -> Iterator[Shape]:
    """Yields the output of each layer for an RGB input.

    Args:
        layers: a table as in `NETWORKS`
        image_size: the input's side, in pixels
        batch_norm: counts scale and shift in the place of each convolution's bias,
            where the table does not say

    Yields:
        height, width, channels; trained parameters; FLOP (two a multiply-add) an image
    """
    height = width = image_size
    channels = 3
    for layer in layers:
        parameters = flops = 0
        if isinstance(layer, Conv):
            weights = layer.size**2 * channels * layer.filters
            height, width = -(-height // layer.stride), -(-width // layer.stride)
            channels = layer.filters
            normalised = batch_norm if layer.batch_norm is None else layer.batch_norm
            parameters = weights + channels * (2 if normalised else 1)
            flops = 2 * weights * height * width
        elif isinstance(layer, Local):
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
    """Returns trained parameters and FLOP an image, the output layer included.

    Example:
        >>> parameters, flops = count(YOLOV1, 448, outputs=1470)
        >>> round(parameters / 1e6, 1), round(flops / 1e9, 2)
        (271.7, 40.57)
    """
    table = (*layers, Connected(outputs, leaky=False))
    made = list(shapes(table, image_size, batch_norm=batch_norm))
    return sum(shape.parameters for shape in made), sum(shape.flops for shape in made)
