"""Builds the Keras graphs of detectors and classifiers."""

from typing import Any

import keras

from yolov1_fo import grid
from yolov1_fo.architectures import (
    NETWORKS,
    Architecture,
    Connected,
    Conv,
    Dropout,
    Layer,
    LocalConv,
    Pool,
    classifier_layers,
    with_batch_norm,
)
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import backbones, layers
from yolov1_fo.networks.keras_settings import fixed_settings


def detector(
    config: NetworkConfig,
    *,
    seed: int = 0,
    zero_init: bool = False,
    precision: str = "float32",
) -> keras.Model:
    """Returns a detection network.

    Args:
        config: network and grid
        seed (0): seed of the weights and of dropout, and of the global generators of
            Python, NumPy and Keras
        zero_init (False): initializes the weights of a layer table with zeros, which is
            faster if they are loaded afterwards
        precision (float32): Keras' dtype policy of all layers but the last

    Returns:
        a model from (N, H, W, 3) float32 RGB in [0, 1] to the raw output
        (N, S * S * (C + 5 B)) float32, for `grid.split`

    Source: paper section 2.1, figure 3
    """
    keras.utils.set_random_seed(seed)
    architecture = NETWORKS[config.network]
    with fixed_settings(precision):
        if architecture.backbone:
            return _transfer_network(architecture.backbone, config, seed)
        image, x = _apply_table(architecture, config, seed, zero_init)
        outputs = grid.output_size(config)
        x = _connected(x, outputs, "output", zero_init, dtype="float32")
        return keras.Model(image, x, name=_model_name(config))


def classifier(
    config: NetworkConfig, *, seed: int = 0, precision: str = "float32"
) -> keras.Model:
    """Returns the classifier that pretrains the first convolutions of a detector.

    Args:
        config: of a detector with a layer table
        seed (0): see `detector`
        precision (float32): see `detector`

    Returns:
        a model from (N, H, W, 3) float32 RGB in [0, 1] to logits (N, C) float32

    Source: paper section 2.2
    """
    keras.utils.set_random_seed(seed)
    architecture = NETWORKS[config.network]
    shared = architecture._replace(layers=classifier_layers(architecture))
    with fixed_settings(precision):
        image, x = _apply_table(shared, config, seed, zero_init=False)
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
        x = keras.layers.Dense(config.C, name="classes", dtype="float32")(x)
        return keras.Model(image, x, name=f"{_model_name(config)}_classifier")


def _model_name(config: NetworkConfig) -> str:
    return config.network.replace("-", "_")


def _apply_table(
    architecture: Architecture, config: NetworkConfig, seed: int, zero_init: bool
) -> tuple[Any, Any]:
    """Returns the input, and the output of the layers of a table.

    Pixels are rescaled to the architecture's `input_range`.
    """
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    x, (black, white) = image, architecture.input_range
    if (black, white) != (0.0, 1.0):
        x = keras.layers.Rescaling(white - black, black, name="preprocess")(x)
    table = with_batch_norm(architecture.layers, batch_norm=config.batch_norm)
    for index, layer in enumerate(table, start=1):
        x = _apply_layer(x, layer, f"{index:02d}", config, seed, zero_init)
    return image, x


def _apply_layer(
    x: Any, layer: Layer, index: str, config: NetworkConfig, seed: int, zero_init: bool
) -> Any:
    if isinstance(layer, Conv):
        norm = layers.BatchNormalization if layer.batch_norm else None
        return _conv(x, layer, f"conv_{index}", norm, zero_init)
    if isinstance(layer, Pool):
        pool = keras.layers.MaxPooling2D(
            layer.size, padding="same", name=f"pool_{index}"
        )
        return pool(x)
    if isinstance(layer, LocalConv):
        local = layers.Local(
            layer.filters,
            layer.size,
            kernel_initializer="zeros" if zero_init else None,
            name=f"local_{index}",
        )
        return _leaky_relu(local(x), f"local_{index}_leaky")
    if isinstance(layer, Connected):
        x = _connected(x, layer.units, f"connected_{index}", zero_init)
        return _leaky_relu(x, f"leaky_{index}") if layer.leaky else x
    if isinstance(layer, Dropout):
        dropout = keras.layers.Dropout(
            config.dropout, seed=seed, name=f"dropout_{index}"
        )
        return dropout(x)
    raise TypeError(f"a layer must be one of {Layer}, got {layer!r}")


