"""The directory of a TIFF file, which EXIF is too."""

import struct
from typing import BinaryIO, NamedTuple

MOST_PARTS = 10_000
"""A file of more parts than that is no picture."""


def unpack(file: BinaryIO, format: str, offset: int) -> tuple[int, ...]:
    """Returns numbers that stand at a place of a file, by a format of `struct`."""
    file.seek(offset)
    return struct.unpack(format, file.read(struct.calcsize(format)))


class Tag(NamedTuple):
    """An entry of a TIFF's directory.

    Attributes:
        value: the first number of it
        numbers: how many there are
        place: where these stand in the file, in bytes
        format: of one, for `struct`
    """

    value: int
    numbers: int
    place: int
    format: str

    def all(self, file: BinaryIO) -> tuple[int, ...]:
        """Returns all of its numbers."""
        order, kind = self.format[0], self.format[1]
        return unpack(file, f"{order}{self.numbers}{kind}", self.place)


_TIFF_TYPES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}


def tags(file: BinaryIO) -> dict[int, Tag]:
    """Returns the whole numbers in the first directory of a TIFF, by their tags.

    Raises:
        ValueError: if it is none
        struct.error: if it ends early
    """
    file.seek(0)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        raise ValueError("it is no TIFF")
    big = unpack(file, f"{order}H", 2)[0] == 43
    word, number, size = ("Q", "Q", 20) if big else ("I", "H", 12)
    (start,) = unpack(file, order + word, 8 if big else 4)
    (count,) = unpack(file, order + number, start)
    start += struct.calcsize(order + number)
    if count > MOST_PARTS:
        raise ValueError("the header is damaged")
    found = {}
    for row in range(count):
        place = start + size * row
        tag, kind, many = unpack(file, f"{order}HH{word}", place)
        if kind not in _TIFF_TYPES or not many:
            continue
        format = order + _TIFF_TYPES[kind]
        place += 4 + struct.calcsize(word)
        if struct.calcsize(format) * many > struct.calcsize(word):
            (place,) = unpack(file, order + word, place)
        found[tag] = Tag(unpack(file, format, place)[0], many, place, format)
    if not {256, 257, 274} & set(found):
        raise ValueError("the header tells no size")
    return found
