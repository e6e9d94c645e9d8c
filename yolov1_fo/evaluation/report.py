"""What an evaluation found, as numbers, a table and a figure."""

import math
from dataclasses import dataclass, field
from typing import Any

from yolov1_fo.evaluation import error_analysis
from yolov1_fo.evaluation.error_fields import Counts

MEANS = ("voc07", "voc10", "ap50", "coco_map")
"""The four numbers, as a report calls them."""
LONGEST = 40
"""So many characters of a class name stand in a table."""


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
        results: FiftyOne's, for its plots and its `print_report()`; its `mAP()` is
            `coco_map`
        left_out: by field, how many of its objects have no label, or no box with an
            area inside the image; they neither count nor cost
    """

    voc07: float
    voc10: float
    ap50: float
    coco_map: float
    per_class: dict[str, dict[str, float]]
    errors: Counts
    results: Any
    left_out: dict[str, int] = field(default_factory=dict)

    def numbers(self) -> dict[str, float]:
        """Returns the four means by their names."""
        return {name: float(getattr(self, name)) for name in MEANS}

    def __str__(self) -> str:
        width = max(len(_short(name)) for name in ("class", *self.per_class))
        head = f"{'class':<{width}}  objects  detections" + "".join(
            f"{name:>10}" for name in MEANS
        )
        lines = [head, "-" * len(head)]
        for name, row in self.per_class.items():
            lines.append(
                f"{_short(name):<{width}}  {row['objects']:>7.0f}  "
                f"{row['detections']:>10.0f}"
                + "".join(_number(row[key]) for key in MEANS)
            )
        lines.append("-" * len(head))
        lines.append(
            f"{'mean':<{width}}  {'':>7}  {'':>10}"
            + "".join(_number(getattr(self, key)) for key in MEANS)
        )
        if any(self.left_out.values()):
            out = ", ".join(f"{n} of '{name}'" for name, n in self.left_out.items())
            lines.append(f"left out: {out}; not boxes inside the image, or no label")
        lines.append(f"best detections: {said(self.errors)}")
        return "\n".join(lines)

    def plot_errors(self) -> Any:
        """Returns a figure of plotly's: the kinds of each class' best detections."""
        return plot_errors(self.errors)


def _short(name: str) -> str:
    """Returns a class name for one line of a table."""
    text = name if name.isprintable() else repr(name)[1:-1]
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


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
