"""The report of an evaluation: metrics, a table and a plot."""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tabulate import tabulate

from yolov1_fo.config import arguments, metric_names
from yolov1_fo.evaluation import operating_point
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.error_analysis import ERROR_TYPES
from yolov1_fo.evaluation.error_fields import ErrorCounts
from yolov1_fo.evaluation.metrics import METRICS
from yolov1_fo.evaluation.operating_point import OperatingPoint

MAX_NAME_LENGTH = 40
"""Characters of a class name that the table shows."""


@dataclass(frozen=True)
class EvaluationReport:
    """The quality of predictions; `print` shows it as a table.

    Attributes:
        voc07: mAP at `iou_thresh`, mean of the maximum precision at 11 recall levels
        voc10: mAP at `iou_thresh`, area under the precision-recall curve
        ap50: mAP at IoU 0.5, mean precision at 101 recall levels, as in COCO
        coco_map: mAP averaged over IoU 0.5, 0.55, ... 0.95, as in COCO
        per_class: the same for each class, with its number of objects and detections,
            and its `recommended_thresh`, with `best_f1`, `precision` and `recall` of
            the class there; classes with fewer than 10 objects have the overall one
        errors: number of detections of each class and error type among the N
            detections with the highest scores, where N is the class' number of
            objects; see `error_analysis.classify`
        results: FiftyOne's, for its plots and its `print_report()`; its `mAP()` is
            `coco_map`
        left_out: by field, number of objects without a label or a box with an area
            inside the image; they are ignored
        curves: precision-recall curve of each class at `iou_thresh`, matched as in VOC:
            arrays `scores`, `precision` and `recall`, one value per detection, by
            descending score; a threshold of `scores[k]` has `precision[k]` and
            `recall[k]`
        matched_curves: likewise, matched as in COCO: the operating points are those of
            these curves, since FiftyOne stores and shows COCO's matches
        confidence_thresh: confidence from which predictions count in FiftyOne's
            results and panel, except in mAP; 0 counts all
    """

    voc07: float
    voc10: float
    ap50: float
    coco_map: float
    per_class: dict[str, dict[str, float]]
    errors: ErrorCounts
    results: Any
    left_out: dict[str, int] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict, repr=False, compare=False)
    matched_curves: dict[str, Curve] = field(
        default_factory=dict, repr=False, compare=False
    )
    confidence_thresh: float = 0.0

    @cached_property
    def operating_point(self) -> OperatingPoint:
        """The point of best F1 of all classes together; see `operating_point`."""
        return operating_point.recommend(self._pooled)

    @property
    def recommended_thresh(self) -> float:
        """The confidence threshold of best F1; NaN without true positives."""
        return self.operating_point.thresh

    @property
    def best_f1(self) -> float:
        """F1 at `recommended_thresh`; NaN without objects and detections.

        A threshold of this split alone can be slightly better; see `operating_point`.
        """
        return self.operating_point.f1

    def at(self, thresh: float) -> OperatingPoint:
        """Returns precision, recall, F1 and counts of all classes at a threshold.

        Args:
            thresh: lowest confidence that is shown

        Raises:
            TypeError: if it is not a number
            ValueError: if it is not finite
        """
        arguments.check_number("thresh", thresh, -arguments.MAX_NUMBER)
        return operating_point.at(self._pooled, thresh)

    @cached_property
    def _pooled(self) -> Curve:
        return operating_point.pool(list(self.matched_curves.values()))

    def numbers(self) -> dict[str, float]:
        """Returns the four mean metrics by name."""
        return {name: float(getattr(self, name)) for name in METRICS}

    def __str__(self) -> str:
        rows = [
            [_short(name), f"{row['objects']:.0f}", f"{row['detections']:.0f}"]
            + [format_metric(row[key]) for key in METRICS]
            for name, row in self.per_class.items()
        ]
        rows.append(["mean", "", "", *map(format_metric, self.numbers().values())])
        iou_thresh = self.results.config.iou
        labels = [metric_names.label(name, iou_thresh) for name in METRICS]
        headers = ("class", "objects", "detections", *labels)
        align = ("left", *("right" for _ in headers[1:]))
        lines = [tabulate(rows, headers, disable_numparse=True, colalign=align)]
        lines.append(f"best {self.operating_point}")
        if any(self.left_out.values()):
            out = ", ".join(f"{n} of '{name}'" for name, n in self.left_out.items())
            lines.append(f"left out: {out}; no label, or no box inside the image")
        lines.append(f"top detections: {format_shares(error_shares(self.errors))}")
        return "\n".join(lines)

    def plot_errors(self) -> Any:
        """Returns a Plotly figure of the error types by class."""
        import plotly.graph_objects as go

        bars = [
            go.Bar(
                name=error_type,
                x=list(self.errors),
                y=[row[error_type] for row in self.errors.values()],
            )
            for error_type in ERROR_TYPES
        ]
        layout = {"barmode": "stack", "yaxis_title": "top detections"}
        return go.Figure(bars, layout)


def _short(name: str) -> str:
    """Returns a class name for one line of a table."""
    text = name if name.isprintable() else repr(name)[1:-1]
    if len(text) <= MAX_NAME_LENGTH:
        return text
    return f"{text[: MAX_NAME_LENGTH - 3]}..."


def format_metric(value: float) -> str:
    """Returns a metric with three decimals; `-` for NaN."""
    return "-" if math.isnan(value) else f"{value:.3f}"


def error_shares(errors: ErrorCounts) -> dict[str, float]:
    """Returns the share of each error type; NaN if there are no detections.

    Source: paper figure 4
    """
    sums = {
        error_type: sum(row[error_type] for row in errors.values())
        for error_type in ERROR_TYPES
    }
    total = sum(sums.values())
    return {k: n / total if total else math.nan for k, n in sums.items()}


def format_shares(shares: dict[str, float]) -> str:
    """Returns the shares of `error_shares` in one line; `none` without detections."""
    if any(map(math.isnan, shares.values())):
        return "none"
    return ", ".join(f"{100 * share:.1f} % {name}" for name, share in shares.items())