def _conv(
    x: Any, layer: Conv, name: str, norm: type | None, zero_init: bool = False
) -> Any:
    """Applies a convolution, batch normalization if `norm` is given, and leaky ReLU.

    With a stride, the padding is the same on all sides, unlike Keras' "same".
    """
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
        kernel_initializer="zeros" if zero_init else "he_normal",
        name=name,
    )(x)
    if norm:
        x = norm(name=f"{name}_norm")(x)
    return _leaky_relu(x, f"{name}_leaky")


def _separable_conv(x: Any, layer: Conv, name: str, norm: type | None) -> Any:
    """Applies a depthwise convolution, then one of size 1, as `_conv` does one."""
    x = keras.layers.DepthwiseConv2D(
        layer.size,
        layer.stride,
        "same",
        use_bias=False,
        depthwise_initializer="he_normal",
        name=f"{name}_depthwise",
    )(x)
    return _conv(x, Conv(layer.filters, 1), name, norm)


def _leaky_relu(x: Any, name: str) -> Any:
    return keras.layers.LeakyReLU(0.1, name=name)(x)


def _connected(
    x: Any, units: int, name: str, zero_init: bool, dtype: Any = None
) -> Any:
    """Applies a fully connected layer, to features channels first as in Darknet."""
    if len(x.shape) == 4:
        x = keras.layers.Permute((3, 1, 2), name=f"{name}_channels_first")(x)
        x = keras.layers.Flatten(name=f"{name}_flat")(x)
    dense = keras.layers.Dense(
        units,
        kernel_initializer="zeros" if zero_init else "glorot_uniform",
        name=name,
        dtype=dtype,
    )
    return dense(x)


def _transfer_network(
    backbone_name: str, config: NetworkConfig, seed: int
) -> keras.Model:
    """Returns a detection head on the backbone of a pretrained classifier.

    The head is a narrower version of the paper's last convolutions. A convolution
    predicts each cell in place of the fully connected layers, which would have forty
    times the backbone's parameters. A fine grid uses features of stride 16. Batch
    normalization uses batch statistics in trainable layers, and the classifier's in
    frozen ones.
    """
    backbone = backbones.build(
        backbone_name,
        config.image_size,
        pretrained=config.pretrained,
        stride=config.backbone_stride,
    )
    image = keras.Input((config.image_size, config.image_size, 3), name="image")
    x = backbone(image)
    width = config.head_filters
    x = keras.layers.SpatialDropout2D(config.dropout, seed=seed, name="dropout")(x)
    norm = keras.layers.BatchNormalization if config.batch_norm else None
    conv = _separable_conv if config.separable_head else _conv
    x = conv(x, Conv(width, 3), "head_1", norm)
    head_stride = 1 if x.shape[1] == config.S else 2
    x = conv(x, Conv(width, 3, head_stride), "head_2", norm)
    x = conv(x, Conv(width, 3), "head_3", norm)
    parts = _cell_outputs(x, config)
    output = keras.layers.Concatenate(name="output", dtype="float32")(parts)
    return keras.Model(image, output, name=_model_name(config))


def _cell_outputs(x: Any, config: NetworkConfig) -> list[Any]:
    """Returns the parts of the output vector, each predicted by a convolution."""
    activation = config.output_activation
    is_sigmoid = activation == "sigmoid"
    # Boxes start in mid-cell, with a quarter of the image's side; sigmoids start where
    # they are not flat, confidences low, since few cells have an object.
    biases = (-2.0, -4.0, 0.0) if is_sigmoid else (1 / config.C, 0.0, 0.5)
    class_bias, confidence_bias, box_bias = biases
    class_probs = _cell_output(x, "class_probs", config.C, class_bias, activation)
    confidence = _cell_output(x, "confidence", config.B, confidence_bias, activation)
    boxes = _cell_output(x, "boxes", 4 * config.B, box_bias, activation)
    if is_sigmoid:  # x and y from -0.5 to 1.5: sigmoids are flat at 0 and 1
        boxes = keras.layers.Rescaling(
            [2.0, 2.0, 1.0, 1.0] * config.B,
            [-0.5, -0.5, 0.0, 0.0] * config.B,
            name="boxes_range",
            dtype="float32",
        )(boxes)
    parts = grid.Cells(class_probs, confidence, boxes)._asdict()
    return [
        keras.layers.Flatten(name=f"{name}_flat", dtype="float32")(part)
        for name, part in parts.items()
    ]


def _cell_output(x: Any, name: str, filters: int, bias: float, activation: str) -> Any:
    """Returns one part of the output, predicted by a convolution of size 1."""
    conv = keras.layers.Conv2D(
        filters,
        1,
        activation=activation,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        bias_initializer=keras.initializers.Constant(bias),
        name=name,
        dtype="float32",
    )
    return conv(x)
