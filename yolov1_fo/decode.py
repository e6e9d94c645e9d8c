"""Decodes the network's output to boxes, scores and class ids: thresholds and NMS.

It runs on the host in NumPy, for a batch at a time.
"""

from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo import grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig
from yolov1_fo.image_files import letterboxing

MIN_SCORE = 1e-12
"""A threshold of 0 keeps scores of at least this."""
MIN_PROB = 1e-7
"""Smallest class probability whose logarithm is a logit."""


class Detections(NamedTuple):
    """The detections in one image, by descending score.

    Attributes:
        boxes: (K, 4) xyxy, relative, clipped to the image, float32; never empty, except
            with `darknet=True`
        scores: (K,) float32, in [0, 1], except with `darknet=True`
        class_ids: (K,) int32
    """

    boxes: Array
    scores: Array
    class_ids: Array


def boxes_and_scores(
    y_pred: Array,
    config: GridConfig,
    *,
    darknet: bool = False,
    windows: Array | None = None,
) -> tuple[Array, Array]:
    """Returns all predicted boxes with their class-specific confidence scores.

    A score is Pr(class given object) * confidence, each clipped to [0, 1]: otherwise
    two negative outputs would make a positive score. Boxes that are empty inside the
    image score 0, and so do boxes and classes with values that are not finite.

    Args:
        y_pred: (N, S * S * (C + 5 B)) raw output of the network
        config: S, B and C
        darknet (False): clips neither boxes nor scores, as Darknet does
        windows (None): as in `decode`

    Returns:
        boxes (N, S * S * B, 4) xyxy, clipped to the image; scores (N, S * S * B, C)

    Source: paper equation 1; Darknet detection_layer.c
    """
    with np.errstate(over="ignore", invalid="ignore"):  # these boxes score 0
        cells = grid.split(np.asarray(y_pred, np.float32), config)
        xyxy = grid.predicted_xyxy(cells, config)  # (N, S, S, B, 4)
        if windows is not None:
            xyxy = letterboxing.square_to_image(xyxy, windows[:, None, None, None])
        confidence = cells.confidence[..., None]  # (N, S, S, B, 1)
        class_probs = grid.predicted_class_probs(cells, config)[..., None, :]
        is_finite = np.isfinite(xyxy).all(axis=-1, keepdims=True)
        xyxy = np.where(is_finite, xyxy, 0)
        is_valid = is_finite & np.isfinite(confidence) & np.isfinite(class_probs)
        if not darknet:
            xyxy = _boxes.clip(xyxy).astype(np.float32)
            is_valid &= (xyxy[..., 2:] > xyxy[..., :2]).all(axis=-1, keepdims=True)
            confidence = np.clip(confidence, 0, 1)
            class_probs = np.clip(class_probs, 0, 1)
        scores = confidence * class_probs
        scores = np.where(is_valid & np.isfinite(scores), scores, 0)
    n, boxes_per_image = len(y_pred), config.S**2 * config.B
    return (
        np.reshape(xyxy, (n, boxes_per_image, 4)).astype(np.float32),
        np.reshape(scores, (n, boxes_per_image, config.C)),
    )


def non_max_suppression(
    boxes: Array, scores: Array, iou_thresh: float, *, class_agnostic: bool = False
) -> Array:
    """Returns the scores, 0 for boxes that overlap a better box of the same class.

    Greedy: the best box is kept and suppresses all boxes whose IoU with it is larger
    than `iou_thresh`; then the next best, and so on. Of equal scores the first is kept.

    Args:
        boxes: (N, K, 4) xyxy
        scores: (N, K, C); 0 = not a candidate
        iou_thresh: NMS IoU threshold; 1 suppresses nothing
        class_agnostic (False): boxes of different classes suppress each other too

    Returns:
        (N, K, C)

    Source: paper section 2.3
    """
    if class_agnostic:
        is_best = scores.argmax(axis=-1)[..., None] == np.arange(scores.shape[-1])
        scores = np.where(is_best, scores, 0)
        highest = scores.max(axis=-1, keepdims=True)
        kept = non_max_suppression(boxes, highest, iou_thresh)
        return np.where(kept > 0, scores, 0)
    # Only candidates are compared: with S = 20, about a tenth of the boxes.
    is_candidate = (scores > 0).any(axis=-1)  # (N, K)
    count = int(is_candidate.sum(axis=-1).max(initial=0))
    rows = np.argsort(~is_candidate, axis=-1, kind="stable")[:, :count, None]
    kept = _greedy(
        np.take_along_axis(boxes, rows, axis=1),
        np.take_along_axis(scores, rows, axis=1),
        iou_thresh,
    )
    result = np.zeros_like(scores)
    np.put_along_axis(result, rows, kept, axis=1)
    return result


