"""The five terms of the paper's loss, weighted.

Half of equation 3, averaged over the images of a batch: so the gradient is Darknet's.
"""

from typing import NamedTuple

from keras import ops

from yolov1_fo import boxes, grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, LossConfig


class Terms(NamedTuple):
    """The squared errors of each image, (N,) each, unweighted, in the paper's order."""

    coord_xy: Array
    coord_wh: Array
    confidence_obj: Array
    confidence_noobj: Array
    class_probs: Array


def terms(y_true: Array, y_pred: Array, config: GridConfig, rules: LossConfig) -> Terms:
    """Returns the five sums of equation 3 for each image.

    In a cell with an object the predictor whose box overlaps it most is responsible; of
    equals, the first. Its confidence should be that overlap. The gradient of every term
    is finite everywhere: the network emits the roots of w and h, so no root is taken of
    anything predicted.

    Args:
        y_true: (N, S, S, 5 + C) as `grid.encode` makes it, float32
        y_pred: (N, S * S * (C + 5 B)) as the network emits it, float32
        config: S, B and C; whether it says roots, and whether its class probabilities
            are a softmax: then their error is the cross-entropy, twice, since Darknet
            hands p - t on as that softmax's gradient
        rules: what a confidence should be, and who is responsible if no box overlaps

    Source: paper equation 3; Darknet detection_layer.c
    """
    truth, cells = grid.split_truth(y_true), grid.split(y_pred, config)

    # 1. Who is responsible.
    true_xyxy = grid.to_xyxy(truth.boxes[..., None, :], config)  # (N, S, S, 1, 4)
    overlap = boxes.iou(grid.predicted_xyxy(cells, config), true_xyxy)[..., 0]
    overlap = ops.stop_gradient(overlap)  # (N, S, S, B)
    fit = overlap
    if rules.rmse_fallback:
        distance = _distance(grid.predicted(cells, config), truth.boxes, config)
        fit = ops.where(ops.max(overlap, -1, keepdims=True) > 0, overlap, -distance)
    best = ops.equal(fit, ops.max(fit, axis=-1, keepdims=True))
    first = ops.equal(ops.cumsum(ops.cast(best, "int32"), axis=-1), 1)
    here = truth.object[..., None]  # (N, S, S, 1)
    responsible = here * ops.cast(ops.logical_and(best, first), "float32")

    # 2. What it should have said.
    size = ops.sqrt(truth.boxes[..., 2:]) if config.sqrt else truth.boxes[..., 2:]
    xy_error = ops.square(cells.boxes[..., :2] - truth.boxes[..., None, :2])
    wh_error = ops.square(cells.boxes[..., 2:] - size[..., None, :])
    wanted = overlap if rules.rescore else ops.ones_like(overlap)
    if config.softmax:
        log_probs = ops.log_softmax(cells.class_probs, axis=-1)
        class_error = -2 * truth.class_probs * log_probs
    else:
        class_error = ops.square(cells.class_probs - truth.class_probs)

    return Terms(
        coord_xy=_sum(responsible[..., None] * xy_error),
        coord_wh=_sum(responsible[..., None] * wh_error),
        confidence_obj=_sum(responsible * ops.square(cells.confidence - wanted)),
        confidence_noobj=_sum((1 - responsible) * ops.square(cells.confidence)),
        class_probs=_sum(here * class_error),
    )


def _distance(predicted: Array, true: Array, config: GridConfig) -> Array:
    """Returns how far each box is from the truth, squared: (N, S, S, B).

    Args:
        predicted: (N, S, S, B, 4) x, y in cells; w, h relative to the image
        true: (N, S, S, 4) the same
        config: S
    """
    apart = ops.square(ops.stop_gradient(predicted) - true[..., None, :])
    position, size = ops.sum(apart[..., :2], -1), ops.sum(apart[..., 2:], -1)
    return position / config.S**2 + size


def _sum(errors: Array) -> Array:
    return ops.sum(errors, axis=tuple(range(1, len(errors.shape))))


def weighted(parts: Terms, config: LossConfig) -> Terms:
    """Returns what each term adds to the loss of each image; their sum is the loss.

    Args:
        parts: (N,) each, from `terms`
        config: the two lambdas

    Source: paper equation 3, halved as in Darknet detection_layer.c
    """
    coord, noobj = config.lambda_coord, config.lambda_noobj
    weights = Terms(coord, coord, 1.0, noobj, 1.0)
    return Terms(
        *(0.5 * weight * part for weight, part in zip(weights, parts, strict=True))
    )
