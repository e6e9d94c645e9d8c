"""What the header of an image file states, and how the numbers in it are read."""

import struct
from typing import BinaryIO, NamedTuple

IMAGE_FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "WebP", "TIFF", "AVIF", "JPEG 2000"),
    *("PNM", "PFM", "Radiance HDR", "Sun raster"),
)
"""All formats that are read; PNM stands for PBM, PGM, PPM and PAM."""
MAX_PARTS = 10_000
"""Most segments, chunks or boxes that are read of a file, to bound the time."""
NO_IMAGE = "the header refers to no image"
NO_SIZE = "the header does not state a size"


class ImageHeader(NamedTuple):
    """What the header of an image file states.

    Attributes:
        width: in pixels, as stored
        height: in pixels, as stored
        has_alpha: whether pixels can be transparent
        orientation: EXIF orientation, 1 to 8; always 1 for JPEG, which OpenCV rotates
        format: one of `IMAGE_FORMATS`
    """

    width: int
    height: int
    has_alpha: bool = False
    orientation: int = 1
    format: str = ""


def unpack(file: BinaryIO, format: str, offset: int) -> tuple[int, ...]:
    """Returns the numbers at an offset of a file, in a format of `struct`."""
    file.seek(offset)
    return struct.unpack(format, file.read(struct.calcsize(format)))
