"""Comparison of evaluations side by side."""

import math
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from yolov1_fo.config import metric_names
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import error_fields, metrics, report
from yolov1_fo.evaluation.error_analysis import ERROR_TYPES
from yolov1_fo.evaluation.error_fields import ErrorCounts


@dataclass(frozen=True)
class Comparison:
    """Evaluations side by side; `print` shows them as a table.

    Attributes:
        numbers: voc07, voc10, ap50 and coco_map by evaluation; NaN if not stored
        errors: number of detections of each class and error type by evaluation; only
            of evaluations that store error types
        iou_thresh: minimum IoU of a match; None if the evaluations differ in it
    """

    numbers: dict[str, dict[str, float]]
    errors: dict[str, ErrorCounts]
    iou_thresh: float | None = 0.5

    def rows(self) -> list[dict[str, Any]]:
        """Returns the rows of the table: metrics and shares of the error types."""
        return [
            {
                "evaluation": key,
                **{
                    metric_names.label(name, self.iou_thresh): report.format_metric(
                        value
                    )
                    for name, value in numbers.items()
                },
                **{name: _percent(share) for name, share in self.shares(key).items()},
            }
            for key, numbers in self.numbers.items()
        ]

    def shares(self, eval_key: str) -> dict[str, float]:
        """Returns the share of each error type; NaN if not stored.

        Source: paper figure 4
        """
        return report.error_shares(self.errors.get(eval_key, {}))

    def plot_errors(self) -> Any:
        """Returns a Plotly figure of the error types by evaluation."""
        import plotly.graph_objects as go

        keys = list(self.errors)
        bars = [
            go.Bar(
                name=error_type,
                x=keys,
                y=[self.shares(key)[error_type] for key in keys],
            )
            for error_type in ERROR_TYPES
        ]
        layout = {"barmode": "stack", "yaxis_title": "share of the top detections"}
        return go.Figure(bars, layout)

    def __str__(self) -> str:
        return tabulate(self.rows(), headers="keys", stralign="right")


def _percent(share: float) -> str:
    return "-" if math.isnan(share) else f"{100 * share:.1f} %"


@connection.one_line_errors()
def compare(samples: fo_samples.Samples, *eval_keys: str) -> Comparison:
    """Compares evaluations of a dataset.

    Args:
        samples: a FiftyOne dataset or view
        *eval_keys: names of evaluations of detections; by default all

    Raises:
        ValueError: if there is no evaluation with one of the names
    """
    available = samples.list_evaluations(type="detection")
    unknown = [key for key in eval_keys if key not in available]
    if unknown or not available:
        raise ValueError(
            f"{fo_samples.name(samples)} has no evaluation "
            f"{', '.join(map(repr, unknown)) or 'of detections'}; there are: "
            f"{', '.join(available) or 'none'}"
        )
    keys = list(dict.fromkeys(eval_keys or available))
    configs = [samples.get_evaluation_info(key).config for key in keys]
    threshs = {getattr(config, "iou", None) for config in configs}
    return Comparison(
        {key: metrics.load(samples, key) for key in keys},
        {
            key: error_fields.count(samples, key)
            for key in keys
            if error_fields.has_errors(samples, key)
        },
        threshs.pop() if len(threshs) == 1 else None,
    )
