"""What metrics and loss terms are called in a report."""

from yolov1_fo.config import metric_names

SCORES = {
    **metric_names.VALIDATION_LABELS,
    "val_f1": "F1",
    "val_top1": "Top-1 accuracy",
    "val_top5": "Top-5 accuracy",
}
"""Metrics of the validation split, the first is the headline."""
TERMS = {
    "coord_xy": "center x, y",
    "coord_wh": "width, height",
    "coord_iou": "box (CIoU)",
    "confidence_obj": "confidence, object",
    "confidence_noobj": "confidence, no object",
    "class_probs": "class probabilities",
}
"""Terms of a detector's loss."""
MONITORS = {
    **SCORES,
    "val_top1": "top-1 accuracy",
    "val_loss": "validation loss",
    "loss": "training loss",
}
"""Metrics that can decide which epoch is the best."""
