"""compare(samples, *eval_keys) -> Comparison: evaluations side by side."""

import math
from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import error_fields, evaluator, report
from yolov1_fo.evaluation.error_analysis import KINDS
from yolov1_fo.evaluation.error_fields import Counts


@dataclass(frozen=True)
class Comparison:
    """Evaluations side by side; `print` shows them as a table.

    Attributes:
        numbers: by evaluation voc07, voc10, ap50 and coco_map; NaN for what it has not
            measured
        errors: by evaluation, how many of the best detections of each class are of
            each kind; only of those that keep it
    """

    numbers: dict[str, dict[str, float]]
    errors: dict[str, Counts]

    def rows(self) -> list[dict[str, Any]]:
        """Returns the table: numbers, then each kind's part of the best detections."""
        return [
            {
                "evaluation": key,
                **{name: _said(value) for name, value in numbers.items()},
                **{
                    kind: _said(share, percent=True)
                    for kind, share in self.shares(key).items()
                },
            }
            for key, numbers in self.numbers.items()
        ]

    def shares(self, eval_key: str) -> dict[str, float]:
        """Returns which part of the best detections is of each kind; NaN if not kept.

        Source: paper figure 4
        """
        return report.error_shares(self.errors.get(eval_key, {}))

    def plot_errors(self) -> Any:
        """Returns a figure of plotly's: one bar an evaluation, one colour a kind."""
        import plotly.graph_objects as go

        keys = list(self.errors)
        bars = [
            go.Bar(name=kind, x=keys, y=[self.shares(key)[kind] for key in keys])
            for kind in KINDS
        ]
        layout = {"barmode": "stack", "yaxis_title": "part of the best detections"}
        return go.Figure(bars, layout)

    def __str__(self) -> str:
        return tabulate(self.rows(), headers="keys", stralign="right")


def _said(value: float, *, percent: bool = False) -> str:
    if math.isnan(value):
        return "-"
    return f"{100 * value:.1f} %" if percent else f"{value:.3f}"


@connection.answering()
def compare(samples: fo_samples.Samples, *eval_keys: str) -> Comparison:
    """Returns evaluations of a dataset side by side.

    Args:
        samples: a FiftyOne dataset or view
        *eval_keys: names of evaluations of detections; all, if none is named

    Raises:
        ValueError: if there is none of that name
    """
    there = samples.list_evaluations(type="detection")
    unknown = [key for key in eval_keys if key not in there]
    if unknown or not there:
        raise ValueError(
            f"{fo_samples.name(samples)} has no evaluation "
            f"{', '.join(map(repr, unknown)) or 'of detections'}; there are: "
            f"{', '.join(there) or 'none'}"
        )
    keys = list(dict.fromkeys(eval_keys or there))
    return Comparison(
        {key: evaluator.kept_numbers(samples, key) for key in keys},
        {
            key: error_fields.count(samples, key)
            for key in keys
            if error_fields.are_kept(samples, key)
        },
    )
