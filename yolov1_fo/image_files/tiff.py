"""The first directory of a TIFF file; EXIF metadata has the same structure."""

import struct
from typing import BinaryIO, NamedTuple

from yolov1_fo.image_files.image_header import MAX_PARTS, NO_SIZE, unpack

WIDTH, HEIGHT, ORIENTATION = 256, 257, 274
STRIP_OFFSETS, STRIP_SIZES = 273, 279
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_SIZES = 322, 323, 324, 325
EXTRA_SAMPLES = 338
"""Tags, by their names in the TIFF specification."""
_TYPE_FORMATS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
_BIG_TIFF = 43


class Tag(NamedTuple):
    """An entry of a TIFF directory.

    Attributes:
        value: its first number
        length: how many numbers it has
        offset: position of the numbers in the file, in bytes
        format: of one number, for `struct`
    """

    value: int
    length: int
    offset: int
    format: str

    def read_all(self, file: BinaryIO) -> tuple[int, ...]:
        """Returns all its numbers."""
        order, kind = self.format[0], self.format[1]
        return unpack(file, f"{order}{self.length}{kind}", self.offset)


def read_tags(file: BinaryIO) -> dict[int, Tag]:
    """Returns the integer entries in the first directory of a TIFF, by tag.

    Raises:
        ValueError: if the file is not a TIFF, or has neither size nor orientation
        struct.error: if it ends early
    """
    file.seek(0)
    order = {b"II": "<", b"MM": ">"}.get(file.read(2))
    if order is None:
        raise ValueError("it is not a TIFF file")
    is_big = unpack(file, f"{order}H", 2)[0] == _BIG_TIFF
    word, number, size = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (start,) = unpack(file, order + word, 8 if is_big else 4)
    (entries,) = unpack(file, order + number, start)
    start += struct.calcsize(order + number)
    if entries > MAX_PARTS:
        raise ValueError("the header is damaged")
    found = {}
    for row in range(entries):
        offset = start + size * row
        tag, kind, count = unpack(file, f"{order}HH{word}", offset)
        if kind not in _TYPE_FORMATS or not count:
            continue
        format = order + _TYPE_FORMATS[kind]
        offset += 4 + struct.calcsize(word)
        if struct.calcsize(format) * count > struct.calcsize(word):
            (offset,) = unpack(file, order + word, offset)
        found[tag] = Tag(unpack(file, format, offset)[0], count, offset, format)
    if not {WIDTH, HEIGHT, ORIENTATION} & set(found):
        raise ValueError(NO_SIZE)
    return found
