"""Parts of a built network: its backbone, its features, its pretrained convolutions."""

from typing import Any

import keras


def backbone_of(network: keras.Model) -> keras.Model | None:
    """Returns the backbone of a transfer network, None for any other network."""
    names = ("backbone", "trunk")  # "trunk" in checkpoints of format 1
    return next((layer for layer in network.layers if layer.name in names), None)


def freeze_backbone(backbone: keras.Model, freeze_to_stride: int = 0) -> None:
    """Freezes the layers of a backbone up to an output stride; unfreezes all others.

    Args:
        backbone: from `backbone_of`
        freeze_to_stride (0): layers with at most this output stride are frozen. A layer
            after global pooling counts as having the stride of the layer before
    """
    image_size, smallest = backbone.input_shape[1], backbone.output_shape[1]
    stride = 1
    for layer in backbone.layers:
        shape = layer.output.shape
        if len(shape) == 4 and shape[1] >= smallest:
            stride = image_size // shape[1]
        layer.trainable = stride > freeze_to_stride


def features_of(network: keras.Model) -> Any:
    """Returns the features before the detection layers: (N, height, width, channels).

    They are the symbolic output of the last convolution before the output layers.
    """
    leaky = [layer.output for layer in network.layers if layer.name.endswith("_leaky")]
    return [x for x in leaky if len(x.shape) == 4][-1]


def copy_backbone(classifier: keras.Model, network: keras.Model) -> None:
    """Copies the convolutions of a trained classifier into a detection network.

    Args:
        classifier: from `build.classifier`
        network: from `build.detector`; unchanged if the shapes do not match

    Raises:
        ValueError: if the classifier is of another network, or not a classifier
    """
    if "classes" not in {layer.name for layer in classifier.layers}:
        raise ValueError("it is not a classifier from pretrain")
    pairs = [
        (layer, network.get_layer(layer.name))
        for layer in classifier.layers
        if layer.name.startswith("conv_") and layer.weights
    ]
    for source, target in pairs:
        for given, needed in zip(source.weights, target.weights, strict=True):
            if given.shape != needed.shape:
                raise ValueError(
                    f"{needed.path} must be {needed.shape}, got {given.shape}"
                )
    for source, target in pairs:
        target.set_weights(source.get_weights())
