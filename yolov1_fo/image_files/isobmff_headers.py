"""The headers of AVIF and JPEG 2000 files."""

from typing import BinaryIO

from yolov1_fo.image_files.image_header import NO_IMAGE, ImageHeader, unpack
from yolov1_fo.image_files.isobmff import find_nested, iter_boxes

_ROTATIONS = {0: 1, 1: 8, 2: 3, 3: 6}
"""EXIF orientation by the quarter turns to the left that AVIF applies."""
_MIRRORED = {0: {1: 4, 3: 2, 6: 7, 8: 5}, 1: {1: 2, 8: 7, 3: 4, 6: 5}}
"""EXIF orientation after mirroring top to bottom (0) or left to right (1)."""


def parse_avif(file: BinaryIO) -> ImageHeader:
    """Returns the header of the largest image in an AVIF file.

    Thumbnails and tiles are smaller.
    """
    end = file.seek(0, 2)
    boxes = find_nested(file, 0, end, (b"meta", b"iprp", b"ipco"))
    width = height = quarters = 0
    mirror, has_alpha = None, False
    for name, start, stop in iter_boxes(file, *boxes[b"ipco"]):
        if name == b"ispe":
            item_width, item_height = unpack(file, ">II", start + 4)
            width, height = max(width, item_width), max(height, item_height)
        elif name == b"irot":
            quarters = unpack(file, "B", start)[0] & 3
        elif name == b"imir":
            mirror = unpack(file, "B", start)[0] & 1
        elif name == b"auxC":
            file.seek(start)
            has_alpha |= b"alpha" in file.read(min(stop - start, 256))
    orientation = _ROTATIONS[quarters]
    if mirror is not None:
        orientation = _MIRRORED[mirror][orientation]
    return ImageHeader(width, height, has_alpha, orientation)


def parse_jpeg2000(file: BinaryIO) -> ImageHeader:
    """Returns the header of a JPEG 2000 file, or of a bare codestream."""
    end = file.seek(0, 2)
    if unpack(file, ">H", 0)[0] == 0xFF4F:
        return _parse_codestream(file, 0)
    has_alpha = False
    for name, start, stop in iter_boxes(file, 0, end):
        if name == b"jp2h":
            for inner, begin, _ in iter_boxes(file, start, stop):
                if inner == b"cdef":
                    (count,) = unpack(file, ">H", begin)
                    types = unpack(file, f">{3 * min(count, 64)}H", begin + 2)[1::3]
                    has_alpha = 1 in types
        if name == b"jp2c":
            return _parse_codestream(file, start)._replace(has_alpha=has_alpha)
    raise ValueError(NO_IMAGE)


def _parse_codestream(file: BinaryIO, start: int) -> ImageHeader:
    right, bottom, left, top = unpack(file, ">IIII", start + 8)
    (components,) = unpack(file, ">H", start + 40)
    width = right - left
    if components > 4:  # decoders allocate every component
        width *= -(-components // 4)
    return ImageHeader(width, bottom - top)
