"""evaluate(...) -> EvaluationReport: FiftyOne's evaluation, and VOC's numbers."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from yolov1_fo import decode, labels, voc
from yolov1_fo import samples as fo_samples

logger = logging.getLogger(__name__)

TRUE_MAP_BELOW = 0.05
"""Above this lowest confidence a field has been thresholded, and its mAP is too low."""


_MEANS = ("voc07", "voc10", "ap50", "coco_map")


@dataclass(frozen=True)
class EvaluationReport:
    """How well predictions fit the truth; `print` shows it as a table.

    Attributes:
        voc07: mAP at `iou_thresh`, mean of the best precision at 11 levels of recall
        voc10: mAP at `iou_thresh`, area under the curve
        ap50: mAP at IoU 0.5, mean precision at 101 levels of recall, as COCO has it
        coco_map: mAP averaged over IoU 0.5, 0.55, ... 0.95, as COCO has it
        per_class: the same for each class, with its number of objects and detections
        results: FiftyOne's, for its plots and its `print_report()`
    """

    voc07: float
    voc10: float
    ap50: float
    coco_map: float
    per_class: dict[str, dict[str, float]]
    results: Any

    def numbers(self) -> dict[str, float]:
        """Returns the four means by their names."""
        return {name: float(getattr(self, name)) for name in _MEANS}

    def __str__(self) -> str:
        names = _MEANS
        width = max(len(name) for name in ("class", *self.per_class))
        head = f"{'class':<{width}}  objects  detections" + "".join(
            f"{name:>10}" for name in names
        )
        lines = [head, "-" * len(head)]
        for name, row in self.per_class.items():
            lines.append(
                f"{name:<{width}}  {row['objects']:>7.0f}  {row['detections']:>10.0f}"
                + "".join(_number(row[key]) for key in names)
            )
        lines.append("-" * len(head))
        lines.append(
            f"{'mean':<{width}}  {'':>7}  {'':>10}"
            + "".join(_number(getattr(self, key)) for key in names)
        )
        return "\n".join(lines)


def _number(value: float) -> str:
    return f"{'-':>10}" if math.isnan(value) else f"{value:>10.3f}"


def evaluate(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str = "ground_truth",
    eval_key: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    iou_thresh: float = 0.5,
    inclusive_corners: bool = False,
    progress: bool | Callable[..., Any] | None = None,
) -> EvaluationReport:
    """Measures predictions against the truth.

    FiftyOne matches objects at `iou_thresh` and keeps its evaluation under `eval_key`;
    its Model Evaluation panel shows the VOC numbers beside its own. For VOC's, objects
    that are `difficult`, `iscrowd` or `IsGroupOf` neither count nor cost.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections with confidences, kept down to a low threshold
        gt_field ("ground_truth"): field of Detections
        eval_key (None): name of the evaluation on the dataset; None keeps none
        classes (None): classes to measure; by default those of `gt_field`
        iou_thresh (0.5): least overlap of a match in FiftyOne's evaluation and in VOC's
        inclusive_corners (False): measures VOC's overlaps in pixels, as its development
            kit does: both corners belong to a box, so that it is a pixel wider than
            they are apart; needs `samples.compute_metadata()`
        progress (None): FiftyOne's: True, False, its default, or a callback

    Raises:
        ValueError: if the collection, a field or a class does not fit
    """
    # 1. Check.
    fo_samples.check_labelled(samples, pred_field, "pred_field")
    fo_samples.check_detections(samples, gt_field, "gt_field")
    if not 0 < iou_thresh <= 1:
        raise ValueError(f"iou_thresh must be in (0, 1], got {iou_thresh!r}")
    if eval_key is not None and not eval_key.isidentifier():
        raise ValueError(f"eval_key must be a name that Python takes, got {eval_key!r}")
    names = fo_samples.classes_of(samples, gt_field, classes)
    predicted = fo_samples.read(samples, pred_field)
    truth = fo_samples.read(samples, gt_field)  # a view may change with what is written
    _check_confidences(samples, pred_field, predicted)
    sizes = _sizes(samples) if inclusive_corners else None

    # 2. FiftyOne's evaluation.
    results = samples.evaluate_detections(
        pred_field,
        gt_field=gt_field,
        eval_key=eval_key,
        classes=names,
        method="coco",
        iou=iou_thresh,
        compute_mAP=True,
        progress=progress,
    )

    # 3. VOC's numbers, and those of each class.
    per_class = _per_class(predicted, truth, names, results, iou_thresh, sizes)
    report = EvaluationReport(**_means(per_class), per_class=per_class, results=results)
    _keep(eval_key, report, iou_thresh)
    return report


def metrics(samples: fo_samples.Samples, results: Any) -> dict[str, float | None]:
    """Returns the four numbers of an evaluation that FiftyOne has made.

    Args:
        samples: that it measured
        results: FiftyOne's, with mAP

    Returns:
        voc07, voc10, ap50 and coco_map; None where no class has an object
    """
    config = results.config
    predicted = fo_samples.read(samples, config.pred_field)
    truth = fo_samples.read(samples, config.gt_field)
    names = [name for name in results.classes if name != results.missing]
    per_class = _per_class(predicted, truth, names, results, config.iou or 0.5)
    means = _means(per_class)
    return {k: None if math.isnan(v) else v for k, v in means.items()}


def _per_class(
    predicted: fo_samples.Records,
    truth: fo_samples.Records,
    classes: Sequence[str],
    results: Any,
    iou_thresh: float,
    sizes: Any = None,
) -> dict[str, dict[str, float]]:
    curves = _curves(predicted, truth, classes, iou_thresh, sizes)
    return {
        name: {
            "objects": curve.objects,
            "detections": curve.detections,
            "voc07": voc.voc07(curve),
            "voc10": voc.voc10(curve),
            **_coco(results, name),
        }
        for name, curve in zip(classes, curves, strict=True)
    }


def _means(per_class: dict[str, dict[str, float]]) -> dict[str, float]:
    return {
        key: voc.mean([row[key] for row in per_class.values()])
        for key in ("voc07", "voc10", "ap50", "coco_map")
    }


def _check_confidences(
    samples: fo_samples.Samples, pred_field: str, records: fo_samples.Records
) -> None:
    objects = sum(len(row) for row in records.confidences)
    confidences = [x for row in records.confidences for x in row if x is not None]
    if len(confidences) < objects:
        raise ValueError(
            f"pred_field '{pred_field}' on {fo_samples.name(samples)} has objects "
            "without confidence; AP needs one for each"
        )
    if confidences and min(confidences) > TRUE_MAP_BELOW:
        logger.warning(
            "the lowest confidence in '%s' is %.2f; AP is true only down to about "
            "0.01, so apply the model with a lower confidence_thresh",
            pred_field,
            min(confidences),
        )


def _sizes(samples: fo_samples.Samples) -> Any:
    """Returns the width and height of each image twice: (N, 4), in pixels."""
    sizes = samples.values(["metadata.width", "metadata.height"])
    if any(length is None for lengths in sizes for length in lengths):
        raise ValueError(
            "inclusive_corners needs the sizes of the images; first call "
            f"compute_metadata() on {fo_samples.name(samples)}"
        )
    return np.array([*sizes, *sizes], float).T


def _curves(
    predicted: fo_samples.Records,
    truth: fo_samples.Records,
    classes: Sequence[str],
    iou_thresh: float,
    sizes: Any = None,
) -> list[voc.Curve]:
    ids = {name: class_id for class_id, name in enumerate(classes)}

    def class_ids(row: list[str]) -> Any:
        return np.array([ids.get(label, -1) for label in row], int)

    scales = np.ones((len(truth.ids), 4)) if sizes is None else sizes
    found = [
        decode.Detected(
            labels.to_xyxy(boxes) * scale, np.array(scores, float), class_ids(row)
        )
        for boxes, scores, row, scale in zip(
            predicted.bounding_boxes,
            predicted.confidences,
            predicted.labels,
            scales,
            strict=True,
        )
    ]
    objects = [
        voc.Objects(
            labels.to_xyxy(boxes) * scale, class_ids(row), np.array(ignored, bool)
        )
        for boxes, row, ignored, scale in zip(
            truth.bounding_boxes, truth.labels, truth.ignored, scales, strict=True
        )
    ]
    border = 0.0 if sizes is None else 1.0
    return voc.curves(found, objects, len(classes), iou_thresh, border=border)


def _coco(results: Any, name: str) -> dict[str, float]:
    """Returns COCO's AP of one class; FiftyOne says -1 where there is no object."""
    nan = {"ap50": math.nan, "coco_map": math.nan}
    if name not in results.classes or not hasattr(results, "precision"):
        return nan
    precision = results.precision[:, list(results.classes).index(name)]  # (IoU, recall)
    if (precision < 0).any():
        return nan
    at_half = int(np.argmin(np.abs(results.iou_threshs - 0.5)))
    return {
        "ap50": float(precision[at_half].mean()),
        "coco_map": float(precision.mean()),
    }


def _keep(eval_key: str | None, report: EvaluationReport, iou_thresh: float) -> None:
    """Puts VOC's numbers among FiftyOne's metrics, where its panel shows them."""
    names = {
        "voc07": f"VOC07 mAP@{iou_thresh:g}",
        "voc10": f"VOC10 mAP@{iou_thresh:g}",
        "ap50": "COCO AP@0.5",
    }
    metrics = report.results.custom_metrics or {}
    for key, label in names.items():
        value = getattr(report, key)
        metrics[f"yolov1_fo/{key}"] = {
            "key": key,
            "value": None if math.isnan(value) else value,
            "label": label,
            "lower_is_better": False,
        }
    report.results.custom_metrics = metrics
    if eval_key is not None:
        report.results.save()
