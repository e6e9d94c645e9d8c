"""Draws the targets and predictions of YOLOv1 on an image.

Each function accepts pixels, (H, W, 3) uint8 RGB, or a picture returned by another of
them, and returns a new picture of the same size.

The grid covers the network's input. For a letterboxed network the image is
`images.read(path, image_size, letterbox=True)`, and boxes are relative to this square:
see `letterboxing.image_to_square`.
"""

from collections.abc import Sequence

import numpy as np
from PIL.Image import Image

from yolov1_fo import grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig
from yolov1_fo.visualize import drawing
from yolov1_fo.visualize.drawing import color_of


def truth(
    image: Array | Image,
    boxes: Array,
    class_ids: Array,
    config: GridConfig,
    classes: Sequence[str] = (),
    *,
    neighbor_cells: bool = False,
) -> Image:
    """Returns the targets: objects, their centers, and the responsible grid cells.

    Args:
        image: pixels or picture
        boxes: (M, 4) xyxy, relative
        class_ids: (M,) ints
        config: S and C
        classes (none): class names, in the order of their ids
        neighbor_cells (False): as in `grid.encode`

    Source: paper section 2
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    colors = [color_of(one) for one in class_ids] or drawing.COLORS
    picture = image
    if len(boxes):
        encoded = grid.encode(
            boxes, np.asarray(class_ids), config, neighbor_cells=neighbor_cells
        )
        targets = grid.split_targets(encoded)
        cell_classes = targets.class_probs.argmax(axis=-1).ravel()
        cell_colors = [color_of(class_id) for class_id in cell_classes]
        picture = drawing.with_cells(picture, targets.object, cell_colors)
    picture = drawing.with_grid(picture, config.S)
    names = [classes[one] for one in class_ids] if len(classes) else ()
    return drawing.with_centers(
        drawing.with_boxes(picture, boxes, colors, names), boxes, colors
    )


def objectness(image: Array | Image, cells: grid.Cells) -> Image:
    """Returns the objectness of each cell: the highest confidence of its boxes.

    Args:
        image: pixels or picture
        cells: predictions of the image
    """
    confidence = np.asarray(cells.confidence)
    shaded = drawing.with_cells(image, confidence.max(axis=-1))
    return drawing.with_grid(shaded, len(confidence))


def cell_boxes(image: Array | Image, cells: grid.Cells, config: GridConfig) -> Image:
    """Returns all S x S x B boxes; the width of an edge shows the confidence.

    Args:
        image: pixels or picture
        cells: predictions of the image
        config: S and B

    Source: paper figure 2, top
    """
    corners = np.reshape(grid.predicted_xyxy(cells, config), (-1, 4))
    class_ids = np.repeat(np.argmax(cells.class_probs, axis=-1).ravel(), config.B)
    colors = [color_of(one) for one in class_ids]
    confidence = np.ravel(cells.confidence)
    return drawing.with_strong_boxes(image, corners, confidence, colors)


def class_map(image: Array | Image, cells: grid.Cells, config: GridConfig) -> Image:
    """Returns the most likely class of each cell; the opacity shows its probability.

    Args:
        image: pixels or picture
        cells: predictions of the image
        config: S and C

    Source: paper figure 2, bottom
    """
    probs = grid.predicted_class_probs(cells, config)
    colors = [color_of(one) for one in np.argmax(probs, axis=-1).ravel()]
    return drawing.with_grid(
        drawing.with_cells(image, np.max(probs, axis=-1), colors), config.S
    )


def detections(
    image: Array | Image,
    boxes: Array,
    scores: Array,
    class_ids: Array,
    classes: Sequence[str],
) -> Image:
    """Returns detections with class names and scores; the best is drawn last.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative, best first
        scores: (K,)
        class_ids: (K,) ints
        classes: class names, in the order of their ids
    """
    labeled = zip(class_ids, scores, strict=True)
    names = [f"{classes[one]} {score:.2f}" for one, score in labeled]
    colors = [color_of(one) for one in class_ids] or drawing.COLORS
    return drawing.with_boxes(image, boxes[::-1], colors[::-1], names[::-1])
