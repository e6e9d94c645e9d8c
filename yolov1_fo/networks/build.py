"""Builds the Keras graph of an architecture, from stock layers only."""

import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import keras

from yolov1_fo import architectures, grid
from yolov1_fo.architectures import (
    NETWORKS,
    Architecture,
    Connected,
    Conv,
    Dropout,
    Layer,
    Local,
    Pool,
)
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import backbones, layers
from yolov1_fo.networks.keras_settings import pinned


def detector(
    config: NetworkConfig,
    *,
    seed: int = 0,
    blank: bool = False,
    precision: str = "float32",
) -> keras.Model:
    """Returns a network.

    Args:
        config: which one, and for what grid
        seed (0): of the random weights, and of dropout; Python's, NumPy's and Keras'
            own generators are seeded with it
        blank (False): leaves the weights of a layer table at zero, for who fills them
        precision (float32): Keras' dtype policy of all but the last layer

    Returns:
        a model from (N, H, W, 3) float32 RGB in [0, 1] to the raw output
        (N, S * S * (C + 5 B)) float32, for `grid.split`

    Source: paper section 2.1, figure 3
    """
    keras.utils.set_random_seed(seed)
    architecture = NETWORKS[config.network]
    with pinned(precision):
        if architecture.backbone:
            return _transfer(architecture.backbone, config, seed)
        return _from_table(architecture, config, seed, blank)


def classifier(
    config: NetworkConfig, *, seed: int = 0, precision: str = "float32"
) -> keras.Model:
    """Returns the classifier that gives a network its first convolutions.

    Args:
        config: of the network; one of a layer table
        seed (0): see `build`
        precision (float32): see `build`

    Returns:
        a model from (N, H, W, 3) float32 RGB in [0, 1] to (N, C) float32, whose
        softmax is the probability of each class

    Source: paper section 2.2
    """
    keras.utils.set_random_seed(seed)
    architecture = NETWORKS[config.network]
    backbone = architecture._replace(layers=architectures.backbone(architecture))
    name = f"{config.network}_classifier".replace("-", "_")
    with pinned(precision):
        image, x = _table(backbone, config, seed, blank=False)
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
        x = keras.layers.Dense(config.C, name="classes", dtype="float32")(x)
        return keras.Model(image, x, name=name)


def take_backbone(classifier: keras.Model, network: keras.Model) -> None:
    """Gives a network the convolutions that a classifier has learned.

    Args:
        classifier: from `build_classifier`; left as it is
        network: from `build`; unchanged if it does not fit

    Raises:
        ValueError: if it is another network's, or no classifier
    """
    if "classes" not in {layer.name for layer in classifier.layers}:
        raise ValueError("it is no classifier that pretrain made")
    pairs = [
        (layer, network.get_layer(layer.name))
        for layer in classifier.layers
        if layer.name.startswith("conv_") and layer.weights
    ]
    for source, target in pairs:
        for theirs, ours in zip(source.weights, target.weights, strict=True):
            if theirs.shape != ours.shape:
                raise ValueError(
                    f"{ours.path} must be {ours.shape}, got {theirs.shape}"
                )
    for source, target in pairs:
        target.set_weights(source.get_weights())


def load(path: Path) -> keras.Model:
    """Returns a network that was saved; runs no code that stands in the file.

    Raises:
        ValueError: if it can't be read
    """
    if path.is_file() and not zipfile.is_zipfile(path):  # Keras says it is not found
        raise ValueError(
            f"'{path}' can't be read as a network: it is cut, or no file of Keras"
        )
    try:
        with pinned(), warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of weights that are missing
            return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        line = f"'{path}' can't be read as a network: {_reason(error)}"
        raise ValueError(line) from error


def _reason(error: Exception) -> str:
    """Returns what Keras says of a file, where it says it for people and in short."""
    sentence = re.split(r"\.\s|\n", str(error).strip())[0]
    is_for_people = isinstance(error, ValueError) and not re.search("[<{]", sentence)
    if is_for_people and 0 < len(sentence) <= 300:
        return sentence
    return "it is damaged, or of another version of Keras"


def backbone_of(network: keras.Model) -> keras.Model | None:
    """Returns the pretrained part of a transfer network, None for any other."""
    names = ("backbone", "trunk")  # "trunk" in checkpoints of format 1
    return next((layer for layer in network.layers if layer.name in names), None)


def features_of(network: keras.Model) -> Any:
    """Returns the features before the detection layers: (N, height, width, channels).

    They are a tensor of the network, behind its last convolution that does not yet say
    the grid.
    """
    leaky = [layer.output for layer in network.layers if layer.name.endswith("_leaky")]
    return [x for x in leaky if len(x.shape) == 4][-1]


def let_learn(backbone: keras.Model, freeze_to_stride: int = 0) -> None:
    """Lets a backbone's layers learn whose stride is larger than `freeze_to_stride`.

    A layer that looks at the whole image at once has the stride of the one before it.
    """
    image_size, least = backbone.input_shape[1], backbone.output_shape[1]
    stride = 1
    for layer in backbone.layers:
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] >= least:
            stride = image_size // shape[1]
        layer.trainable = stride > freeze_to_stride


