"""The boxes in files of ISO's base media format, of which AVIF and JPEG 2000 are."""

from collections.abc import Iterator
from typing import BinaryIO

from yolov1_fo.image_files.tiff import MOST_PARTS, unpack


def boxes(file: BinaryIO, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields the boxes of ISO's media files: name, begin and end of what is in it."""
    for _ in range(MOST_PARTS):
        if position + 8 > end:
            return
        length, name = unpack(file, ">I4s", position)
        head = 8
        if length == 1:
            (length,) = unpack(file, ">Q", position + 8)
            head = 16
        stop = position + length if length else end
        if stop < position + head:
            return
        yield name, position + head, min(stop, end)  # type: ignore[misc]  # 4s is bytes
        position = stop


def inside(
    file: BinaryIO, start: int, end: int, names: tuple[bytes, ...]
) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yields where boxes stand of which each holds the next."""
    for wanted in names:
        for name, begin, stop in boxes(file, start, end):
            if name == wanted:
                start, end = begin + 4 * (name == b"meta"), stop
                yield name, (start, end)
                break
        else:
            raise ValueError("the header leads to no picture")
