"""The five terms of the paper's loss, their variants, and their weights.

The loss is half of equation 3, averaged over the batch, so that its gradient is
Darknet's.
"""

from collections.abc import Callable
from typing import NamedTuple

from keras import ops

from yolov1_fo import boxes, grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig, LossConfig


class Terms(NamedTuple):
    """The sums of errors of an image, (N,) each, in the order of equation 3."""

    coord_xy: Array
    coord_wh: Array
    confidence_obj: Array
    confidence_noobj: Array
    class_probs: Array


class IouTerms(NamedTuple):
    """The same with `box_loss="ciou"`: one error for position and size."""

    coord_iou: Array
    confidence_obj: Array
    confidence_noobj: Array
    class_probs: Array


def term_names(config: LossConfig) -> tuple[str, ...]:
    """Returns the names of the terms."""
    return (IouTerms if config.box_loss == "ciou" else Terms)._fields


def encode(
    xyxy: Array, class_ids: Array, config: GridConfig, loss_config: LossConfig
) -> Array:
    """Returns the targets of each cell, as the loss assigns objects to cells.

    Args:
        xyxy: (..., M, 4) relative
        class_ids: (..., M) ints; -1 = no object
        config: S and C
        loss_config: whether neighboring cells are responsible too

    Returns:
        (..., S, S, 5 + C), see `grid.encode`
    """
    return grid.encode(
        xyxy, class_ids, config, neighbor_cells=loss_config.neighbor_cells
    )


def of_objects(
    xyxy: Array,
    class_ids: Array,
    y_pred: Array,
    config: GridConfig,
    loss_config: LossConfig,
) -> Terms | IouTerms:
    """Returns the weighted terms of each image; their sum is its loss.

    Args:
        xyxy: (N, M, 4) relative; NumPy
        class_ids: (N, M) ints; -1 = no object
        y_pred: (N, S * S * (C + 5 B)) raw output of the network
        config: as in `terms`
        loss_config: as in `terms` and `weighted`
    """
    y_true = encode(xyxy, class_ids, config, loss_config).astype("float32")
    return weighted(terms(y_true, y_pred, config, loss_config), loss_config, config.S)


def terms(
    y_true: Array, y_pred: Array, config: GridConfig, loss_config: LossConfig
) -> Terms | IouTerms:
    """Returns the unweighted sums of equation 3, or of its variants, for each image.

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
        loss_config: kind of errors; confidence target; responsible predictor where no
            box overlaps

    Source: paper equation 3; Darknet detection_layer.c; for CIoU `boxes.complete_iou`
    """
    targets, cells = grid.split_targets(y_true), grid.split(y_pred, config)
    overlap = _iou_with_targets(cells, targets, config)  # (N, S, S, B)
    responsible = _responsible(
        cells, targets, overlap, config, loss_config
    )  # (N, S, S, B)
    has_object = targets.object[..., None]  # (N, S, S, 1)

    true_confidence = overlap if loss_config.rescore else ops.ones_like(overlap)
    error = _score_error(loss_config)
    if config.softmax:
        log_probs = ops.log_softmax(cells.class_probs, axis=-1)
        class_error = -2 * targets.class_probs * log_probs
    else:
        class_error = error(cells.class_probs, targets.class_probs)
    nothing = ops.zeros_like(cells.confidence)
    scores = {
        "confidence_obj": _sum(responsible * error(cells.confidence, true_confidence)),
        "confidence_noobj": _sum((1 - responsible) * error(cells.confidence, nothing)),
        "class_probs": _sum(has_object * class_error),
    }
    if loss_config.box_loss == "ciou":
        misfit = 1 - boxes.complete_iou(
            grid.predicted_xyxy(cells, config), _true_xyxy(targets, config)
        )
        return IouTerms(coord_iou=_sum(responsible * misfit), **scores)

    true_size = targets.boxes[..., 2:]
    if config.sqrt:
        true_size = ops.sqrt(true_size)
    xy_error = ops.square(cells.boxes[..., :2] - targets.boxes[..., None, :2])
    wh_error = ops.square(cells.boxes[..., 2:] - true_size[..., None, :])
    return Terms(
        coord_xy=_sum(responsible[..., None] * xy_error),
        coord_wh=_sum(responsible[..., None] * wh_error),
        **scores,
    )


def _score_error(config: LossConfig) -> Callable[[Array, Array], Array]:
    """Returns the error of predicted confidences or probabilities and their targets."""
    return _cross_entropy if config.score_loss == "cross-entropy" else _squared_error


def _squared_error(predicted: Array, true: Array) -> Array:
    return ops.square(predicted - true)


def _cross_entropy(predicted: Array, true: Array) -> Array:
    """Returns the binary cross-entropy of probabilities in [0, 1], always finite."""
    hit, miss = (ops.log(ops.maximum(p, 1e-30)) for p in (predicted, 1 - predicted))
    return -true * hit - (1 - true) * miss


def _iou_with_targets(
    cells: grid.Cells, targets: grid.Targets, config: GridConfig
) -> Array:
    """Returns the IoU of each predicted box with the object of its cell: (N, S, S, B).

    It is a constant of the loss: no gradient flows through it.
    """
    true_xyxy = _true_xyxy(targets, config)
    overlap = boxes.iou(grid.predicted_xyxy(cells, config), true_xyxy)[..., 0]
    return ops.stop_gradient(overlap)


def _true_xyxy(targets: grid.Targets, config: GridConfig) -> Array:
    """Returns the corners of the object of each cell: (N, S, S, 1, 4)."""
    return grid.cell_boxes_to_xyxy(targets.boxes[..., None, :], config)


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


def weighted(
    parts: Terms | IouTerms, config: LossConfig, S: int = GridConfig.S
) -> Terms | IouTerms:
    """Returns the weighted terms of each image; their sum is its loss.

    Args:
        parts: (N,) each, from `terms`
        config: lambda_coord and lambda_noobj
        S (7): cells per side, for `scale_noobj`

    Source: paper equation 3, halved as in Darknet detection_layer.c
    """
    noobj = config.lambda_noobj
    if config.scale_noobj:
        noobj *= GridConfig.S**2 / S**2
    coord = dict.fromkeys(("coord_xy", "coord_wh", "coord_iou"), config.lambda_coord)
    weights = {**coord, "confidence_noobj": noobj}
    return type(parts)(
        **{
            name: 0.5 * weights.get(name, 1.0) * part
            for name, part in parts._asdict().items()
        }
    )
