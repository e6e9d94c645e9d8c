"""Embeddings of networks of others."""

from typing import Any

import keras


def find(network: Any, features: str | None = None) -> keras.Model | None:
    """Returns the network of the embeddings, from the same input; None without any.

    Args:
        network: a Keras model with one input
        features (None): name of a layer; None takes what a classifier's last layer
            sees, or else the output of KerasHub's backbone, of several the coarsest

    Raises:
        ValueError: if there is no such layer, or its output has another rank
    """
    if features is not None:
        layers = {layer.name: layer for layer in network.layers}
        if features not in layers:
            raise ValueError(
                f"'{network.name}' has no layer '{features}'; there are: "
                f"{', '.join(layers)}"
            )
        return _pooled(network.inputs, layers[features].output, features)
    last = network.layers[-1]
    if len(network.outputs[0].shape) == 2 and isinstance(last, keras.layers.Dense):
        return _pooled(network.inputs, last.input, last.name)
    backbone = getattr(network, "backbone", None)
    if backbone is None or not getattr(backbone, "outputs", None):
        return None
    maps = [one for one in backbone.outputs if len(one.shape) == 4]
    if len(backbone.inputs) != 1 or not maps:
        return None
    coarsest = min(maps, key=lambda one: (one.shape[1] or 0, one.shape[2] or 0))
    return _pooled(backbone.inputs, coarsest, backbone.name)


def _pooled(inputs: Any, x: Any, name: str) -> keras.Model:
    if len(x.shape) == 4:
        x = keras.layers.GlobalAveragePooling2D("channels_last", dtype="float32")(x)
    if len(x.shape) != 2:
        raise ValueError(
            f"layer '{name}' must have an output (N, C) or (N, H, W, C) for "
            f"embeddings, got {tuple(x.shape)}"
        )
    return keras.Model(inputs, x, name="embeddings")
