"""The box format: corners `xyxy`, relative to the image, float32, `(..., 4)`.

Every function accepts NumPy arrays or Keras tensors and returns the same type.
"""

from typing import Any

import numpy as np

Array = Any
"""A NumPy array or a Keras tensor."""

IOU_DECIMALS = 10
"""Decimals to which `evaluation_iou` rounds."""


def namespace(x: Array) -> Any:
    """Returns `numpy` for an array or a plain number, `keras.ops` for a tensor."""
    if isinstance(x, np.ndarray | np.generic | float | int | list | tuple):
        return np
    from keras import ops

    return ops


def area(boxes: Array, border: float = 0.0) -> Array:
    """Returns the area of each box; 0 for a degenerate box.

    Args:
        boxes: (..., 4) xyxy
        border (0.0): added to width and height; 1 for boxes in pixels whose corners
            are inclusive, as in VOC

    Returns:
        (...)
    """
    xp = namespace(boxes)
    boxes = xp.asarray(boxes) if xp is np else boxes
    width = xp.maximum(boxes[..., 2] - boxes[..., 0] + border, 0)
    height = xp.maximum(boxes[..., 3] - boxes[..., 1] + border, 0)
    return width * height


def iou(boxes_a: Array, boxes_b: Array, border: float = 0.0) -> Array:
    """Returns the intersection over union of each pair of boxes.

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
    intersection = area(xp.concatenate([low, high], axis=-1), border)  # (..., N, M)
    union = area(boxes_a, border) + area(boxes_b, border) - intersection
    return intersection / xp.where(union > 0, union, xp.ones_like(union))


def complete_iou(boxes_a: Array, boxes_b: Array) -> Array:
    """Returns the complete IoU (CIoU) of boxes and their counterparts.

    It is the IoU, less the squared distance of the centers relative to the diagonal of
    the enclosing box, less a penalty for different aspect ratios, whose weight is a
    constant for gradients. All gradients are finite, also for empty boxes.

    Args:
        boxes_a: (..., 4) xyxy
        boxes_b: (..., 4) xyxy, or a shape that broadcasts

    Returns:
        (...) from -1.5 to 1; 1 where both boxes are equal and not empty

    Source: Zheng et al., Distance-IoU Loss, AAAI 2020
    """
    xp, tiny = namespace(boxes_a), 1e-9
    size_a, size_b = (b[..., 2:] - b[..., :2] for b in (boxes_a, boxes_b))
    low = xp.maximum(boxes_a[..., :2], boxes_b[..., :2])
    shared = xp.maximum(xp.minimum(boxes_a[..., 2:], boxes_b[..., 2:]) - low, 0)
    shared_area = shared[..., 0] * shared[..., 1]
    areas = area(boxes_a) + area(boxes_b)
    overlap = shared_area / (areas - shared_area + tiny)

    centers = boxes_a[..., :2] + boxes_a[..., 2:] - boxes_b[..., :2] - boxes_b[..., 2:]
    distance = xp.sum(xp.square(centers), axis=-1) / 4
    low = xp.minimum(boxes_a[..., :2], boxes_b[..., :2])
    enclosing = xp.maximum(boxes_a[..., 2:], boxes_b[..., 2:]) - low
    diagonal = xp.sum(xp.square(enclosing), axis=-1)

    angles = [
        xp.arctan2(size[..., 0], size[..., 1] + tiny) for size in (size_a, size_b)
    ]
    aspect = xp.square(angles[0] - angles[1]) * (4 / np.pi**2)
    weight = aspect / (1 - overlap + aspect + tiny)
    if xp is not np:
        weight = xp.stop_gradient(weight)
    return overlap - distance / (diagonal + tiny) - weight * aspect


def evaluation_iou(
    boxes_a: Array,
    boxes_b: Array,
    border: float = 0.0,
    is_crowd: Array | None = None,
) -> Array:
    """Returns the IoU of each pair of boxes, as evaluations compare it to a threshold.

    Computed in float64 and rounded, so that an IoU of 1/2 in pixels is also 1/2 in
    relative coordinates, which are not exact binary fractions.

    Args:
        boxes_a: (N, 4) xyxy
        boxes_b: (M, 4) xyxy
        border (0.0): see `area`
        is_crowd (None): (M,) which of `boxes_b` are crowds; for these, the intersection
            is divided by the area of the box in `boxes_a`, as in COCO

    Returns:
        (N, M) in [0, 1]
    """
    boxes_a = np.asarray(boxes_a, np.float64).reshape(-1, 4)
    boxes_b = np.asarray(boxes_b, np.float64).reshape(-1, 4)
    if not (len(boxes_a) and len(boxes_b)):
        return np.zeros((len(boxes_a), len(boxes_b)))
    left, top, right, bottom = boxes_a.T[:, :, None]  # (N, 1) each
    others = boxes_b.T  # (4, M)
    width = np.minimum(right, others[2]) - np.maximum(left, others[0]) + border
    height = np.minimum(bottom, others[3]) - np.maximum(top, others[1]) + border
    intersection = np.maximum(width, 0) * np.maximum(height, 0)  # (N, M)
    areas = area(boxes_a, border)[:, None]
    union = areas + area(boxes_b, border) - intersection
    if is_crowd is not None and np.any(is_crowd):
        union = np.where(is_crowd, areas, union)
    return np.round(intersection / np.where(union > 0, union, 1), IOU_DECIMALS)


def reaches(overlap: Array, iou_thresh: float) -> Array:
    """Returns where an IoU from `evaluation_iou` is at least `iou_thresh`."""
    return overlap >= round(iou_thresh, IOU_DECIMALS)


def clip(boxes: Array) -> Array:
    """Returns the part of each box inside the image.

    Args:
        boxes: (..., 4) xyxy, relative

    Returns:
        (..., 4) in [0, 1]; a box entirely outside becomes empty
    """
    return namespace(boxes).clip(boxes, 0.0, 1.0)


def xyxy_to_cxcywh(boxes: Array) -> Array:
    """Returns center and size; `cxcywh_to_xyxy(xyxy_to_cxcywh(b)) == b`."""
    xp = namespace(boxes)
    low, high = boxes[..., :2], boxes[..., 2:]
    return xp.concatenate([(low + high) / 2, high - low], axis=-1)


def cxcywh_to_xyxy(boxes: Array) -> Array:
    """Returns corners; `xyxy_to_cxcywh(cxcywh_to_xyxy(b)) == b`."""
    xp = namespace(boxes)
    center, half = boxes[..., :2], boxes[..., 2:] / 2
    return xp.concatenate([center - half, center + half], axis=-1)
