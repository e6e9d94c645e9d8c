"""The box format: corners `xyxy`, relative to the image, float32, `(..., 4)`.

Every function takes NumPy arrays or Keras tensors and answers in kind.
"""

from typing import Any

import numpy as np

Array = Any
"""A NumPy array or a Keras tensor."""

PLACES = 10
"""So many decimals of an overlap are measured."""


def namespace(x: Array) -> Any:
    """Returns `numpy` for an array or a plain number, `keras.ops` for a tensor."""
    if isinstance(x, np.ndarray | np.generic | float | int | list | tuple):
        return np
    from keras import ops

    return ops


def area(boxes: Array, border: float = 0.0) -> Array:
    """Returns the area of each box; 0 for a degenerate one.

    Args:
        boxes: (..., 4) xyxy
        border (0.0): what width and height are more than the corners' distance; 1 in
            pixels where both corners are pixels of the box, as VOC counts

    Returns:
        (...)
    """
    xp = namespace(boxes)
    boxes = xp.asarray(boxes) if xp is np else boxes
    width = xp.maximum(boxes[..., 2] - boxes[..., 0] + border, 0)
    height = xp.maximum(boxes[..., 3] - boxes[..., 1] + border, 0)
    return width * height


def iou(boxes_a: Array, boxes_b: Array, border: float = 0.0) -> Array:
    """Returns how far each pair of boxes overlaps.

    Args:
        boxes_a: (..., N, 4) xyxy
        boxes_b: (..., M, 4) xyxy
        border (0.0): see `area`

    Returns:
        (..., N, M) in [0, 1]; 0 where both boxes are empty

    Example:
        >>> float(iou([[0.0, 0.0, 1.0, 1.0]], [[0.0, 0.0, 0.5, 1.0]])[0, 0])
        0.5
    """
    xp = namespace(boxes_a)
    if xp is np:
        boxes_a, boxes_b = np.asarray(boxes_a), np.asarray(boxes_b)
    boxes_a, boxes_b = boxes_a[..., :, None, :], boxes_b[..., None, :, :]
    low = xp.maximum(boxes_a[..., :2], boxes_b[..., :2])  # (..., N, M, 2)
    high = xp.minimum(boxes_a[..., 2:], boxes_b[..., 2:])
    shared = area(xp.concatenate([low, high], axis=-1), border)  # (..., N, M)
    union = area(boxes_a, border) + area(boxes_b, border) - shared
    return shared / xp.where(union > 0, union, xp.ones_like(union))


def measured_iou(
    boxes_a: Array,
    boxes_b: Array,
    border: float = 0.0,
    is_crowd: Array | None = None,
) -> Array:
    """Returns how far each pair of boxes overlaps, as an evaluation counts it.

    In float64, rounded so that an overlap of 1/2 in pixels is 1/2 in parts of the image
    too, where pixels are no binary fractions.

    Args:
        boxes_a: (N, 4) xyxy
        boxes_b: (M, 4) xyxy
        border (0.0): see `area`
        is_crowd (None): (M,) which of `boxes_b` are crowds; of these the overlap is the
            part of a box of `boxes_a` that lies inside, as COCO has it

    Returns:
        (N, M) in [0, 1]
    """
    boxes_a = np.asarray(boxes_a, np.float64).reshape(-1, 4)
    boxes_b = np.asarray(boxes_b, np.float64).reshape(-1, 4)
    low = np.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])  # (N, M, 2)
    high = np.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    shared = area(np.concatenate([low, high], axis=-1), border)
    alone = np.broadcast_to(area(boxes_a, border)[:, None], shared.shape)
    union = alone + area(boxes_b, border) - shared
    if is_crowd is not None:
        union = np.where(is_crowd, alone, union)
    return np.round(shared / np.where(union > 0, union, 1), PLACES)


def reaches(overlap: Array, iou_thresh: float) -> Array:
    """Returns where an overlap of `measured_iou` is at least `iou_thresh`."""
    return overlap >= round(iou_thresh, PLACES)


def clip(boxes: Array) -> Array:
    """Returns the part of each box that lies in the image.

    Args:
        boxes: (..., 4) xyxy, relative

    Returns:
        (..., 4) in [0, 1]; a box wholly outside becomes empty
    """
    return namespace(boxes).clip(boxes, 0.0, 1.0)


def xyxy_to_cxcywh(boxes: Array) -> Array:
    """Returns centre and size; `cxcywh_to_xyxy(xyxy_to_cxcywh(b)) == b`."""
    xp = namespace(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return xp.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes: Array) -> Array:
    """Returns corners; `xyxy_to_cxcywh(cxcywh_to_xyxy(b)) == b`."""
    xp = namespace(boxes)
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return xp.concatenate([centre - half, centre + half], axis=-1)
