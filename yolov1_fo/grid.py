"""Converts boxes to grid cells and back; only this file depends on the channel order.

The network outputs one vector per image, in Darknet's order: the class probabilities of
all cells, then all confidences, then all boxes as x, y, sqrt(w), sqrt(h).
"""

from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array, namespace
from yolov1_fo.config import GridConfig


class Cells(NamedTuple):
    """The raw output of the network, by cell.

    Attributes:
        class_probs: (..., S, S, C) Pr(class given object)
        confidence: (..., S, S, B)
        boxes: (..., S, S, B, 4) x, y in cells from the cell's top left corner; square
            roots of w and h relative to the image, or w and h if `config.sqrt` is off
    """

    class_probs: Array
    confidence: Array
    boxes: Array


class Targets(NamedTuple):
    """The targets of each cell.

    Attributes:
        boxes: (..., S, S, 4) x, y in cells from the cell's top left corner; w, h
            relative to the image
        object: (..., S, S) 1 if the center of an object falls into the cell, else 0
        class_probs: (..., S, S, C) one-hot; zeros without object
    """

    boxes: Array
    object: Array
    class_probs: Array


def output_size(config: GridConfig) -> int:
    """Returns the length of the network's output: S * S * (C + 5 B).

    Example:
        >>> output_size(GridConfig())
        1470
    """
    return config.S**2 * (config.C + 5 * config.B)


def split(y: Array, config: GridConfig) -> Cells:
    """Returns the parts of the network's output; `join(split(y)) == y`.

    Args:
        y: (..., S * S * (C + 5 B))
        config: S, B and C

    Source: Darknet detection_layer.c
    """
    xp = namespace(y)
    S, B, C = config.S, config.B, config.C
    lead = _batch_shape(y, 1)
    class_end, confidence_end = S * S * C, S * S * (C + B)
    return Cells(
        class_probs=xp.reshape(y[..., :class_end], (*lead, S, S, C)),
        confidence=xp.reshape(y[..., class_end:confidence_end], (*lead, S, S, B)),
        boxes=xp.reshape(y[..., confidence_end:], (*lead, S, S, B, 4)),
    )


def join(cells: Cells) -> Array:
    """Returns the output vector; `split(join(cells)) == cells`.

    Args:
        cells: see `Cells`

    Returns:
        (..., S * S * (C + 5 B))
    """
    xp = namespace(cells.boxes)
    lead = _batch_shape(cells.boxes, 4)
    parts = []
    for part in cells:
        size = int(np.prod(part.shape[len(lead) :]))
        parts.append(xp.reshape(part, (*lead, size)))
    return xp.concatenate(parts, axis=-1)


def _batch_shape(x: Array, axes: int) -> tuple[int, ...]:
    """Returns the shape without the last axes, -1 where Keras has None."""
    return tuple(-1 if n is None else n for n in x.shape[:-axes])


def split_targets(y_true: Array) -> Targets:
    """Returns the parts of the tensor that `encode` returns."""
    return Targets(y_true[..., :4], y_true[..., 4], y_true[..., 5:])


def encode(
    boxes: Array, class_ids: Array, config: GridConfig, *, neighbor_cells: bool = False
) -> Array:
    """Returns the targets of each cell.

    The cell that contains the center of an object is responsible for it. If several
    centers fall into a cell, the first object in `boxes` is kept and the others are
    ignored. Boxes are clipped to the image first, and empty boxes are ignored. A center
    on the right or bottom edge belongs to the last cell.

    Args:
        boxes: (..., M, 4) xyxy, relative
        class_ids: (..., M) ints; -1 = no object
        config: S and C
        neighbor_cells (False): the nearest cell to the left or right of the center,
            and the nearest one above or below, are responsible too, unless they contain
            a center or belong to an earlier object; x and y are from -0.5 to 1.5 then

    Returns:
        (..., S, S, (x, y, w, h, object, *one_hot)); zeros in a cell without an object

    Source: paper section 2; Darknet data.c
    """
    xp = namespace(boxes)
    S, C = config.S, config.C
    lead = _batch_shape(boxes, 2)
    if boxes.shape[-2] == 0:
        raise ValueError("boxes must be padded to at least one row, got none")

    # 1. The cell of each object.
    center_size = _boxes.xyxy_to_cxcywh(_boxes.clip(boxes))
    center, size = center_size[..., :2], center_size[..., 2:]
    corner = _cell_corner(center, config)
    index = corner[..., 1] * S + corner[..., 0]  # (..., M)
    is_valid = (class_ids >= 0) & (size[..., 0] > 0) & (size[..., 1] > 0)
    if neighbor_cells:  # as further objects, behind those of the centers' cells
        corner, is_near = _neighbor_corners(center, corner, config)
        is_valid = xp.concatenate([is_valid] * 3, axis=-1) & is_near
        center, size = (xp.concatenate([part] * 3, axis=-2) for part in (center, size))
        class_ids = xp.concatenate([class_ids] * 3, axis=-1)
        index = corner[..., 1] * S + corner[..., 0]  # (..., 3 M)

    # 2. The first object in each cell.
    cells = xp.arange(S * S, dtype="float32")
    is_inside = (index[..., None] == cells) & is_valid[..., None]  # (..., M, S * S)
    none = index.shape[-1]
    rows = xp.arange(none, dtype="int32")[:, None]
    first_object = xp.min(xp.where(is_inside, rows, none), axis=-2)  # (..., S * S)
    has_object = first_object < none

    # 3. Its values.
    one_hot = class_ids[..., None] == xp.arange(C, dtype=class_ids.dtype)
    ones = xp.ones_like(size[..., :1])
    values = xp.concatenate(
        [center * S - corner, size, ones, xp.where(one_hot, ones, xp.zeros_like(ones))],
        axis=-1,
    )  # (..., M, 5 + C)
    kept = xp.minimum(first_object, none - 1)
    targets = xp.take_along_axis(values, kept[..., None], axis=-2)
    targets = xp.where(has_object[..., None], targets, xp.zeros_like(targets))
    return xp.reshape(targets, (*lead, S, S, 5 + C))


