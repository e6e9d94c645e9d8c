"""Where a letterboxed image lies in its square: the same for pixels and boxes.

The image is resized with its aspect ratio kept, until its longer side fills the square,
and centered. It only needs NumPy; `resizing.resize_letterboxed` makes the pixels.
"""

import numpy as np
from numpy.typing import ArrayLike


def windows_in_pixels(sizes: ArrayLike, image_size: int) -> np.ndarray:
    """Returns the part of the square that each image fills, in pixels.

    The shorter side is rounded to whole pixels, one at least. An odd number of pixels
    beside the image leaves one more on the right or at the bottom.

    Args:
        sizes: (N, 2) height and width of each image, in pixels
        image_size: side of the square, in pixels

    Returns:
        (N, 4) left, top, right and bottom, int64

    Example:
        >>> windows_in_pixels([(100, 200), (3, 3)], 32).tolist()
        [[0, 8, 32, 24], [0, 0, 32, 32]]
    """
    sides = np.asarray(sizes, np.int64).reshape(-1, 2)[:, ::-1]  # width, height
    longer = sides.max(axis=-1, keepdims=True)
    resized = (2 * sides * image_size + longer) // (2 * longer)  # rounded
    resized = np.maximum(resized, 1)
    start = (image_size - resized) // 2
    return np.concatenate([start, start + resized], axis=-1)


def windows(sizes: ArrayLike, image_size: int) -> np.ndarray:
    """Returns the part of the square that each image fills, relative to the square.

    Its edges lie between pixels, so boxes and pixels agree.

    Args:
        sizes: (N, 2) height and width of each image, in pixels
        image_size: side of the square, in pixels

    Returns:
        (N, 4) xyxy in [0, 1], float64
    """
    return windows_in_pixels(sizes, image_size) / image_size


def image_to_square(boxes: ArrayLike, windows: np.ndarray) -> np.ndarray:
    """Returns boxes of the image, relative to its square.

    `square_to_image(image_to_square(b, w), w) == b`, up to rounding. Widths and heights
    are multiplied by those of the window, so the IoU of two boxes does not change.

    Args:
        boxes: (..., 4) xyxy, relative to the image
        windows: (..., 4) from `windows`

    Returns:
        (..., 4) xyxy, float64
    """
    start, extent = _start_and_extent(windows)
    return start + np.asarray(boxes) * extent


def square_to_image(boxes: ArrayLike, windows: np.ndarray) -> np.ndarray:
    """Returns boxes of the square, relative to the image in it; not clipped.

    `image_to_square(square_to_image(b, w), w) == b`, up to rounding.

    Args:
        boxes: (..., 4) xyxy, relative to the square
        windows: (..., 4) from `windows`

    Returns:
        (..., 4) xyxy, float64
    """
    start, extent = _start_and_extent(windows)
    return (np.asarray(boxes) - start) / extent


def _start_and_extent(windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns start (..., (x, y, x, y)) and extent (..., (w, h, w, h)) of windows."""
    start, end = windows[..., :2], windows[..., 2:]
    return (
        np.concatenate([start, start], axis=-1),
        np.concatenate([end - start, end - start], axis=-1),
    )
