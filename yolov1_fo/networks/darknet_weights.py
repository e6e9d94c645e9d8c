"""Darknet's `.weights` files, in and out.

A file holds no shapes: it is a header, then the numbers of each layer in the network's
order. What is read is checked first, so that a bad file leaves the network as it was;
and it goes through memory in pieces.
"""

import itertools
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments
from yolov1_fo.networks import layers as _own

PIECE = 1 << 22
"""About so many numbers are in memory at once beside the network's own."""


class Header(NamedTuple):
    """What a file says before its numbers.

    Attributes:
        words: three numbers of 32 bits: the version, or, in files of 2015, the bits of
            learning rate, momentum and decay
        seen: how many images the network has seen
    """

    words: tuple[int, int, int] = (0, 2, 0)
    seen: int = 0

    @property
    def is_of_2015(self) -> bool:
        """Whether it begins with rates; then connected weights stand transposed."""
        return max(self.words[:2]) > 1000

    @property
    def is_long(self) -> bool:
        """Whether `seen` takes 64 bits, as from version 0.2 on."""
        return not self.is_of_2015 and self.words[0] * 10 + self.words[1] >= 2

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return 20 if self.is_long else 16

    def to_bytes(self) -> bytes:
        """Returns it as it stands in a file; `read_header` gives it back."""
        words = np.array(self.words, "<i4").tobytes()
        return words + np.array(self.seen, "<u8" if self.is_long else "<i4").tobytes()


def read_header(path: str | os.PathLike[str]) -> Header:
    """Returns what a `.weights` file says first.

    Raises:
        FileNotFoundError: if there is no such file
        ValueError: if it does not begin like one
    """
    name = arguments.path_or_name("the weights file", path)
    what = f"weights file {name!r}"
    if files.is_folder(name):
        raise ValueError(f"{what} must be a file, got a folder")
    if not files.is_file(name):
        raise FileNotFoundError(f"{what} does not exist")
    with Path(path).open("rb") as file:
        start = file.read(20)
    if len(start) < 16:
        raise ValueError(f"{what} must begin with a header, got {len(start)} bytes")
    words = np.frombuffer(start, "<i4", 3)
    header = Header((int(words[0]), int(words[1]), int(words[2])))
    if header.is_of_2015:
        rates = np.frombuffer(start, "<f4", 3)
        is_ours = all(rate == 0 or 1e-9 < rate < 10 for rate in rates)
    else:
        is_ours = 0 <= words[0] < 10 and 0 <= words[1] < 100 and 0 <= words[2] < 100
    if is_ours and len(start) < header.size:
        raise ValueError(
            f"{what} must begin with a header of {header.size} bytes, got {len(start)}"
        )
    if not is_ours:
        version = ".".join(str(word) for word in header.words)
        raise ValueError(f"{what} is none of Darknet's: its version would be {version}")
    seen = np.frombuffer(start[12 : header.size], "<u8" if header.is_long else "<i4")
    return header._replace(seen=int(seen[0]))


