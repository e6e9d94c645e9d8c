"""Cells to boxes, scores and class ids: thresholds and non-maximum suppression.

It runs on the host in NumPy, for a whole batch at a time.
"""

from typing import NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo import grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig


class Detected(NamedTuple):
    """What was found in one image, best first.

    Attributes:
        boxes: (K, 4) xyxy, relative, inside the image, float32; with width and height,
            unless Darknet's way was asked for
        scores: (K,) in [0, 1], unless Darknet's way was asked for; float32
        class_ids: (K,) int32
    """

    boxes: Array
    scores: Array
    class_ids: Array


def candidates(
    y_pred: Array, config: GridConfig, *, darknet: bool = False
) -> tuple[Array, Array]:
    """Returns every box that the grid can say, with its class-specific scores.

    Both factors of a score are probabilities, so they are cut to [0, 1] first: else two
    negative outputs would make a positive score. A box without width or height inside
    the image shows nothing and scores 0. So does a box of which anything is not a
    finite number, and a class of which that is so.

    Args:
        y_pred: (N, S * S * (C + 5 B)) as the network emits it
        config: S, B and C
        darknet (False): leaves boxes and scores as they come, as Darknet does, if
            they are finite

    Returns:
        boxes (N, S * S * B, 4) xyxy, inside the image; scores (N, S * S * B, C)

    Source: paper equation 1; Darknet detection_layer.c
    """
    with np.errstate(over="ignore", invalid="ignore"):  # such boxes score 0
        cells = grid.split(np.asarray(y_pred, np.float32), config)
        xyxy = grid.predicted_xyxy(cells, config)
        confidence = cells.confidence[..., None]  # (N, S, S, B, 1)
        class_probs = grid.predicted_class_probs(cells, config)[..., None, :]
        finite = np.isfinite(xyxy).all(axis=-1, keepdims=True)
        xyxy = np.where(finite, xyxy, 0)
        counts = finite & np.isfinite(confidence) & np.isfinite(class_probs)
        if not darknet:
            xyxy = _boxes.clip(xyxy)
            has_size = (xyxy[..., 2:] > xyxy[..., :2]).all(axis=-1, keepdims=True)
            counts &= has_size
            confidence = np.clip(confidence, 0, 1)
            class_probs = np.clip(class_probs, 0, 1)
        scores = confidence * class_probs
        scores = np.where(counts & np.isfinite(scores), scores, 0)
    boxes_an_image = config.S**2 * config.B
    n = len(y_pred)
    return (
        np.reshape(xyxy, (n, boxes_an_image, 4)).astype(np.float32),
        np.reshape(scores, (n, boxes_an_image, config.C)),
    )


def suppress(
    boxes: Array, scores: Array, iou_thresh: float, *, class_agnostic: bool = False
) -> Array:
    """Returns the scores with zeros where a better box shows the same object.

    Greedy, by class: the best box stays, and all that overlap it by more than
    `iou_thresh` go; then the next best, until none is left. Of equals the first stays.

    Args:
        boxes: (N, K, 4) xyxy
        scores: (N, K, C); zeros are no candidates
        iou_thresh: boxes that overlap more are one object; 1 suppresses nothing
        class_agnostic (False): boxes of different classes suppress each other too

    Returns:
        (N, K, C)

    Source: paper section 2.3
    """
    if class_agnostic:
        best = scores.argmax(axis=-1)[..., None] == np.arange(scores.shape[-1])
        scores = np.where(best, scores, 0)
        alive = suppress(boxes, scores.max(axis=-1, keepdims=True), iou_thresh)
        return np.where(alive > 0, scores, 0)
    with np.errstate(over="ignore", invalid="ignore"):  # boxes as large as floats go
        same = _boxes.iou(boxes, boxes) > iou_thresh  # (N, K, K)
    same[:, np.arange(boxes.shape[1]), np.arange(boxes.shape[1])] = False
    kept = np.swapaxes(scores, 1, 2).copy()  # (N, C, K)
    order = np.argsort(-kept, axis=-1, kind="stable")
    images = np.arange(len(boxes))[:, None]
    for rank in range(int((kept > 0).sum(axis=-1).max(initial=0))):
        best = order[..., rank]  # (N, C)
        alive = np.take_along_axis(kept, best[..., None], axis=-1) > 0  # (N, C, 1)
        kept[same[images, best] & alive] = 0
    return np.swapaxes(kept, 1, 2)


def decode(
    y_pred: Array,
    config: GridConfig,
    *,
    confidence_thresh: float,
    iou_thresh: float,
    max_detections: int,
    class_agnostic: bool = False,
    class_ids: list[int] | None = None,
    darknet: bool = False,
) -> list[Detected]:
    """Returns what the network found in each image.

    Args:
        y_pred: (N, S * S * (C + 5 B)) as the network emits it
        config: S, B and C
        confidence_thresh: lowest score that counts
        iou_thresh: boxes that overlap more are one object
        max_detections: the best so many of an image are kept
        class_agnostic (False): one object has one class
        class_ids (all): classes of interest; others are dropped before suppression
        darknet (False): as Darknet does it: a score must be higher than
            `confidence_thresh`, two negative factors make a positive one, it may pass
            1, boxes suppress each other before they are cut to the image, and those
            that then have no area stay

    Source: paper section 2.3; Darknet detection_layer.c, box.c
    """
    boxes, scores = candidates(y_pred, config, darknet=darknet)
    if darknet:
        scores = np.where(scores > confidence_thresh, scores, 0)
    else:
        scores = np.where(scores >= max(confidence_thresh, 1e-12), scores, 0)
    if class_ids is not None:
        wanted = np.isin(np.arange(config.C), class_ids)
        scores = np.where(wanted, scores, 0)
    scores = suppress(boxes, scores, iou_thresh, class_agnostic=class_agnostic)
    boxes = _boxes.clip(boxes)
    found = []
    for image_boxes, image_scores in zip(boxes, scores, strict=True):
        box_ids, ids = np.nonzero(image_scores)
        values = image_scores[box_ids, ids]
        best = np.argsort(-values, kind="stable")[:max_detections]
        found.append(
            Detected(
                image_boxes[box_ids[best]], values[best], ids[best].astype(np.int32)
            )
        )
    return found
