"""The five terms of the paper's loss, and their weights.

The loss is half of equation 3, averaged over the batch, so that its gradient is
Darknet's.
"""

from typing import NamedTuple

from keras import ops

from yolov1_fo import boxes, grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, LossConfig


class Terms(NamedTuple):
    """The sums of squared errors, (N,) each, in the order of equation 3."""

    coord_xy: Array
    coord_wh: Array
    confidence_obj: Array
    confidence_noobj: Array
    class_probs: Array


def terms(
    y_true: Array, y_pred: Array, config: GridConfig, loss_config: LossConfig
) -> Terms:
    """Returns the five unweighted sums of equation 3 for each image.

    In a cell with an object, the predictor with the highest IoU is responsible, the
    first one if several are equal; its confidence target is that IoU. All gradients are
    finite: the network predicts the square roots of w and h, so no root of a prediction
    is taken.

    Args:
        y_true: (N, S, S, 5 + C) from `grid.encode`, float32
        y_pred: (N, S * S * (C + 5 B)) raw output of the network, float32
        config: S, B and C; `sqrt`; `softmax`, which replaces the squared error of the
            class probabilities with twice the cross-entropy, whose halved gradient is
            Darknet's p - t
        loss_config: confidence target; responsible predictor where no box overlaps

    Source: paper equation 3; Darknet detection_layer.c
    """
    targets, cells = grid.split_targets(y_true), grid.split(y_pred, config)
    overlap = _iou_with_targets(cells, targets, config)  # (N, S, S, B)
    responsible = _responsible(
        cells, targets, overlap, config, loss_config
    )  # (N, S, S, B)
    has_object = targets.object[..., None]  # (N, S, S, 1)

    true_size = targets.boxes[..., 2:]
    if config.sqrt:
        true_size = ops.sqrt(true_size)
    xy_error = ops.square(cells.boxes[..., :2] - targets.boxes[..., None, :2])
    wh_error = ops.square(cells.boxes[..., 2:] - true_size[..., None, :])
    true_confidence = overlap if loss_config.rescore else ops.ones_like(overlap)
    confidence_error = ops.square(cells.confidence - true_confidence)
    if config.softmax:
        log_probs = ops.log_softmax(cells.class_probs, axis=-1)
        class_error = -2 * targets.class_probs * log_probs
    else:
        class_error = ops.square(cells.class_probs - targets.class_probs)

    return Terms(
        coord_xy=_sum(responsible[..., None] * xy_error),
        coord_wh=_sum(responsible[..., None] * wh_error),
        confidence_obj=_sum(responsible * confidence_error),
        confidence_noobj=_sum((1 - responsible) * ops.square(cells.confidence)),
        class_probs=_sum(has_object * class_error),
    )


def _iou_with_targets(
    cells: grid.Cells, targets: grid.Targets, config: GridConfig
) -> Array:
    """Returns the IoU of each predicted box with the object of its cell: (N, S, S, B).

    It is a constant of the loss: no gradient flows through it.
    """
    true_xyxy = grid.cell_boxes_to_xyxy(targets.boxes[..., None, :], config)
    overlap = boxes.iou(grid.predicted_xyxy(cells, config), true_xyxy)[..., 0]
    return ops.stop_gradient(overlap)


def _responsible(
    cells: grid.Cells,
    targets: grid.Targets,
    overlap: Array,
    config: GridConfig,
    loss_config: LossConfig,
) -> Array:
    """Returns 1 for the responsible predictor of each object, else 0: (N, S, S, B)."""
    fit = overlap
    if loss_config.rmse_fallback:
        predicted = grid.predicted_boxes(cells, config)
        distance = _squared_distance(predicted, targets.boxes, config)
        overlaps = ops.max(overlap, axis=-1, keepdims=True) > 0
        fit = ops.where(overlaps, overlap, -distance)
    is_best = ops.equal(fit, ops.max(fit, axis=-1, keepdims=True))
    is_first = ops.equal(ops.cumsum(ops.cast(is_best, "int32"), axis=-1), 1)
    chosen = ops.cast(ops.logical_and(is_best, is_first), "float32")
    return targets.object[..., None] * chosen


def _squared_distance(predicted: Array, true: Array, config: GridConfig) -> Array:
    """Returns the squared distance of each box from the target: (N, S, S, B).

    Args:
        predicted: (N, S, S, B, 4) x, y in cells; w, h relative to the image
        true: (N, S, S, 4) the same
        config: S
    """
    squares = ops.square(ops.stop_gradient(predicted) - true[..., None, :])
    position, size = ops.sum(squares[..., :2], -1), ops.sum(squares[..., 2:], -1)
    return position / config.S**2 + size


def _sum(errors: Array) -> Array:
    """Returns the sum over all axes but the first."""
    return ops.sum(errors, axis=tuple(range(1, len(errors.shape))))


def weighted(parts: Terms, config: LossConfig, S: int = GridConfig.S) -> Terms:
    """Returns the weighted terms of each image; their sum is its loss.

    Args:
        parts: (N,) each, from `terms`
        config: lambda_coord and lambda_noobj
        S (7): cells per side, for `scale_noobj`

    Source: paper equation 3, halved as in Darknet detection_layer.c
    """
    coord, noobj = config.lambda_coord, config.lambda_noobj
    if config.scale_noobj:
        noobj *= GridConfig.S**2 / S**2
    weights = Terms(coord, coord, 1.0, noobj, 1.0)
    return Terms(
        *(0.5 * weight * part for weight, part in zip(weights, parts, strict=True))
    )