def _from_table(
    architecture: Architecture, config: NetworkConfig, seed: int, blank: bool
) -> keras.Model:
    """Returns the network of a layer table, with the paper's output behind it."""
    image, x = _table(architecture, config, seed, blank)
    x = _connected(x, grid.outputs(config), "output", blank, dtype="float32")
    return keras.Model(image, x, name=config.network.replace("-", "_"))


def _table(
    architecture: Architecture, config: NetworkConfig, seed: int, blank: bool
) -> tuple[Any, Any]:
    """Returns the image, and what the layers of a table make of it.

    Pixels are scaled to [-1, 1] where the table asks for it, as Darknet did in 2015.
    Before a layer that strides, padding is the same on all sides; connected layers see
    channels first.
    """
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    x, (black, white) = image, architecture.pixels
    if (black, white) != (0.0, 1.0):
        x = keras.layers.Rescaling(white - black, black, name="preprocess")(x)
    for index, layer in enumerate(architecture.layers, start=1):
        x = _layer(x, layer, f"{index:02d}", config, seed, blank)
    return image, x


def _layer(
    x: Any, layer: Layer, name: str, config: NetworkConfig, seed: int, blank: bool
) -> Any:
    if isinstance(layer, Conv):
        normalised = layer.batch_norm
        if normalised is None:
            normalised = config.batch_norm
        norm = layers.BatchNormalization if normalised else None
        return _conv(x, layer, f"conv_{name}", norm, blank)
    if isinstance(layer, Pool):
        # Only an odd side is padded.
        return keras.layers.MaxPooling2D(
            layer.size, padding="same", name=f"pool_{name}"
        )(x)
    if isinstance(layer, Local):
        initial = "zeros" if blank else None
        x = layers.Local(
            layer.filters, layer.size, kernel_initializer=initial, name=f"local_{name}"
        )(x)
        return _leaky(x, f"local_{name}_leaky")
    if isinstance(layer, Connected):
        x = _connected(x, layer.units, f"connected_{name}", blank)
        return _leaky(x, f"leaky_{name}") if layer.leaky else x
    if isinstance(layer, Dropout):
        return keras.layers.Dropout(config.dropout, seed=seed, name=f"dropout_{name}")(
            x
        )
    raise TypeError(f"a layer must be one of {Layer}, got {layer!r}")


def _conv(
    x: Any, layer: Conv, name: str, norm: type | None, blank: bool = False
) -> Any:
    padding = "same"
    if layer.stride > 1:
        x = keras.layers.ZeroPadding2D(layer.size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    x = keras.layers.Conv2D(
        layer.filters,
        layer.size,
        layer.stride,
        padding,
        use_bias=norm is None,
        kernel_initializer="zeros" if blank else "he_normal",
        name=name,
    )(x)
    if norm:
        x = norm(name=f"{name}_norm")(x)
    return _leaky(x, f"{name}_leaky")


def _leaky(x: Any, name: str) -> Any:
    return keras.layers.LeakyReLU(0.1, name=name)(x)


def _connected(x: Any, units: int, name: str, blank: bool, dtype: Any = None) -> Any:
    if len(x.shape) == 4:
        x = keras.layers.Permute((3, 1, 2), name=f"{name}_channels_first")(x)
        x = keras.layers.Flatten(name=f"{name}_flat")(x)
    initial = "zeros" if blank else "glorot_uniform"
    return keras.layers.Dense(
        units, kernel_initializer=initial, name=name, dtype=dtype
    )(x)


def _transfer(backbone_name: str, config: NetworkConfig, seed: int) -> keras.Model:
    """Puts small detection layers on a classifier's backbone.

    The head is the paper's last convolutions, narrower. Instead of its connected
    layers, which would be forty times the backbone, a convolution predicts each cell.
    A fine grid uses features of a smaller stride. Batch normalization follows the batch
    in layers that learn, and keeps the classifier's statistics in frozen ones.
    """
    stride = 16 if config.image_size // 16 == config.S else 32
    backbone = backbones.build(
        backbone_name, config.image_size, pretrained=config.pretrained, stride=stride
    )
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    x = backbone(image)
    width = config.head_filters
    x = keras.layers.SpatialDropout2D(config.dropout, seed=seed, name="dropout")(x)
    norm = keras.layers.BatchNormalization if config.batch_norm else None
    x = _conv(x, Conv(width, 3), "head_1", norm)
    halve = 1 if x.shape[1] == config.S else 2
    x = _conv(x, Conv(width, 3, halve), "head_2", norm)
    x = _conv(x, Conv(width, 3), "head_3", norm)
    said = [
        keras.layers.Flatten(name=f"{name}_flat", dtype="float32")(
            keras.layers.Conv2D(
                filters,
                1,
                kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
                bias_initializer=keras.initializers.Constant(at_first),
                name=name,
                dtype="float32",
            )(x)
        )
        for name, filters, at_first in (
            ("class_probs", config.C, 1 / config.C),
            ("confidence", config.B, 0.0),
            ("boxes", 4 * config.B, 0.5),  # mid-cell, a quarter of the image
        )
    ]
    output = keras.layers.Concatenate(name="output", dtype="float32")(said)
    return keras.Model(image, output, name=config.network.replace("-", "_"))
