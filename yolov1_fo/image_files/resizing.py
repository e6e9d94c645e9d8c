"""Resizes images to the square input of a network, without keeping the aspect ratio."""

import cv2
import numpy as np


def resize(image: np.ndarray, image_size: int) -> np.ndarray:
    """Returns a square image.

    An axis that shrinks to less than half is averaged over areas, so that small objects
    do not vanish; else interpolation is bilinear.

    Args:
        image: (H, W, 3) uint8
        image_size: in pixels

    Returns:
        (image_size, image_size, 3) uint8
    """
    height, width = image.shape[:2]
    if (height, width) == (image_size, image_size):
        return image
    image = np.ascontiguousarray(image)
    square = image_size, image_size
    if min(height, width) >= 2 * image_size:
        return cv2.resize(image, square, interpolation=cv2.INTER_AREA)
    longer, is_wide = max(height, width), width > height
    if longer >= 4 * image_size:
        size = (image_size, height) if is_wide else (width, image_size)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    elif longer > 2 * image_size:
        # The longer side in two steps: halving bilinearly is averaging, and fast.
        size = (2 * image_size, image_size) if is_wide else (image_size, 2 * image_size)
        image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return cv2.resize(image, square, interpolation=cv2.INTER_LINEAR)


def resize_align_corners(image: np.ndarray, image_size: int) -> np.ndarray:
    """Returns a square image, resized as Darknet does.

    Interpolation is bilinear at any scale; corner pixels stay corner pixels.

    Args:
        image: (H, W, 3) uint8
        image_size: in pixels

    Returns:
        (image_size, image_size, 3) float32 in [0, 1]

    Source: Darknet image.c
    """
    height, width = image.shape[:2]
    top, bottom, down = _neighbours(height, image_size)
    left, right, across = _neighbours(width, image_size)
    above, below = (image[rows].astype(np.float32) / 255 for rows in (top, bottom))
    above = (1 - across) * above[:, left] + across * above[:, right]
    below = (1 - across) * below[:, left] + across * below[:, right]
    return (1 - down[:, None]) * above + down[:, None] * below


def _neighbours(
    size: int, image_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns two old neighbours of each new pixel, and the weight of the second."""
    scale = np.float32((size - 1) / max(image_size - 1, 1))
    positions = np.arange(image_size, dtype=np.float32) * scale
    first = np.minimum(positions.astype(int), size - 1)
    second = np.minimum(first + 1, size - 1)
    return first, second, (positions - first)[:, None].astype(np.float32)
