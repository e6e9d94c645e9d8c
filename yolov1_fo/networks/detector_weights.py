"""Copies the weights of a detector into another, which may have other classes."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from yolov1_fo import grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig

OUTPUT, CLASS_PROBS = "output", "class_probs"
"""Layers whose number of channels depends on the number of classes."""


def class_ids(theirs: Sequence[str], ours: Sequence[str]) -> list[int]:
    """Returns the id that each of our classes has in a list of others; -1 for none.

    Example:
        >>> class_ids(["cat", "dog"], ["dog", "fox"])
        [1, -1]
    """
    places = {name: number for number, name in enumerate(theirs)}
    return [places.get(name, -1) for name in ours]


def channels(
    layer: str, theirs: GridConfig, ours: GridConfig, ids: Sequence[int]
) -> tuple[Array, Array] | None:
    """Returns which channels of an output layer correspond, by class.

    Args:
        layer: name of the layer
        theirs: grid of the detector with the weights
        ours: grid of the other detector; only C may differ
        ids: of our classes in theirs, -1 for none

    Returns:
        positions (channels,) in the last axis of their weights, and of ours; None if
        the layer does not depend on the classes
    """
    new = np.flatnonzero(np.asarray(ids) >= 0)
    old = np.asarray(ids)[new]
    if layer == CLASS_PROBS:
        return old, new
    if layer != OUTPUT:
        return None
    return _positions(theirs, old), _positions(ours, new)


def _positions(config: GridConfig, class_ids: Array) -> Array:
    """Returns where boxes, confidences and some classes are in the output vector."""
    cells = grid.split(np.arange(grid.output_size(config)), config)
    parts = (cells.class_probs[..., class_ids], cells.confidence, cells.boxes)
    return np.concatenate([part.ravel() for part in parts])


def copy(
    parent: keras.Model,
    network: keras.Model,
    theirs: GridConfig,
    ours: GridConfig,
    ids: Sequence[int],
) -> None:
    """Copies all weights and statistics; new classes keep what they have.

    Args:
        parent: the detector with the weights
        network: the other detector; unchanged if an error is raised
        theirs: grid of the parent
        ours: grid of the network; only C may differ
        ids: from `class_ids`

    Raises:
        ValueError: if the layers differ, or a weight is not finite
    """
    pairs = list(_pairs(parent, network))
    sizes = {OUTPUT: grid.output_size(theirs), CLASS_PROBS: theirs.C}
    for their_layer, our_layer in pairs:
        for given, needed in zip(their_layer.weights, our_layer.weights, strict=True):
            _check_shape(given, needed, sizes.get(our_layer.name))
            _check_finite(given, their_layer.name)
    for their_layer, our_layer in pairs:
        mapped = channels(our_layer.name, theirs, ours, ids)
        for given, needed in zip(their_layer.weights, our_layer.weights, strict=True):
            values = keras.ops.convert_to_numpy(given)
            if mapped:
                kept = np.array(keras.ops.convert_to_numpy(needed))
                kept[..., mapped[1]] = values[..., mapped[0]]
                values = kept
            needed.assign(values)


def _pairs(parent: keras.Model, network: keras.Model) -> Iterator[tuple[Any, Any]]:
    """Yields the layers with weights of both, which must be of the same kinds."""
    both = itertools.zip_longest(_layers(parent), _layers(network))
    for given, needed in both:
        has, needs = (_describe(layer) for layer in (given, needed))
        if has != needs:
            raise ValueError(f"they have {has} where the network has {needs}")
        yield given, needed


def _layers(model: keras.Model) -> Iterator[Any]:
    """Yields the layers with weights, those of the backbone too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif layer.weights:
            yield layer


def _describe(layer: Any) -> str:
    if layer is None:
        return "no layer"
    kind = keras.saving.get_registered_name(type(layer))
    return f"{kind} '{layer.name}' with {len(layer.weights)} weights"


def _check_shape(given: Any, needed: Any, channels: int | None) -> None:
    """Raises a ValueError unless shapes are equal, but for this number of channels."""
    has, needs = tuple(given.shape), tuple(needed.shape)
    if channels is not None:
        needs = (*needs[:-1], channels)
    if has != needs:
        raise ValueError(f"{needed.path} must be {needs}, got {has}")


def _check_finite(variable: Any, layer: str) -> None:
    if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
        raise ValueError(f"a number is not finite, in {layer}")