def _greedy(boxes: Array, scores: Array, iou_thresh: float) -> Array:
    """Returns the scores after NMS among all boxes, see `non_max_suppression`."""
    with np.errstate(over="ignore", invalid="ignore"):  # boxes near the float maximum
        overlaps = _boxes.iou(boxes, boxes) > iou_thresh  # (N, K, K)
    overlaps[:, np.arange(boxes.shape[1]), np.arange(boxes.shape[1])] = False
    kept = np.swapaxes(scores, 1, 2).copy()  # (N, C, K)
    order = np.argsort(-kept, axis=-1, kind="stable")
    images = np.arange(len(boxes))[:, None]
    for rank in range(int((kept > 0).sum(axis=-1).max(initial=0))):
        best = order[..., rank]  # (N, C)
        is_kept = np.take_along_axis(kept, best[..., None], axis=-1) > 0  # (N, C, 1)
        kept[overlaps[images, best] & is_kept] = 0
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
    windows: Array | None = None,
) -> list[Detections]:
    """Returns the detections in each image.

    Args:
        y_pred: (N, S * S * (C + 5 B)) raw output of the network
        config: S, B and C
        confidence_thresh: detections with a lower score are dropped
        iou_thresh: NMS IoU threshold
        max_detections: largest number of detections per image; the best are kept
        class_agnostic (False): boxes of different classes suppress each other too
        class_ids (all): classes to keep; the others are dropped before NMS
        darknet (False): decodes as Darknet does: a score must be higher than
            `confidence_thresh`, can exceed 1, and can come from two negative factors;
            boxes are clipped to the image after NMS, and empty ones are kept
        windows (None): (N, 4) of letterboxed images, see `letterboxing.windows`. Boxes
            then are relative to the image in the square and clipped to it; those beside
            it are dropped. Without, boxes are relative to the network's input

    Source: paper section 2.3; Darknet detection_layer.c, box.c
    """
    boxes, scores = _suppressed(
        *(y_pred, config, confidence_thresh, iou_thresh),
        class_agnostic=class_agnostic,
        class_ids=class_ids,
        darknet=darknet,
        windows=windows,
    )
    return [
        _best_of_image(*image, max_detections)[0]
        for image in zip(boxes, scores, strict=True)
    ]


def decode_with_logits(
    y_pred: Array,
    config: GridConfig,
    *,
    confidence_thresh: float,
    iou_thresh: float,
    max_detections: int,
    **settings: Any,
) -> list[tuple[Detections, Array]]:
    """Returns the detections in each image, with the class logits of each: (K, C).

    Args:
        y_pred: (N, S * S * (C + 5 B)) raw output of the network
        config: S, B and C
        confidence_thresh: as in `decode`
        iou_thresh: as in `decode`
        max_detections: as in `decode`
        **settings: as in `decode`
    """
    boxes, scores = _suppressed(
        y_pred, config, confidence_thresh, iou_thresh, **settings
    )
    found = []
    logits = class_logits(y_pred, config)
    for of_boxes, of_scores, of_cells in zip(boxes, scores, logits, strict=True):
        detections, rows = _best_of_image(of_boxes, of_scores, max_detections)
        found.append((detections, of_cells[rows // config.B]))
    return found


def class_logits(y_pred: Array, config: GridConfig) -> Array:
    """Returns the class logits of each cell: (N, S * S, C) float32.

    Their softmax is the distribution of the classes, given an object. They are the
    network's raw outputs if `config.softmax` is on, else the logarithms of the class
    probabilities.

    Args:
        y_pred: (N, S * S * (C + 5 B)) raw output of the network
        config: S, B and C
    """
    raw = grid.split(np.asarray(y_pred, np.float32), config).class_probs
    raw = np.reshape(raw, (len(y_pred), config.S**2, config.C))
    return raw if config.softmax else np.log(np.clip(raw, MIN_PROB, 1))


def _suppressed(
    y_pred: Array,
    config: GridConfig,
    confidence_thresh: float,
    iou_thresh: float,
    *,
    class_agnostic: bool = False,
    class_ids: list[int] | None = None,
    darknet: bool = False,
    windows: Array | None = None,
) -> tuple[Array, Array]:
    """Returns boxes (N, K, 4), and scores (N, K, C): 0 for those that are dropped."""
    boxes, scores = boxes_and_scores(y_pred, config, darknet=darknet, windows=windows)
    if darknet:
        scores = np.where(scores > confidence_thresh, scores, 0)
    else:
        scores = np.where(scores >= max(confidence_thresh, MIN_SCORE), scores, 0)
    if class_ids is not None:
        is_wanted = np.isin(np.arange(config.C), class_ids)
        scores = np.where(is_wanted, scores, 0)
    scores = non_max_suppression(
        boxes, scores, iou_thresh, class_agnostic=class_agnostic
    )
    return _boxes.clip(boxes), scores


def _best_of_image(
    boxes: Array, scores: Array, max_detections: int
) -> tuple[Detections, Array]:
    """Returns the detections of the highest scores, and their rows in boxes (K, 4)."""
    rows, class_ids = np.nonzero(scores)
    values = scores[rows, class_ids]
    best = np.argsort(-values, kind="stable")[:max_detections]
    rows = rows[best]
    ids = class_ids[best].astype(np.int32)
    return Detections(boxes[rows], values[best], ids), rows
