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
    "coord_xy": "Center x, y",
    "coord_wh": "Width, height",
    "coord_iou": "Box (CIoU)",
    "confidence_obj": "Confidence, object",
    "confidence_noobj": "Confidence, no object",
    "class_probs": "Class probabilities",
}
"""Terms of a detector's loss."""
MONITORS = {
    **SCORES,
    "val_top1": "top-1 accuracy",
    "val_loss": "validation loss",
    "loss": "training loss",
}
"""Metrics that can decide which epoch is the best."""
