"""A file to the bytes the network eats, for training and prediction alike."""

import mmap
import os
from pathlib import Path

import cv2
import numpy as np

from yolov1_fo.boxes import Array


def read(
    path: str | os.PathLike[str],
    side: int | None = None,
    *,
    align_corners: bool = False,
) -> Array:
    """Returns the pixels of an image file as a person sees them.

    EXIF orientation is applied; grey, palette, CMYK and transparent images come as RGB.

    Args:
        path: any format that OpenCV reads
        side (as stored): resizes to side x side, in pixels
        align_corners (False): with Darknet's `resize_aligned`, to float32 in [0, 1]

    Returns:
        (H, W, 3) uint8 RGB

    Raises:
        FileNotFoundError: if there is no such file
        ValueError: if it is not an image
    """
    try:
        bgr = cv2.imread(os.fspath(path), cv2.IMREAD_COLOR)
    except cv2.error:  # a header that promises more pixels than OpenCV allows
        bgr = None
    if bgr is None:
        if not Path(path).is_file():
            raise FileNotFoundError(f"image '{os.fspath(path)}' does not exist")
        raise ValueError(f"image '{os.fspath(path)}' can't be decoded")
    if side is not None:
        bgr = resize_aligned(bgr, side) if align_corners else resize(bgr, side)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def resize(image: Array, side: int) -> Array:
    """Returns the image squashed to a square; proportions are not kept, as in Darknet.

    Shrinking to less than half averages areas, so that small things do not vanish;
    else bilinear.

    Args:
        image: (H, W, 3) uint8
        side: in pixels

    Returns:
        (side, side, 3) uint8
    """
    height, width = image.shape[:2]
    if (height, width) == (side, side):
        return image
    shrinks = min(height, width) >= 2 * side
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(image), (side, side), interpolation=method)


def resize_aligned(image: Array, side: int) -> Array:
    """Returns the image squashed to a square as Darknet does it.

    Bilinear at any scale, in floats; the corner pixels stay the corner pixels.

    Args:
        image: (H, W, 3) uint8
        side: in pixels

    Returns:
        (side, side, 3) float32 in [0, 1]

    Source: Darknet image.c
    """
    height, width = image.shape[:2]
    top, bottom, down = _neighbours(height, side)
    left, right, across = _neighbours(width, side)
    above, below = (image[rows].astype(np.float32) / 255 for rows in (top, bottom))
    above = (1 - across) * above[:, left] + across * above[:, right]
    below = (1 - across) * below[:, left] + across * below[:, right]
    return (1 - down[:, None]) * above + down[:, None] * below


def _neighbours(size: int, side: int) -> tuple[Array, Array, Array]:
    """Returns between which two old pixels each new one lies, and how far on."""
    scale = np.float32((size - 1) / max(side - 1, 1))
    places = np.arange(side, dtype=np.float32) * scale
    first = np.minimum(places.astype(int), size - 1)
    second = np.minimum(first + 1, size - 1)
    return first, second, (places - first)[:, None].astype(np.float32)


def is_whole(path: str | os.PathLike[str]) -> bool:
    """Returns whether the file ends where its format says; decoders do not tell.

    Knows JPEG, PNG, GIF, WebP and BMP; any other format counts as whole.

    Raises:
        FileNotFoundError: if there is no such file
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"image '{os.fspath(path)}' does not exist")
    size = Path(path).stat().st_size
    if size < 16:
        return False
    with (
        Path(path).open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
    ):
        if data[:2] == b"\xff\xd8":
            return data.rfind(b"\xff\xd9") > _scan_start(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return data.rfind(b"IEND\xaeB`\x82") >= 0
        if data[:4] == b"GIF8":
            return data[size - 1] == 0x3B
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return int.from_bytes(data[4:8], "little") + 8 <= size
        if data[:2] == b"BM":
            return int.from_bytes(data[2:6], "little") <= size
    return True


def _scan_start(data: mmap.mmap) -> int:
    """Returns where a JPEG's first scan begins, behind any embedded thumbnail."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xDA:
            return position
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return len(data)
