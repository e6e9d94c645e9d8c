"""Resizes images to the square input of a network, stretched or letterboxed; crops."""

import cv2
import numpy as np

from yolov1_fo.image_files import letterboxing

GRAY = 128
"""Beside a letterboxed image, as in a missing part of a JPEG.

Darknet's letterboxes are 0.5, which 127 and 128 are equally near to.
"""


def to_square(
    image: np.ndarray,
    image_size: int,
    *,
    align_corners: bool = False,
    letterbox: bool = False,
) -> np.ndarray:
    """Returns a square image, resized by one of the functions of this module.

    Args:
        image: (H, W, 3) uint8
        image_size: in pixels
        align_corners (False): by `resize_align_corners`
        letterbox (False): by `resize_letterboxed`

    Returns:
        (image_size, image_size, 3) uint8; float32 in [0, 1] with `align_corners`

    Raises:
        ValueError: if both are chosen
    """
    if align_corners and letterbox:
        raise ValueError(
            "letterbox can't be combined with align_corners: Darknet's YOLOv1 "
            "stretches images"
        )
    if align_corners:
        return resize_align_corners(image, image_size)
    resized = resize_letterboxed if letterbox else resize
    return resized(image, image_size)


def crop(image: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Returns a part of an image, rounded outwards to whole pixels.

    Args:
        image: (H, W, 3)
        window: (4,) xyxy, relative to the image, within it
    """
    height, width = image.shape[:2]
    scale = np.array([width, height])
    start = np.floor(window[:2] * scale).astype(int)
    end = np.minimum(np.ceil(window[2:] * scale), scale).astype(int)
    return image[start[1] : end[1], start[0] : end[0]]


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


def stretch(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns an image of another size, square or not.

    It is averaged over areas where both axes shrink; else interpolation is bilinear.

    Args:
        image: (H, W, 3) uint8
        size: height and width in pixels

    Returns:
        (height, width, 3) uint8
    """
    shrinks = size[0] < image.shape[0] and size[1] < image.shape[1]
    return cv2.resize(
        np.ascontiguousarray(image),
        size[::-1],
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )


def resize_letterboxed(image: np.ndarray, image_size: int) -> np.ndarray:
    """Returns a square image with the given one in its middle, its aspect ratio kept.

    An image that shrinks to less than half is averaged over areas; else interpolation
    is bilinear. A square image is resized as by `resize`.

    Args:
        image: (H, W, 3) uint8
        image_size: in pixels

    Returns:
        (image_size, image_size, 3) uint8; `GRAY` beside the image, which fills
        `letterboxing.windows_in_pixels`
    """
    height, width = image.shape[:2]
    if height == width:
        return resize(image, image_size)
    ((left, top, right, bottom),) = letterboxing.windows_in_pixels(
        [(height, width)], image_size
    ).tolist()
    is_much_smaller = max(height, width) >= 2 * image_size
    resized = cv2.resize(
        np.ascontiguousarray(image),
        (right - left, bottom - top),
        interpolation=cv2.INTER_AREA if is_much_smaller else cv2.INTER_LINEAR,
    )
    square = np.full((image_size, image_size, 3), GRAY, np.uint8)
    square[top:bottom, left:right] = resized
    return square


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
    top, bottom, down = _neighbors(height, image_size)
    left, right, across = _neighbors(width, image_size)
    above, below = (image[rows].astype(np.float32) / 255 for rows in (top, bottom))
    above = (1 - across) * above[:, left] + across * above[:, right]
    below = (1 - across) * below[:, left] + across * below[:, right]
    return (1 - down[:, None]) * above + down[:, None] * below


def _neighbors(size: int, image_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns two old neighbors of each new pixel, and the weight of the second."""
    scale = np.float32((size - 1) / max(image_size - 1, 1))
    positions = np.arange(image_size, dtype=np.float32) * scale
    first = np.minimum(positions.astype(int), size - 1)
    second = np.minimum(first + 1, size - 1)
    return first, second, (positions - first)[:, None].astype(np.float32)
