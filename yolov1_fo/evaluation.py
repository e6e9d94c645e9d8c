"""evaluate(...) -> EvaluationReport: FiftyOne's evaluation, VOC's numbers, errors."""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from fiftyone.utils.eval.coco import COCOEvaluation, COCOEvaluationConfig

from yolov1_fo import average_precision, compared, error_analysis, error_fields, voc
from yolov1_fo import samples as fo_samples
from yolov1_fo.compared import Compared
from yolov1_fo.error_fields import Counts

_MEANS = ("voc07", "voc10", "ap50", "coco_map")


class EvaluationConfig(COCOEvaluationConfig):
    """FiftyOne's settings of COCO's evaluation, for one that keeps errors too."""


class Evaluation(error_fields.WithErrors, COCOEvaluation):
    """FiftyOne's evaluation as COCO does it; `<eval_key>_error` belongs to it."""


@dataclass(frozen=True)
class EvaluationReport:
    """How well predictions fit the truth; `print` shows it as a table.

    Attributes:
        voc07: mAP at `iou_thresh`, mean of the best precision at 11 levels of recall
        voc10: mAP at `iou_thresh`, area under the curve
        ap50: mAP at IoU 0.5, mean precision at 101 levels of recall, as COCO has it
        coco_map: mAP averaged over IoU 0.5, 0.55, ... 0.95, as COCO has it
        per_class: the same for each class, with its number of objects and detections
        errors: how many of the best N detections of each class are of each kind, N
            being the class' number of objects; see `error_analysis.kinds`
        results: FiftyOne's, for its plots and its `print_report()`
    """

    voc07: float
    voc10: float
    ap50: float
    coco_map: float
    per_class: dict[str, dict[str, float]]
    errors: Counts
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
        lines.append(f"best detections: {said(self.errors)}")
        return "\n".join(lines)

    def plot_errors(self) -> Any:
        """Returns a figure of plotly's: the kinds of each class' best detections."""
        return plot_errors(self.errors)


def _number(value: float) -> str:
    return f"{'-':>10}" if math.isnan(value) else f"{value:>10.3f}"


def said(errors: Counts) -> str:
    """Returns how large a share of all detections each kind has, in one line."""
    shares = error_shares(errors)
    return ", ".join(f"{100 * share:.1f} % {kind}" for kind, share in shares.items())


def error_shares(errors: Counts) -> dict[str, float]:
    """Returns which part of the detections is of each kind; NaN where there are none.

    Source: paper figure 4
    """
    sums = {
        kind: sum(row[kind] for row in errors.values()) for kind in error_analysis.KINDS
    }
    total = sum(sums.values())
    return {k: n / total if total else math.nan for k, n in sums.items()}


def plot_errors(errors: Counts) -> Any:
    """Returns a figure of plotly's: one bar a class, one colour a kind."""
    import plotly.graph_objects as go

    bars = [
        go.Bar(name=kind, x=list(errors), y=[row[kind] for row in errors.values()])
        for kind in error_analysis.KINDS
    ]
    layout = {"barmode": "stack", "yaxis_title": "best detections"}
    return go.Figure(bars, layout)


