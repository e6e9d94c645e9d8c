"""The curves of runs: mAP, loss, loss components, learning rate."""

from collections.abc import Sequence
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.runs.history import History
from yolov1_fo.training.progress import SCORES
from yolov1_fo.training.run_report.names import TERMS

from . import plots

MAX_RUNS = 8
"""Number of runs in a plot, the newest ones: as many as there are colors."""


def add_curves(panel: types.Object, rows: Sequence[Row]) -> None:
    """Adds the validation mAP and the losses of runs, the newest on top.

    Args:
        panel: the panel's layout
        rows: the runs, newest first
    """
    shown = [row for row in rows if row.history.get("loss")][:MAX_RUNS]
    shown.reverse()  # later lines are drawn above earlier ones
    scored = [(row, name) for row in shown for name in SCORES if name in row.history]
    scores = [_line(row.history, name, row.run_key, color(row)) for row, name in scored]
    if scores:
        title = f"Validation {' and '.join({SCORES[name]: 0 for _, name in scored})}"
        _add_plot(panel, "score", [row for row, _ in scored], scores, title)
    if shown:
        losses = [one for row in shown for one in _losses(row)]
        _add_plot(panel, "loss", shown, losses, "Loss (dashed: validation)")


def add_components(panel: types.Object, row: Row) -> None:
    """Adds the loss components of a run, and its learning rate."""
    palette = zip(TERMS.items(), plots.COLORS, strict=False)
    terms = [
        _line(row.history, term, name, one)
        for (term, name), one in palette
        if term in row.history
    ]
    if terms:
        _add_plot(panel, "terms", [row], terms, f"Loss components: {row.run_key}")


def add_learning_rate(panel: types.Object, row: Row) -> None:
    """Adds the learning rate of a run."""
    if "learning_rate" in row.history:
        rate = _line(row.history, "learning_rate", row.run_key, color(row))
        _add_plot(panel, "rate", [row], [rate], "Learning rate")


def color(row: Row) -> str:
    """Returns the color of a run, the same in all plots and when others follow."""
    return plots.COLORS[(row.number or 0) % len(plots.COLORS)]


def _losses(row: Row) -> list[dict[str, Any]]:
    """Returns the lines of the training loss and, dashed, of the validation loss."""
    lines = [_line(row.history, "loss", row.run_key, color(row))]
    if any(value is not None for value in row.history.get("val_loss", ())):
        lines.append(_line(row.history, "val_loss", "", color(row), is_dashed=True))
    return lines


def _line(
    history: History, metric: str, name: str, color: str, *, is_dashed: bool = False
) -> dict[str, Any]:
    values = history[metric]
    epochs = range(1, len(values) + 1)
    return plots.line(epochs, values, name, color, is_dashed=is_dashed)


def _add_plot(
    panel: types.Object,
    name: str,
    rows: Sequence[Row],
    data: list[dict[str, Any]],
    title: str,
) -> None:
    """Adds a plot over epochs.

    Its name has the runs with the time of their start: see `plots.add_plot`.
    """
    runs = [
        f"{row.run_key}_{row.started.timestamp():.0f}" if row.started else row.run_key
        for row in rows
    ]
    last = max((max(one["x"], default=1) for one in data), default=1)
    plots.add_plot(
        panel,
        "_".join([name, str(len(data)), *runs]),
        data,
        title,
        xaxis=plots.epoch_axis(last),
        yaxis={"rangemode": "tozero"},
    )