def cell_index(boxes: Array, config: GridConfig) -> Array:
    """Returns the index of the cell that contains the center of each box.

    Args:
        boxes: (..., 4) xyxy, relative
        config: S

    Returns:
        (...) in [0, S * S), row by row
    """
    corner = _cell_corner(_boxes.xyxy_to_cxcywh(_boxes.clip(boxes))[..., :2], config)
    return corner[..., 1] * config.S + corner[..., 0]


def first_in_cells(boxes: Array, image: Array, config: GridConfig) -> Array:
    """Returns the rows of the objects that `encode` keeps: the first of each cell.

    Args:
        boxes: (K, 4) xyxy, relative, of the objects of many images
        image: (K,) index of the image of each object
        config: S

    Returns:
        rows, one for each cell with an object; NumPy
    """
    cells = np.asarray(cell_index(boxes, config)).astype(int)
    return np.unique(image * config.S**2 + cells, return_index=True)[1]


def _cell_corner(center: Array, config: GridConfig) -> Array:
    """Returns the cell of each center: (..., (column, row))."""
    xp = namespace(center)
    return xp.clip(xp.floor(center * config.S), 0, config.S - 1)


def _neighbor_corners(
    center: Array, corner: Array, config: GridConfig
) -> tuple[Array, Array]:
    """Returns the cells of the centers, then those beside, then those above or below.

    A center in the middle of its cell has no nearest neighbors.

    Returns:
        (..., 3 M, (column, row)), and whether each is in the grid: (..., 3 M)
    """
    xp = namespace(center)
    step = xp.sign(center * config.S - corner - 0.5)  # 0 in the middle
    still = xp.zeros_like(step[..., 0])
    beside = corner + xp.stack([step[..., 0], still], axis=-1)
    above = corner + xp.stack([still, step[..., 1]], axis=-1)
    corners = xp.concatenate([corner, beside, above], axis=-2)
    is_inside = (corners >= 0) & (corners < config.S)
    return corners, is_inside[..., 0] & is_inside[..., 1]


def cell_boxes_to_xyxy(boxes: Array, config: GridConfig) -> Array:
    """Returns the corners of boxes whose centers are relative to their cells.

    Args:
        boxes: (..., S, S, B, 4) x, y in cells from the cell's top left corner; w, h
            relative to the image
        config: S

    Returns:
        (..., S, S, B, 4) xyxy, relative; not clipped
    """
    xp = namespace(boxes)
    cell = np.arange(config.S, dtype=np.float32)
    column, row = np.meshgrid(cell, cell)
    corner = np.stack([column, row], axis=-1)[:, :, None, :]  # (S, S, 1, 2)
    center = (boxes[..., :2] + corner) / config.S
    return _boxes.cxcywh_to_xyxy(xp.concatenate([center, boxes[..., 2:]], axis=-1))


def predicted_boxes(cells: Cells, config: GridConfig) -> Array:
    """Returns the predicted boxes, width and height squared if `config.sqrt` is on.

    Returns:
        (..., S, S, B, 4) x, y in cells from the cell's top left corner; w, h relative
        to the image
    """
    if not config.sqrt:
        return cells.boxes
    xp = namespace(cells.boxes)
    size = xp.square(cells.boxes[..., 2:])
    return xp.concatenate([cells.boxes[..., :2], size], axis=-1)


def predicted_xyxy(cells: Cells, config: GridConfig) -> Array:
    """Returns the corners of the predicted boxes.

    Returns:
        (..., S, S, B, 4) xyxy, relative; not clipped
    """
    return cell_boxes_to_xyxy(predicted_boxes(cells, config), config)


def predicted_class_probs(cells: Cells, config: GridConfig) -> Array:
    """Returns the class probabilities (..., S, S, C): raw, or their softmax if set."""
    if not config.softmax:
        return cells.class_probs
    xp = namespace(cells.class_probs)
    highest = xp.max(cells.class_probs, axis=-1, keepdims=True)
    exponentials = xp.exp(cells.class_probs - highest)
    return exponentials / xp.sum(exponentials, axis=-1, keepdims=True)
