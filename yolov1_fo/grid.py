"""Boxes to cells and back; the one file that knows the channel order.

The network emits one vector an image, in Darknet's order: all class probabilities cell
by cell, then all confidences, then all boxes as x, y, root of w, root of h.
"""

from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array, namespace
from yolov1_fo.config import GridConfig


class Cells(NamedTuple):
    """What the network says of each cell, as it emits it.

    Attributes:
        class_probs: (..., S, S, C)
        confidence: (..., S, S, B)
        boxes: (..., S, S, B, 4) x, y in cells from the cell's corner; square roots of
            w and h relative to the image, or w and h themselves without `sqrt`
    """

    class_probs: Array
    confidence: Array
    boxes: Array


class Truth(NamedTuple):
    """What should be said of each cell.

    Attributes:
        boxes: (..., S, S, 4) x, y in cells from the cell's corner; w, h relative to the
            image
        object: (..., S, S) 1 where an object's centre lies in the cell
        class_probs: (..., S, S, C) one-hot
    """

    boxes: Array
    object: Array
    class_probs: Array


def outputs(config: GridConfig) -> int:
    """Returns how many numbers the network emits for an image.

    Example:
        >>> outputs(GridConfig())
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
    lead = tuple(y.shape[:-1])
    lead = tuple(-1 if n is None else n for n in lead)
    ends = S * S * C, S * S * (C + B)
    return Cells(
        class_probs=xp.reshape(y[..., : ends[0]], (*lead, S, S, C)),
        confidence=xp.reshape(y[..., ends[0] : ends[1]], (*lead, S, S, B)),
        boxes=xp.reshape(y[..., ends[1] :], (*lead, S, S, B, 4)),
    )


def join(cells: Cells) -> Array:
    """Returns the vector that the network would emit; `split(join(cells)) == cells`.

    Args:
        cells: see `Cells`

    Returns:
        (..., S * S * (C + 5 B))
    """
    xp = namespace(cells.boxes)
    lead = tuple(cells.boxes.shape[:-4])
    lead = tuple(-1 if n is None else n for n in lead)
    parts = []
    for part in cells:
        size = int(np.prod(part.shape[len(lead) :]))
        parts.append(xp.reshape(part, (*lead, size)))
    return xp.concatenate(parts, axis=-1)


def split_truth(y_true: Array) -> Truth:
    """Returns the parts of what `encode` made."""
    return Truth(y_true[..., :4], y_true[..., 4], y_true[..., 5:])


def encode(boxes: Array, class_ids: Array, config: GridConfig) -> Array:
    """Returns what the network should say of each cell.

    An object belongs to the cell that holds its centre. Of several in one cell the
    first in `boxes` stays, the others are lost. What of a box lies outside the image is
    cut off first; empty boxes are left out. A centre on the last edge belongs to the
    last cell.

    Args:
        boxes: (..., M, 4) xyxy, relative
        class_ids: (..., M) ints; -1 where there is no object
        config: S and C

    Returns:
        (..., S, S, (x, y, w, h, object, *one_hot)); zeros in a cell without an object

    Source: paper section 2; Darknet data.c
    """
    xp = namespace(boxes)
    S, C = config.S, config.C
    lead = tuple(-1 if n is None else n for n in boxes.shape[:-2])
    if boxes.shape[-2] == 0:
        raise ValueError("boxes must be padded to at least one row, got none")

    # 1. Which cell each object belongs to.
    centre_size = _boxes.xyxy_to_cxcywh(_boxes.clip(boxes))
    centre, size = centre_size[..., :2], centre_size[..., 2:]
    corner = _corner(centre, config)
    index = corner[..., 1] * S + corner[..., 0]  # (..., M)
    valid = (class_ids >= 0) & (size[..., 0] > 0) & (size[..., 1] > 0)

    # 2. Which object owns each cell.
    cells = xp.arange(S * S, dtype="float32")
    inside = (index[..., None] == cells) & valid[..., None]  # (..., M, S * S)
    count = xp.cumsum(xp.where(inside, 1, 0), axis=-2)
    first = xp.where(inside & (count == 1), 1, 0)
    owner = xp.argmax(first, axis=-2)  # (..., S * S)
    taken = xp.max(first, axis=-2)

    # 3. What it says there.
    one_hot = class_ids[..., None] == xp.arange(C, dtype=class_ids.dtype)
    ones = xp.ones_like(size[..., :1])
    values = xp.concatenate(
        [centre * S - corner, size, ones, xp.where(one_hot, ones, xp.zeros_like(ones))],
        axis=-1,
    )  # (..., M, 5 + C)
    chosen = xp.take_along_axis(values, owner[..., None], axis=-2)
    chosen = xp.where(taken[..., None] > 0, chosen, xp.zeros_like(chosen))
    return xp.reshape(chosen, (*lead, S, S, 5 + C))


def cell_of(boxes: Array, config: GridConfig) -> Array:
    """Returns the number of the cell that `encode` gives each object.

    Args:
        boxes: (..., 4) xyxy, relative
        config: S

    Returns:
        (...) in [0, S * S), row by row
    """
    corner = _corner(_boxes.xyxy_to_cxcywh(_boxes.clip(boxes))[..., :2], config)
    return corner[..., 1] * config.S + corner[..., 0]


def _corner(centre: Array, config: GridConfig) -> Array:
    """Returns the cell of each centre: (..., (column, row))."""
    xp = namespace(centre)
    return xp.clip(xp.floor(centre * config.S), 0, config.S - 1)


def to_xyxy(boxes: Array, config: GridConfig) -> Array:
    """Returns the corners of boxes that are said cell by cell.

    Args:
        boxes: (..., S, S, B, 4) x, y in cells from the cell's corner; w, h relative
            to the image
        config: S

    Returns:
        (..., S, S, B, 4) xyxy, relative; not clipped
    """
    xp = namespace(boxes)
    cell = np.arange(config.S, dtype=np.float32)
    column, row = np.meshgrid(cell, cell)
    corner = np.stack([column, row], axis=-1)[:, :, None, :]  # (S, S, 1, 2)
    centre = (boxes[..., :2] + corner) / config.S
    return _boxes.cxcywh_to_xyxy(xp.concatenate([centre, boxes[..., 2:]], axis=-1))


def predicted(cells: Cells, config: GridConfig) -> Array:
    """Returns the predicted boxes with width and height in the place of their roots.

    Returns:
        (..., S, S, B, 4) x, y in cells from the cell's corner; w, h relative to the
        image
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
    return to_xyxy(predicted(cells, config), config)


def predicted_class_probs(cells: Cells, config: GridConfig) -> Array:
    """Returns (..., S, S, C): what the network says, or its softmax if that is set."""
    if not config.softmax:
        return cells.class_probs
    xp = namespace(cells.class_probs)
    highest = xp.max(cells.class_probs, axis=-1, keepdims=True)
    parts = xp.exp(cells.class_probs - highest)
    return parts / xp.sum(parts, axis=-1, keepdims=True)
