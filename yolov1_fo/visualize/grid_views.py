"""Pictures of what YOLOv1 is told and what it says, drawn on the image itself.

Each function takes pixels (H, W, 3) uint8 RGB, or the picture that another function
made of them, and returns a new picture of the same size.
"""

from collections.abc import Sequence

import numpy as np
from PIL.Image import Image

from yolov1_fo import grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig
from yolov1_fo.visualize import drawing
from yolov1_fo.visualize.drawing import colour_of


def truth(
    image: Array | Image,
    boxes: Array,
    class_ids: Array,
    config: GridConfig,
    classes: Sequence[str] = (),
) -> Image:
    """Returns what the network should say: objects, centres, the cells that own them.

    Args:
        image: pixels or picture
        boxes: (M, 4) xyxy, relative
        class_ids: (M,) ints
        config: S and C
        classes (none): names in the order of their ids

    Source: paper section 2
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    colours = [colour_of(one) for one in class_ids] or drawing.COLOURS
    picture = image
    if len(boxes):
        told = grid.split_truth(grid.encode(boxes, np.asarray(class_ids), config))
        owners = told.class_probs.argmax(axis=-1).ravel()
        shades = [colour_of(class_id) for class_id in owners]
        picture = drawing.with_cells(picture, told.object, shades)
    picture = drawing.with_grid(picture, config.S)
    names = [classes[one] for one in class_ids] if len(classes) else ()
    return drawing.with_centres(
        drawing.with_boxes(picture, boxes, colours, names), boxes, colours
    )


def objectness(image: Array | Image, cells: grid.Cells) -> Image:
    """Returns how sure each cell is of an object: the best confidence of its boxes.

    Args:
        image: pixels or picture
        cells: what the network says of it
    """
    confidence = np.asarray(cells.confidence)
    shaded = drawing.with_cells(image, confidence.max(axis=-1))
    return drawing.with_grid(shaded, len(confidence))


def cell_boxes(image: Array | Image, cells: grid.Cells, config: GridConfig) -> Image:
    """Returns all S x S x B boxes; the surer one is, the thicker its edge.

    Args:
        image: pixels or picture
        cells: what the network says of it
        config: S and B

    Source: paper figure 2, above
    """
    corners = np.reshape(grid.predicted_xyxy(cells, config), (-1, 4))
    class_ids = np.repeat(np.argmax(cells.class_probs, axis=-1).ravel(), config.B)
    colours = [colour_of(one) for one in class_ids]
    confidence = np.ravel(cells.confidence)
    return drawing.with_strong_boxes(image, corners, confidence, colours)


def class_map(image: Array | Image, cells: grid.Cells, config: GridConfig) -> Image:
    """Returns the likeliest class of each cell; the likelier, the stronger its colour.

    Args:
        image: pixels or picture
        cells: what the network says of it
        config: S and C

    Source: paper figure 2, below
    """
    probs = grid.predicted_class_probs(cells, config)
    colours = [colour_of(one) for one in np.argmax(probs, axis=-1).ravel()]
    return drawing.with_grid(
        drawing.with_cells(image, np.max(probs, axis=-1), colours), config.S
    )


def detections(
    image: Array | Image,
    boxes: Array,
    scores: Array,
    class_ids: Array,
    classes: Sequence[str],
) -> Image:
    """Returns what was found, with classes and scores; the best lie on top.

    Args:
        image: pixels or picture
        boxes: (K, 4) xyxy, relative, best first
        scores: (K,)
        class_ids: (K,) ints
        classes: names in the order of their ids
    """
    said = zip(class_ids, scores, strict=True)
    names = [f"{classes[one]} {score:.2f}" for one, score in said]
    colours = [colour_of(one) for one in class_ids] or drawing.COLOURS
    return drawing.with_boxes(image, boxes[::-1], colours[::-1], names[::-1])
