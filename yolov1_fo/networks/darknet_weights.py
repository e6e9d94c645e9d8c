"""Reads and writes Darknet's `.weights` files.

A file contains no shapes: after the header come the numbers of each layer, in the order
of the network. A file is checked before it is loaded, so that a bad one leaves the
network unchanged. It is read and written in pieces, to save memory.
"""

import itertools
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.networks import layers as own_layers
from yolov1_fo.networks.darknet_header import DarknetHeader, read_header

PIECE_SIZE = 1 << 22
"""Approximate number of values that are in memory at once, besides the network."""


@dataclass(frozen=True, eq=False)
class _StoredArray:
    """An array in a file, and the network's variable for it.

    Attributes:
        layer: name of the layer
        variable: of the network
        axes: transposing the stored array by these gives the variable
    """

    layer: str
    variable: Any
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in the file."""
        order = range(len(self.axes))
        return tuple(self.variable.shape[self.axes.index(axis)] for axis in order)

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def pieces(self) -> Iterator[tuple[tuple[slice, ...], tuple[int, ...]]]:
        """Yields the pieces in stored order: slices of the variable, stored shape."""
        shape, dims = self.shape, range(len(self.axes))
        split = next(i for i in dims if math.prod(shape[i + 1 :]) <= PIECE_SIZE)
        step = max(1, PIECE_SIZE // math.prod(shape[split + 1 :]))
        for lead in np.ndindex(shape[:split]):
            for start in range(0, shape[split], step):
                end = min(start + step, shape[split])
                spans = [slice(i, i + 1) for i in lead] + [slice(start, end)]
                spans += [slice(0, length) for length in shape[split + 1 :]]
                size = tuple(span.stop - span.start for span in spans)
                yield tuple(spans[axis] for axis in self.axes), size


Pieces = Iterator[tuple[_StoredArray, tuple[slice, ...], Array]]
"""Pieces of arrays: the array, slices of its variable, and their values."""


def _stored_layers(network: keras.Model, transposed: bool) -> list[list[_StoredArray]]:
    """Returns the arrays that a file contains for each layer.

    Args:
        network: the network
        transposed: whether the kernels of dense layers are stored transposed

    Raises:
        ValueError: if a layer has variables that these files do not contain
    """
    found = list(_iter_layers(network, transposed))
    stored = {id(array.variable) for layer in found for array in layer}
    for layer in network.layers:
        if any(id(variable) not in stored for variable in layer.weights):
            raise ValueError(
                f"network '{network.name}' must consist of Darknet's layers, got "
                f"{type(layer).__name__} '{layer.name}'"
            )
    return found


def _iter_layers(
    network: keras.Model, transposed: bool
) -> Iterator[list[_StoredArray]]:
    convolution = []
    for layer in network.layers:

        def array(variable: Any, *axes: int, name: str = layer.name) -> _StoredArray:
            return _StoredArray(name, variable, axes)

        if isinstance(layer, keras.layers.Conv2D):
            convolution = [array(layer.kernel, 2, 3, 1, 0)]
            if layer.use_bias:
                yield [array(layer.bias, 0), *convolution]
        elif isinstance(layer, own_layers.BatchNormalization):
            yield [
                *(array(layer.beta, 0), array(layer.gamma, 0)),
                *(array(layer.moving_mean, 0), array(layer.moving_variance, 0)),
                *convolution,
            ]
        elif isinstance(layer, own_layers.Local):
            yield [array(layer.bias, 1, 2, 0), array(layer.kernel, 0, 1, 4, 5, 3, 2)]
        elif isinstance(layer, keras.layers.Dense):
            axes = (0, 1) if transposed else (1, 0)
            yield [array(layer.bias, 0), array(layer.kernel, *axes)]


def read(
    path: str | os.PathLike[str], network: keras.Model, *, partial: bool = False
) -> DarknetHeader:
    """Loads the weights in a file into a network.

    Args:
        path: a `.weights` file
        network: from `build.detector`, with a layer table; unchanged if the file is bad
        partial (False): accepts a file that ends after any layer, such as the
            convolutions of a pretrained classifier

    Raises:
        FileNotFoundError: if the file does not exist
        ValueError: if it is not a weights file, is for another network, or contains a
            number that is not finite

    Source: Darknet parser.c
    """
    header = read_header(path)
    arrays = _arrays_in_file(path, header, network, partial)
    for array, _, piece in _read_pieces(path, header, arrays):
        if not np.isfinite(piece).all():
            raise ValueError(
                f"weights file '{os.fspath(path)}' has a number that is not finite, "
                f"in {array.layer}"
            )
    assign = _assign_in_place if keras.backend.backend() == "tensorflow" else _assign
    assign(_read_pieces(path, header, arrays))
    return header


def _assign_in_place(pieces: Pieces) -> None:
    """Assigns slices of variables; in Keras this would copy the variable first."""
    import tensorflow as tf

    for array, index, piece in pieces:
        tf.raw_ops.ResourceStridedSliceAssign(
            ref=array.variable.value.handle,
            begin=[span.start for span in index],
            end=[span.stop for span in index],
            strides=[1] * len(index),
            value=piece,
        )


def _assign(pieces: Pieces) -> None:
    """Assigns entire variables."""
    for array, parts in itertools.groupby(pieces, lambda one: one[0]):
        values = np.empty(array.variable.shape, np.float32)
        for _, index, piece in parts:
            values[index] = piece
        array.variable.assign(values)


def _arrays_in_file(
    path: str | os.PathLike[str],
    header: DarknetHeader,
    network: keras.Model,
    partial: bool,
) -> list[_StoredArray]:
    """Returns the arrays that a file of this length contains.

    Raises:
        ValueError: if the length does not fit the network
    """
    found: list[_StoredArray] = []
    length, end = Path(path).stat().st_size, header.size
    for layer in _stored_layers(network, header.is_of_2015):
        found += layer
        end += 4 * sum(array.size for array in layer)
        if partial and end == length:
            return found
    if end != length:
        name = network.name.replace("_", "-")
        cause = "; it is truncated, or for another network" if length < end else ""
        ends = " or end after one of its layers" if partial else ""
        raise ValueError(
            f"weights file '{os.fspath(path)}' must have {end} bytes for {name} of "
            f"{network.input_shape[1]} px and {network.output_shape[-1]} outputs"
            f"{ends}, got {length}{cause}"
        )
    return found


def _read_pieces(
    path: str | os.PathLike[str],
    header: DarknetHeader,
    arrays: Iterable[_StoredArray],
) -> Pieces:
    """Yields each array of a file in pieces, transposed for its variable."""
    with Path(path).open("rb") as file:
        file.seek(header.size)
        for array in arrays:
            for index, shape in array.pieces():
                piece = np.fromfile(file, "<f4", math.prod(shape)).reshape(shape)
                yield array, index, piece.transpose(array.axes)


def write(
    path: str | os.PathLike[str],
    network: keras.Model,
    header: DarknetHeader | None = None,
) -> None:
    """Writes the weights of a network to a file; `read` is the inverse.

    Args:
        path: the file; an existing one is replaced when the new one is complete
        network: from `build.detector`, with a layer table
        header (version 0.2, no images seen): the header

    Raises:
        ValueError: if a layer is not one of Darknet's
        OSError: if the file can't be written

    Source: Darknet parser.c
    """
    header = header or DarknetHeader()
    layers = _stored_layers(network, header.is_of_2015)
    with files.atomic_file(Path(path)) as unfinished, unfinished.open("wb") as file:
        file.write(header.to_bytes())
        for array in itertools.chain.from_iterable(layers):
            inverse = np.argsort(array.axes)
            for index, _ in array.pieces():
                piece = keras.ops.convert_to_numpy(array.variable[index])
                file.write(piece.transpose(inverse).astype("<f4").tobytes())
