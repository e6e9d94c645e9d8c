"""The four metrics of an evaluation: computed, stored with it, and loaded."""

import math
from typing import Any

from yolov1_fo.config import metric_names
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import (
    average_precision,
    confidence_filter,
    evaluation_data,
    operating_point,
)
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.coco import Sweep

METRICS = tuple(metric_names.LABELS)
"""Names of the metrics."""


def per_class(
    curves: dict[str, Curve],
    sweep: Sweep,
    matched_curves: dict[str, Curve] | None = None,
) -> dict[str, dict[str, float]]:
    """Returns the metrics of each class, with its numbers of objects and detections.

    Args:
        curves: VOC's, by name of class
        sweep: of the same classes
        matched_curves (None): those of the operating points; by default VOC's
    """
    found = list((curves if matched_curves is None else matched_curves).values())
    overall = operating_point.recommend(operating_point.pool(found))
    points, _ = operating_point.by_class(found, overall)
    return {
        name: {
            "objects": curve.objects,
            "detections": curve.detections,
            "voc07": average_precision.voc07(curve),
            "voc10": average_precision.voc10(curve),
            "ap50": sweep.ap50(class_id),
            "coco_map": sweep.ap(class_id),
            "recommended_thresh": point.thresh,
            "best_f1": point.f1,
            "precision": point.precision,
            "recall": point.recall,
        }
        for class_id, ((name, curve), point) in enumerate(
            zip(curves.items(), points, strict=True)
        )
    }


def means(per_class: dict[str, dict[str, float]]) -> dict[str, float]:
    """Returns the mean of each metric over the classes with objects."""
    return {
        key: average_precision.mean([row[key] for row in per_class.values()])
        for key in METRICS
    }


def compute(samples: fo_samples.Samples, results: Any) -> dict[str, float | None]:
    """Computes the metrics of an evaluation by FiftyOne.

    Args:
        samples: the evaluated samples
        results: FiftyOne's

    Returns:
        by name of `METRICS`; None if no class has objects
    """
    config = results.config
    samples = confidence_filter.without(samples, config.pred_field)  # AP is of all
    names = [name for name in results.classes if name != results.missing]
    data = evaluation_data.read(samples, config.pred_field, config.gt_field, names)
    curves = data.curves_by_name(config.iou or 0.5)
    values = means(per_class(curves, data.sweep()))
    return {k: None if math.isnan(v) else v for k, v in values.items()}


def custom_metrics(values: dict[str, float], iou_thresh: float) -> dict[str, Any]:
    """Returns metrics in FiftyOne's form, to be shown by its Model Evaluation panel.

    Args:
        values: by name of `METRICS`, or some of them; FiftyOne computes coco_map itself
        iou_thresh: of the VOC metrics
    """
    return {
        f"yolov1_fo/{key}": {
            "key": key,
            "value": None if math.isnan(values[key]) else values[key],
            "label": metric_names.label(key, iou_thresh),
            "lower_is_better": False,
        }
        for key in ("voc07", "voc10", "ap50")
        if key in values
    }


def load(samples: fo_samples.Samples, eval_key: str) -> dict[str, float]:
    """Loads the metrics that are stored with an evaluation of detections.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: name of the evaluation

    Returns:
        by name of `METRICS`; NaN for metrics that are not stored
    """
    results = samples.load_evaluation_results(eval_key)
    custom = getattr(results, "custom_metrics", None) or {}
    stored = {one["key"]: one["value"] for one in custom.values()}
    if hasattr(results, "iou_threshs") and hasattr(results, "mAP"):  # COCO's
        stored["coco_map"] = results.mAP()
    values = {name: stored.get(name) for name in METRICS}
    return {
        name: math.nan if value is None or value < 0 else float(value)
        for name, value in values.items()
    }
