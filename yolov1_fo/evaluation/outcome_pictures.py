"""Draws what is right among the detections of an image, and what was not found.

Right detections are green and wrong ones red, with class and score. Objects are dashed:
white if they were found, yellow and with their class if not.
"""

from collections.abc import Sequence

import numpy as np
from PIL.Image import Image

from yolov1_fo.boxes import Array
from yolov1_fo.evaluation.outcomes import Outcome
from yolov1_fo.image_files import letterboxing
from yolov1_fo.visualize import drawing

RIGHT, WRONG, IGNORED = "#00B07B", "#E8502A", "#C9CDD3"
"""Colors of detections; ignored ones are matched with a difficult object."""
FOUND, MISSED = "#FFFFFF", "#FFD92F"
"""Colors of objects."""


def draw(
    image: Array | Image,
    outcome: Outcome,
    classes: Sequence[str],
    window: Array | None = None,
) -> Image:
    """Returns the image with its detections and objects; the best is drawn last.

    Args:
        image: pixels or picture
        outcome: of the image
        classes: class names, in the order of their ids
        window (None): (4,) of the image in a letterboxed square, if this is drawn
    """
    found, truth = outcome.found, outcome.truth
    boxes, true_boxes = found.boxes, truth.boxes
    if window is not None:
        boxes = letterboxing.image_to_square(boxes, window)
        true_boxes = letterboxing.image_to_square(true_boxes, window)
    picture = drawing.with_boxes(
        image,
        true_boxes,
        [MISSED if missed else FOUND for missed in outcome.is_missed] or [FOUND],
        [
            classes[class_id] if missed else ""
            for class_id, missed in zip(truth.class_ids, outcome.is_missed, strict=True)
        ],
        dashed=True,
    )
    labeled = zip(found.class_ids, found.scores, strict=True)
    names = [f"{classes[class_id]} {score:.2f}" for class_id, score in labeled]
    colors = np.select([outcome.is_true, outcome.is_ignored], [RIGHT, IGNORED], WRONG)
    return drawing.with_boxes(
        picture, boxes[::-1], colors[::-1].tolist() or [WRONG], names[::-1]
    )
