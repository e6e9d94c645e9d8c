"""Cuts images and their objects into overlapping tiles; merges what was found in them.

Objects that are small in a large image are larger in its tiles. The whole image is used
too, for objects that are larger than a tile.
"""

from collections.abc import Sequence

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo import decode
from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections
from yolov1_fo.image_files import resizing
from yolov1_fo.pipeline.objects import RaggedBoxes

OVERLAP = 0.25
"""Share of a tile that its neighbor covers too."""
EDGE = 0.01
"""A box this near to the edge of a tile, as a share of the tile, is cut by it."""
MIN_VISIBLE = 0.25
"""A tile does not have an object of which it shows a smaller share of the area."""
MIN_FILLED = 0.5
"""Unless the object fills at least this share of the tile."""


def windows(tiles: int) -> Array:
    """Returns the whole image, then its tiles, row by row.

    Args:
        tiles: number of tiles per side; 0 and 1 are none

    Returns:
        (P, 4) xyxy, relative to the image

    Example:
        >>> windows(2)[:2].round(3).tolist()
        [[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.571, 0.571]]
    """
    whole = [(0.0, 0.0, 1.0, 1.0)]
    if tiles < 2:
        return np.array(whole)
    side = 1 / (tiles - (tiles - 1) * OVERLAP)
    starts = np.arange(tiles) * side * (1 - OVERLAP)
    parts = [(x, y, x + side, y + side) for y in starts for x in starts]
    return np.array(whole + parts).clip(0, 1)


def count(tiles: int) -> int:
    """Returns the number P of parts of an image: 1 without tiles.

    Args:
        tiles: as in `windows`

    Example:
        >>> count(0), count(2), count(3)
        (1, 5, 10)
    """
    return len(windows(tiles))


def cut(image: Array, tiles: int) -> list[Array]:
    """Returns an image, then its tiles, rounded outwards to whole pixels.

    Args:
        image: (H, W, 3)
        tiles: as in `windows`
    """
    return [resizing.crop(image, window) for window in windows(tiles)]


def cut_objects(
    objects: RaggedBoxes, tiles: int, *, min_visible: float = MIN_VISIBLE
) -> RaggedBoxes:
    """Returns the objects of the parts of each image, part after part.

    Args:
        objects: of N images
        tiles: as in `windows`
        min_visible (0.25): see `MIN_VISIBLE`

    Returns:
        those of N P images; boxes are relative to the parts, and cut at their edges
    """
    parts = windows(tiles)
    if len(parts) == 1:
        return objects
    n = len(objects.offsets) - 1
    image = np.repeat(np.arange(n), np.diff(objects.offsets))
    boxes, rows = [objects.boxes], [np.arange(len(image))]  # the whole images
    for window in parts[1:].astype(np.float32):
        moved, is_kept = _shown(objects.boxes, window, min_visible)
        boxes.append(moved[is_kept])
        rows.append(np.flatnonzero(is_kept))
    place = np.concatenate(
        [image[some] * len(parts) + part for part, some in enumerate(rows)]
    )
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=n * len(parts))
    return RaggedBoxes(
        np.concatenate(boxes)[order],
        objects.class_ids[np.concatenate(rows)[order]],
        np.concatenate([[0], np.cumsum(counts)]),
    )


def _shown(boxes: Array, window: Array, min_visible: float) -> tuple[Array, Array]:
    """Returns boxes (K, 4) relative to a tile, cut, and which of them it shows."""
    start, extent = window[:2], window[2:] - window[:2]
    corners = [(boxes[:, :2] - start) / extent, (boxes[:, 2:] - start) / extent]
    moved = _boxes.clip(np.concatenate(corners, axis=-1))
    filled = _boxes.area(moved)
    visible = filled * _boxes.area(window)
    is_kept = visible >= min_visible * _boxes.area(boxes)
    return moved, (filled > 0) & (is_kept | (filled >= MIN_FILLED))


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