def evaluate(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str = "ground_truth",
    eval_key: str | None = None,
    classes: Sequence[str] | None = None,
    *,
    iou_thresh: float = 0.5,
    inclusive_corners: bool = False,
    similar: Collection[Collection[str]] | None = None,
    progress: bool | Callable[..., Any] | None = None,
) -> EvaluationReport:
    """Measures predictions against the truth.

    FiftyOne matches objects at `iou_thresh` and keeps its evaluation under `eval_key`;
    its Model Evaluation panel shows the VOC numbers beside its own. For VOC's, objects
    that are `difficult`, `iscrowd` or `IsGroupOf` neither count nor cost. The best
    detections of each class have their kind in `<eval_key>_error`: `correct`,
    `localization`, `similar`, `other` or `background`.

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
        similar (None): sets of classes that are taken for each other, as
            `[("cat", "dog"), ("car", "bus")]`; None takes VOC's
        progress (None): FiftyOne's: True, False, its default, or a callback

    Raises:
        ValueError: if the collection, a field or a class does not fit

    Source: paper sections 4.2 and 4.4 (errors)
    """
    # 1. Check.
    fo_samples.check_labelled(samples, pred_field, "pred_field")
    fo_samples.check_detections(samples, gt_field, "gt_field")
    if not 0 < iou_thresh <= 1:
        raise ValueError(f"iou_thresh must be in (0, 1], got {iou_thresh!r}")
    if eval_key is not None and not eval_key.isidentifier():
        raise ValueError(f"eval_key must be a name that Python takes, got {eval_key!r}")
    names = fo_samples.classes_of(samples, gt_field, classes)
    _check_similar(similar, names)
    compared.check_confidences(samples, pred_field)
    both = compared.read(  # a view may change with what is written
        samples, pred_field, gt_field, names, inclusive_corners=inclusive_corners
    )
    kinds = error_fields.find(both, iou_thresh, similar)

    # 2. FiftyOne's evaluation.
    results = samples.evaluate_detections(
        pred_field,
        gt_field=gt_field,
        eval_key=eval_key,
        classes=names,
        method=EvaluationConfig,
        iou=iou_thresh,
        compute_mAP=True,
        progress=progress,
    )

    # 3. VOC's numbers, those of each class, and the errors.
    per_class = _per_class(both, results, iou_thresh)
    means = _means(per_class)
    if eval_key is not None:
        error_fields.write(samples, pred_field, eval_key, kinds)
    values = {key: means[key] for key in ("voc07", "voc10", "ap50")}
    results.custom_metrics = {
        **(results.custom_metrics or {}),
        **voc.metrics(values, iou_thresh),
    }
    if eval_key is not None:
        results.save()
    counts = error_analysis.counts(kinds, both.found, len(names))
    errors = {
        name: dict(zip(error_analysis.KINDS, row, strict=True))
        for name, row in zip(names, counts.tolist(), strict=True)
    }
    return EvaluationReport(
        **means, per_class=per_class, errors=errors, results=results
    )


def _check_similar(
    similar: Collection[Collection[str]] | None, classes: Sequence[str]
) -> None:
    for one in similar or ():
        if isinstance(one, str):
            raise ValueError(
                f"similar must be sets of classes, as [('cat', 'dog')]; got '{one}'"
            )
        unknown = [name for name in one if name not in classes]
        if unknown:
            raise ValueError(
                f"similar names classes that are not measured: {', '.join(unknown)}; "
                f"there are: {', '.join(classes)}"
            )


def metrics(samples: fo_samples.Samples, results: Any) -> dict[str, float | None]:
    """Returns the four numbers of an evaluation that FiftyOne has made.

    Args:
        samples: that it measured
        results: FiftyOne's, with mAP

    Returns:
        voc07, voc10, ap50 and coco_map; None where no class has an object
    """
    config = results.config
    names = [name for name in results.classes if name != results.missing]
    compared.check_confidences(samples, config.pred_field)
    both = compared.read(samples, config.pred_field, config.gt_field, names)
    means = _means(_per_class(both, results, config.iou or 0.5))
    return {k: None if math.isnan(v) else v for k, v in means.items()}


def kept_numbers(samples: fo_samples.Samples, eval_key: str) -> dict[str, float]:
    """Returns the four numbers that an evaluation has kept.

    Args:
        samples: a FiftyOne dataset or view
        eval_key: of an evaluation of detections

    Returns:
        voc07, voc10, ap50 and coco_map; NaN for what it has not measured
    """
    results = samples.load_evaluation_results(eval_key)
    kept = {one["key"]: one["value"] for one in _custom(results)}
    if hasattr(results, "iou_threshs") and hasattr(results, "mAP"):  # COCO's
        kept["coco_map"] = results.mAP()
    values = {name: kept.get(name) for name in _MEANS}
    return {
        name: math.nan if value is None or value < 0 else float(value)
        for name, value in values.items()
    }


def _custom(results: Any) -> list[dict[str, Any]]:
    return list((getattr(results, "custom_metrics", None) or {}).values())


def _per_class(
    both: Compared, results: Any, iou_thresh: float
) -> dict[str, dict[str, float]]:
    curves = both.curves(iou_thresh)
    return {
        name: {
            "objects": curve.objects,
            "detections": curve.detections,
            "voc07": average_precision.voc07(curve),
            "voc10": average_precision.voc10(curve),
            **_coco(results, name),
        }
        for name, curve in zip(both.classes, curves, strict=True)
    }


def _means(per_class: dict[str, dict[str, float]]) -> dict[str, float]:
    return {
        key: average_precision.mean([row[key] for row in per_class.values()])
        for key in _MEANS
    }


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
