"""Layer tables of the networks, with their parameter and operation counts."""

from collections.abc import Iterator
from typing import NamedTuple


class Conv(NamedTuple):
    """A convolution, padded by half its size on every side."""

    filters: int
    size: int
    stride: int = 1


class Pool(NamedTuple):
    """The maximum of each 2 x 2 square."""

    size: int = 2


class Connected(NamedTuple):
    """A fully connected layer."""

    units: int
    leaky: bool = True


class Dropout(NamedTuple):
    """Where dropout stands; its rate is a setting."""


Layer = Conv | Pool | Connected | Dropout


class Architecture(NamedTuple):
    """A network: a table of layers before the output layer, or the name of a trunk."""

    layers: tuple[Layer, ...] = ()
    trunk: str = ""
    description: str = ""


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

NETWORKS = {
    "yolov1": Architecture(
        YOLOV1, description="the paper's network: 24 convolutions, 2 connected layers"
    ),
    "fast-yolov1": Architecture(
        FAST_YOLOV1, description="the paper's Fast YOLO: 9 convolutions"
    ),
    "yolov1-efficientnet-lite0": Architecture(
        trunk="efficientnet-lite0",
        description="ImageNet trunk from PyPI, small detection layers; trains on a CPU",
    ),
    "yolov1-mobilenetv2": Architecture(
        trunk="mobilenetv2", description="trunk of keras.applications"
    ),
    "yolov1-mobilenetv3-large": Architecture(
        trunk="mobilenetv3-large", description="trunk of keras.applications"
    ),
    "yolov1-efficientnetv2-b0": Architecture(
        trunk="efficientnetv2-b0", description="trunk of keras.applications"
    ),
    "yolov1-resnet50v2": Architecture(
        trunk="resnet50v2", description="trunk of keras.applications"
    ),
}
"""Every network by its name; `network.build` makes it."""


class Shape(NamedTuple):
    """What one layer turns its input into, and at what cost."""

    layer: Layer
    height: int
    width: int
    channels: int
    parameters: int
    flops: int


def shapes(
    layers: tuple[Layer, ...], side: int, *, batch_norm: bool = False
) -> Iterator[Shape]:
    """Yields the output of each layer for an RGB input.

    Args:
        layers: a table as in `NETWORKS`
        side: the input's side, in pixels
        batch_norm: counts scale and shift in the place of each convolution's bias

    Yields:
        height, width, channels; trained parameters; FLOP (two a multiply-add) an image
    """
    height = width = side
    channels = 3
    for layer in layers:
        parameters = flops = 0
        if isinstance(layer, Conv):
            weights = layer.size**2 * channels * layer.filters
            height, width = -(-height // layer.stride), -(-width // layer.stride)
            channels = layer.filters
            parameters = weights + channels * (2 if batch_norm else 1)
            flops = 2 * weights * height * width
        elif isinstance(layer, Pool):
            height, width = height // layer.size, width // layer.size
        elif isinstance(layer, Connected):
            weights = height * width * channels * layer.units
            height, width, channels = 1, 1, layer.units
            parameters, flops = weights + channels, 2 * weights
        yield Shape(layer, height, width, channels, parameters, flops)


def count(
    layers: tuple[Layer, ...], side: int, outputs: int, *, batch_norm: bool = False
) -> tuple[int, int]:
    """Returns trained parameters and FLOP an image, the output layer included.

    Example:
        >>> parameters, flops = count(YOLOV1, 448, outputs=1470)
        >>> round(parameters / 1e6, 1), round(flops / 1e9, 2)
        (271.7, 40.57)
    """
    table = (*layers, Connected(outputs, leaky=False))
    made = list(shapes(table, side, batch_norm=batch_norm))
    return sum(shape.parameters for shape in made), sum(shape.flops for shape in made)
