"""Decodes an image file to upright, opaque pixels, with OpenCV."""

import io

import cv2
import numpy as np
from PIL import PngImagePlugin

from yolov1_fo.image_files.image_header import ImageHeader

BACKGROUND = 255
"""Color behind transparent pixels: white."""
ROTATED_HERE = ("TIFF", "AVIF")
"""Formats whose orientation OpenCV does not apply, or fails to."""


def decode_bgr(header: ImageHeader, data: bytes) -> np.ndarray | None:
    """Returns (H, W, 3) uint8 BGR, upright and opaque; None if decoding fails.

    Args:
        header: of the file
        data: complete content of the file
    """
    buffer = np.frombuffer(data, np.uint8)
    try:
        if header.has_alpha:
            image = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
            if image is not None and image.ndim == 2 and header.format == "PNG":
                image = _gray_with_alpha(data)
            if image is not None and image.ndim == 3 and image.shape[-1] == 4:
                opaque = _remove_alpha(image, header.format)
                return _apply_orientation(opaque, header.orientation)
        image = cv2.imdecode(buffer, cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    if image is None or header.format not in ROTATED_HERE:
        return image
    return _apply_orientation(image, header.orientation)


def _gray_with_alpha(data: bytes) -> np.ndarray | None:
    """Returns BGRA of a gray PNG with one transparent shade, which OpenCV ignores."""
    try:
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGBA"))  # gray: RGBA equals BGRA
    except Exception:  # Pillow raises many types
        return None


def _remove_alpha(image: np.ndarray, format: str) -> np.ndarray:
    """Returns BGR of BGRA, blended with `BACKGROUND`."""
    is_premultiplied = format == "TIFF" and image.dtype == np.uint8  # by libtiff
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    alpha = image[..., 3:].astype(np.uint16)
    colors = image[..., :3].astype(np.uint16)
    if not is_premultiplied:
        colors = (colors * alpha + 127) // 255
    background = (BACKGROUND * (255 - alpha) + 127) // 255
    return np.minimum(colors + background, 255).astype(np.uint8)


def _apply_orientation(image: np.ndarray, orientation: int) -> np.ndarray:
    """Returns an upright image, given its EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)
