"""What the metrics are called, everywhere; the first is the headline."""

LABELS = {
    "voc07": "VOC07 mAP@0.5",
    "voc10": "VOC10 mAP@0.5",
    "ap50": "AP@0.5",
    "coco_map": "mAP@[.5:.95]",
}
"""By the names of Python and of stored files, where `val_` may precede them."""

VALIDATION_LABELS = {
    f"val_{name}": LABELS[name] for name in ("voc07", "ap50", "coco_map")
}
"""Those that a training measures, by their names in the history."""


def label(metric: str, iou_thresh: float | None = 0.5) -> str:
    """Returns what a metric is called.

    Args:
        metric: one of `LABELS`, or `val_` and one of them
        iou_thresh (0.5): minimum IoU of a true positive of VOC; None leaves it out

    Example:
        >>> label("val_voc07"), label("voc10", 0.75), label("ap50", 0.75)
        ('VOC07 mAP@0.5', 'VOC10 mAP@0.75', 'AP@0.5')
    """
    name = LABELS[metric.removeprefix("val_")]
    if not name.startswith("VOC"):
        return name
    stem = name.partition("@")[0]
    return stem if iou_thresh is None else f"{stem}@{iou_thresh:g}"
