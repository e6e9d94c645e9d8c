"""Cuts images into overlapping tiles, and merges what was found in them.

Objects that are small in a large image are larger in its tiles. The whole image is
predicted too, for objects that are larger than a tile.
"""

from collections.abc import Sequence

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo import decode
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections

MAX_TILES = 16
"""Largest number of tiles per side."""
OVERLAP = 0.25
"""Share of a tile that its neighbor covers too."""
EDGE = 0.01
"""A box this near to the edge of a tile, as a share of the tile, is cut by it."""


def windows(tiles: int) -> Array:
    """Returns the whole image, then its tiles, row by row.

    Args:
        tiles: number of tiles per side; 0 is none

    Returns:
        (1 + tiles * tiles, 4) xyxy, relative to the image

    Example:
        >>> windows(2)[:2].round(3).tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.571, 0.571]]
    """
    whole = [(0.0, 0.0, 1.0, 1.0)]
    if not tiles:
        return np.array(whole)
    side = 1 / (tiles - (tiles - 1) * OVERLAP)
    starts = np.arange(tiles) * side * (1 - OVERLAP)
    parts = [(x, y, x + side, y + side) for y in starts for x in starts]
    return np.array(whole + parts).clip(0, 1)


def cut(image: Array, tiles: int) -> list[Array]:
    """Returns an image, then its tiles, rounded outwards to whole pixels.

    Args:
        image: (H, W, 3)
        tiles: as in `windows`
    """
    height, width = image.shape[:2]
    scale = np.array([width, height, width, height])
    edges = windows(tiles) * scale
    corners = np.concatenate([np.floor(edges[:, :2]), np.ceil(edges[:, 2:])], axis=-1)
    corners = np.minimum(corners, scale).astype(int)
    return [image[top:bottom, left:right] for left, top, right, bottom in corners]


def sizes(size: tuple[int, int], tiles: int) -> list[tuple[int, int]]:
    """Returns height and width of the parts of `cut`, in pixels.

    Args:
        size: height and width of the image, in pixels
        tiles: as in `windows`
    """
    no_memory = np.broadcast_to(np.uint8(0), (*size, 3))
    return [part.shape[:2] for part in cut(no_memory, tiles)]


def merge(
    found: Sequence[Detections],
    tiles: int,
    *,
    iou_thresh: float,
    max_detections: int,
    class_agnostic: bool = False,
) -> tuple[Detections, Array]:
    """Returns the detections of an image, and which of those of its parts they are.

    A box that touches the edge of a tile inside the image is dropped: the object may
    continue beyond it, and is whole in the neighbor or in the image if it is smaller
    than the overlap or larger than a tile. Of the others, NMS keeps the best.

    Args:
        found: of the parts of `windows`
        tiles: as in `windows`
        iou_thresh: NMS IoU threshold
        max_detections: the best are kept
        class_agnostic (False): NMS also between boxes of different classes

    Returns:
        the detections, and their rows among all detections of the parts
    """
    parts = windows(tiles)
    boxes = np.concatenate([one.boxes for one in found])
    scores = np.concatenate([one.scores for one in found])
    class_ids = np.concatenate([one.class_ids for one in found])
    part = np.repeat(np.arange(len(parts)), [len(one.scores) for one in found])
    start, end = parts[part, :2], parts[part, 2:]
    is_cut = ((boxes[:, :2] < EDGE) & (start > 0)) | (
        (boxes[:, 2:] > 1 - EDGE) & (end < 1)
    )
    rows = np.flatnonzero(~is_cut.any(axis=-1))
    extent = (end - start)[rows]
    of_image = np.concatenate(
        [boxes[rows, :2] * extent, boxes[rows, 2:] * extent], axis=-1
    ) + np.tile(start[rows], 2)
    of_image = _boxes.clip(of_image).astype(np.float32)
    kept = _suppressed(
        of_image, scores[rows], class_ids[rows], iou_thresh, class_agnostic
    )
    best = kept[np.argsort(-scores[rows][kept], kind="stable")][:max_detections]
    rows = rows[best]
    return Detections(of_image[best], scores[rows], class_ids[rows]), rows


def _suppressed(
    boxes: Array,
    scores: Array,
    class_ids: Array,
    iou_thresh: float,
    class_agnostic: bool,
) -> Array:
    """Returns the rows that NMS keeps: all are candidates of one class each."""
    of_class = np.zeros((1, len(scores), int(class_ids.max(initial=0)) + 1))
    of_class[0, np.arange(len(scores)), class_ids] = scores
    kept = decode.non_max_suppression(
        boxes[None], of_class, iou_thresh, class_agnostic=class_agnostic
    )
    return np.flatnonzero(kept[0].max(axis=-1, initial=0) > 0)