@dataclass(frozen=True, eq=False)
class _Part:
    """One array in a file, and the variable that it becomes.

    Attributes:
        layer: name of its layer
        variable: of the network
        axes: the variable is the file's array, transposed by these
    """

    layer: str
    variable: Any
    axes: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape in the file."""
        order = range(len(self.axes))
        return tuple(self.variable.shape[self.axes.index(axis)] for axis in order)

    @property
    def size(self) -> int:
        """How many numbers."""
        return math.prod(self.shape)

    def pieces(self) -> Iterator[tuple[tuple[slice, ...], tuple[int, ...]]]:
        """Yields which part of the variable comes next, and its shape in the file."""
        shape, dims = self.shape, range(len(self.axes))
        split = next(i for i in dims if math.prod(shape[i + 1 :]) <= PIECE)
        step = max(1, PIECE // math.prod(shape[split + 1 :]))
        for lead in np.ndindex(shape[:split]):
            for start in range(0, shape[split], step):
                end = min(start + step, shape[split])
                spans = [slice(i, i + 1) for i in lead] + [slice(start, end)]
                spans += [slice(0, length) for length in shape[split + 1 :]]
                size = tuple(span.stop - span.start for span in spans)
                yield tuple(spans[axis] for axis in self.axes), size


Numbers = Iterator[tuple[_Part, tuple[slice, ...], Array]]
"""Pieces of arrays, each with the part of its variable that it becomes."""


def _layers(network: keras.Model, transposed: bool) -> list[list[_Part]]:
    """Returns what a file holds of each layer that has numbers.

    Raises:
        ValueError: if a layer has numbers that such files do not hold
    """
    found = list(_known(network, transposed))
    held = {id(part.variable) for layer in found for part in layer}
    for layer in network.layers:
        if any(id(variable) not in held for variable in layer.weights):
            raise ValueError(
                f"network '{network.name}' must be of Darknet's layers, got "
                f"{type(layer).__name__} '{layer.name}'"
            )
    return found


def _known(network: keras.Model, transposed: bool) -> Iterator[list[_Part]]:
    convolution = []
    for layer in network.layers:

        def part(variable: Any, *axes: int, name: str = layer.name) -> _Part:
            return _Part(name, variable, axes)

        if isinstance(layer, keras.layers.Conv2D):
            convolution = [part(layer.kernel, 2, 3, 1, 0)]
            if layer.use_bias:
                yield [part(layer.bias, 0), *convolution]
        elif isinstance(layer, _own.BatchNormalization):
            yield [
                *(part(layer.beta, 0), part(layer.gamma, 0)),
                *(part(layer.moving_mean, 0), part(layer.moving_variance, 0)),
                *convolution,
            ]
        elif isinstance(layer, _own.Local):
            yield [part(layer.bias, 1, 2, 0), part(layer.kernel, 0, 1, 4, 5, 3, 2)]
        elif isinstance(layer, keras.layers.Dense):
            axes = (0, 1) if transposed else (1, 0)
            yield [part(layer.bias, 0), part(layer.kernel, *axes)]


def read(
    path: str | os.PathLike[str], network: keras.Model, *, partial: bool = False
) -> Header:
    """Puts the numbers of a file into a network.

    Args:
        path: a `.weights` file
        network: from `network.build`, of a layer table; unchanged if the file is bad
        partial (False): the file may end after any layer, like the convolutions of a
            classifier that a training starts from

    Raises:
        FileNotFoundError: if there is no such file
        ValueError: if it is no such file, is of another network, or holds a number
            that is not finite

    Source: Darknet parser.c
    """
    header = read_header(path)
    found = _fitting(path, header, network, partial)
    for part, _, piece in _numbers(path, header, found):
        if not np.isfinite(piece).all():
            raise ValueError(
                f"weights file '{os.fspath(path)}' has a number that is not finite, "
                f"in {part.layer}"
            )
    assign = _assign_in_place if keras.backend.backend() == "tensorflow" else _assign
    assign(_numbers(path, header, found))
    return header


def _assign_in_place(numbers: Numbers) -> None:
    """Fills variables piece by piece; assigning a slice would copy the whole first."""
    import tensorflow as tf

    for part, index, piece in numbers:
        tf.raw_ops.ResourceStridedSliceAssign(
            ref=part.variable.value.handle,
            begin=[span.start for span in index],
            end=[span.stop for span in index],
            strides=[1] * len(index),
            value=piece,
        )


def _assign(numbers: Numbers) -> None:
    """Fills variables as a whole."""
    for part, pieces in itertools.groupby(numbers, lambda one: one[0]):
        values = np.empty(part.variable.shape, np.float32)
        for _, index, piece in pieces:
            values[index] = piece
        part.variable.assign(values)


def _fitting(
    path: str | os.PathLike[str], header: Header, network: keras.Model, partial: bool
) -> list[_Part]:
    """Returns what a file of this length holds of a network."""
    found: list[_Part] = []
    got, end = Path(path).stat().st_size, header.size
    for layer in _layers(network, header.is_of_2015):
        found += layer
        end += 4 * sum(part.size for part in layer)
        if partial and end == got:
            return found
    if end != got:
        name = network.name.replace("_", "-")
        cut = "; it is cut short, or of another network" if got < end else ""
        part = " or end after one of its layers" if partial else ""
        raise ValueError(
            f"weights file '{os.fspath(path)}' must have {end} bytes for {name} of "
            f"{network.input_shape[1]} px and {network.output_shape[-1]} outputs"
            f"{part}, got {got}{cut}"
        )
    return found


def _numbers(
    path: str | os.PathLike[str], header: Header, parts: Iterable[_Part]
) -> Numbers:
    """Yields each array of a file in pieces, as its variable has it."""
    with Path(path).open("rb") as file:
        file.seek(header.size)
        for part in parts:
            for index, shape in part.pieces():
                piece = np.fromfile(file, "<f4", math.prod(shape)).reshape(shape)
                yield part, index, piece.transpose(part.axes)


def write(
    path: str | os.PathLike[str], network: keras.Model, header: Header | None = None
) -> None:
    """Writes a network as a `.weights` file; what `read` takes of it is the same.

    Args:
        path: is replaced in one go when all is written
        network: of a layer table
        header (version 0.2, none seen): what the file says first

    Raises:
        ValueError: if it has a layer that is not one of Darknet's
        OSError: if it can't be written

    Source: Darknet parser.c
    """
    header = header or Header()
    layers = _layers(network, header.is_of_2015)
    with files.whole_file(Path(path)) as unfinished, unfinished.open("wb") as file:
        file.write(header.to_bytes())
        for layer in layers:
            for part in layer:
                back = np.argsort(part.axes)
                for index, _ in part.pieces():
                    piece = keras.ops.convert_to_numpy(part.variable[index])
                    file.write(piece.transpose(back).astype("<f4").tobytes())
