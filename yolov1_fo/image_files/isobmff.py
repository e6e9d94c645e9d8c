"""The boxes of the ISO base media file format, on which AVIF and JPEG 2000 build."""

from collections.abc import Iterator
from typing import BinaryIO

from yolov1_fo.image_files.image_header import MAX_PARTS, NO_IMAGE, unpack


def iter_boxes(
    file: BinaryIO, position: int, end: int
) -> Iterator[tuple[bytes, int, int]]:
    """Yields the boxes between two positions: name, start and end of the content."""
    for _ in range(MAX_PARTS):
        if position + 8 > end:
            return
        length, name = unpack(file, ">I4s", position)
        header_size = 8
        if length == 1:
            (length,) = unpack(file, ">Q", position + 8)
            header_size = 16
        stop = position + length if length else end
        if stop < position + header_size:
            return
        yield name, position + header_size, min(stop, end)  # type: ignore[misc]  # 4s is bytes
        position = stop


def find_nested(
    file: BinaryIO, start: int, end: int, names: tuple[bytes, ...]
) -> dict[bytes, tuple[int, int]]:
    """Returns start and end of boxes of which each contains the next.

    Raises:
        ValueError: if one is missing
    """
    found = {}
    for wanted in names:
        for name, begin, stop in iter_boxes(file, start, end):
            if name == wanted:
                start, end = begin + 4 * (name == b"meta"), stop  # version and flags
                found[name] = start, end
                break
        else:
            raise ValueError(NO_IMAGE)
    return found
