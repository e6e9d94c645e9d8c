"""Sheets: several square pictures in one JPEG, four in a row."""

import base64
import io
import os
from collections.abc import Sequence

import PIL.Image
from PIL.Image import Image

from yolov1_fo.visualize import drawing

COLUMNS, SIDE = 4, 320
"""Pictures in a row; their sides, in pixels."""
QUALITY = 88
"""Quality of JPEGs, at which colored lines have sharp edges."""


def make(pictures: Sequence[Image]) -> Image:
    """Returns a sheet; `take_apart(make(p)) == p` for one row or full rows.

    Args:
        pictures: of `SIDE` x `SIDE` pixels, at least one
    """
    return drawing.tile(pictures, columns=min(COLUMNS, len(pictures)))


def take_apart(sheet: Image) -> list[Image]:
    """Returns the pictures of a sheet; `take_apart(make(p)) == p`.

    Args:
        sheet: from `make`, of one row or of full rows
    """
    step = SIDE + drawing.GAP
    return [
        sheet.crop((left, top, left + SIDE, top + SIDE))
        for top in range(0, sheet.height, step)
        for left in range(0, sheet.width, step)
    ]


def to_jpeg(picture: Image, quality: int = QUALITY) -> bytes:
    """Returns a picture as a JPEG whose colors are not subsampled.

    Args:
        picture: RGB
        quality (88): of the JPEG, up to 95
    """
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def to_uri(picture: Image, quality: int = QUALITY) -> str:
    """Returns a picture as a `data:` URI of a JPEG; see `to_jpeg`."""
    encoded = base64.b64encode(to_jpeg(picture, quality)).decode()
    return f"data:image/jpeg;base64,{encoded}"


def small_uri(picture: Image, max_length: int) -> str:
    """Returns a picture as a `data:` URI, smaller if it is too long.

    Args:
        picture: RGB
        max_length: of the URI, in characters; at least a few hundred
    """
    while True:
        for quality in (QUALITY, 75, 60):
            uri = to_uri(picture, quality)
            if len(uri) <= max_length:
                return uri
        picture = picture.reduce(2)


def read(path: str | os.PathLike[str]) -> Image:
    """Returns the picture of a JPEG file.

    Raises:
        OSError: if it is not a complete JPEG
    """
    with PIL.Image.open(path, formats=["JPEG"]) as picture:
        return picture.convert("RGB")
