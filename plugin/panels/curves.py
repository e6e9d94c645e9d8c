"""The curves of the runs panel: mAP, loss, and the terms of the loss."""

from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.training.progress import SCORES

from . import plots

TERMS = (
    *("coord_xy", "coord_wh", "coord_iou"),
    *("confidence_obj", "confidence_noobj", "class_probs"),
)


def add_curves(panel: types.Object, rows: list[Row]) -> None:
    """Adds plots of the mAP and loss of all runs, and the loss terms of the newest."""
    shown = [row for row in rows if row.history.get("loss")]
    if not shown:
        return
    names = "_".join(row.run_key for row in shown)
    scores = [
        _line(row.history[name], row.run_key)
        for row in shown
        for name in SCORES
        if name in row.history
    ]
    if scores:
        _add_plot(panel, f"score_{names}", scores, "Validation mAP")
    losses = [_line(row.history["loss"], row.run_key) for row in shown]
    _add_plot(panel, f"loss_{names}", losses, "Training loss")
    newest = shown[0]
    terms = [
        _line(newest.history[term], term.replace("_", " "))
        for term in TERMS
        if term in newest.history
    ]
    if terms:
        title = f"Loss terms of {newest.run_key}"
        _add_plot(panel, f"terms_{newest.run_key}", terms, title)


def _line(values: list[float | None], name: str) -> dict[str, Any]:
    points = [
        (n, value) for n, value in enumerate(values, start=1) if value is not None
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [n for n, _ in points],
        "y": [value for _, value in points],
    }


def _add_plot(
    panel: types.Object, name: str, data: list[dict[str, Any]], title: str
) -> None:
    plots.add_plot(
        panel,
        name,
        data,
        title,
        xaxis={"title": {"text": "epoch"}, "rangemode": "tozero"},
        yaxis={"rangemode": "tozero"},
    )
