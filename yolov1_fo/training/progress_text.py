"""The progress of a training as one line of text, from numbers alone."""

import math
import re
from collections.abc import Container
from typing import NamedTuple

from yolov1_fo.config import metric_names

MAX_WIDTH = 110
"""Most columns of a progress line."""
SHORT_NAMES = {
    **metric_names.VALIDATION_LABELS,
    "val_f1": "F1",
    "val_loss": "val loss",
    "val_top1": "accuracy",
    "loss": "loss",
}
"""Metrics that can decide which epoch is best, by the names that fit into a line."""
DROPPED = ("rate", "best", "activity", "loss", "score", "left")
"""Parts that a narrow terminal lacks, in this order."""


class Snapshot(NamedTuple):
    """How far a training is at one moment.

    Attributes:
        epoch: counted from 1
        epochs: of the training
        step: finished steps of this epoch
        steps: per epoch
        activity: what is done now, other than steps, such as validating
        seconds_left: until the end of the training; None if unknown
        seconds: that the training took; None before it is over
        loss: mean of this epoch so far; None before its first step
        metric: that decides which epoch is best; empty if none was measured yet
        score: its value after the last epoch; None or NaN if it was not measured
        best: its value after the best epoch; None or NaN if it was never measured
        rate: training images per second; None if unknown
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    activity: str = ""
    seconds_left: float | None = None
    seconds: float | None = None
    loss: float | None = None
    metric: str = ""
    score: float | None = None
    best: float | None = None
    rate: float | None = None


def monitored(monitor: str, metrics: Container[str]) -> str:
    """Returns the metric that decides which epoch is best.

    Args:
        monitor: as in `TrainConfig`
        metrics: that are measured; at least the loss

    Example:
        >>> monitored("val_voc07", {"loss", "val_loss", "val_top1"})
        'val_top1'
    """
    names = (monitor, "val_voc07", "val_top1")
    return next((name for name in names if name in metrics), "loss")


def duration(seconds: float) -> str:
    """Returns a duration in its two largest units.

    Example:
        >>> duration(42), duration(271), duration(9000), duration(300000)
        ('42 s', '4 min 31 s', '2 h 30 min', '3 d 11 h')
    """
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(whole / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(whole / 3600)
    return f"{hours // 24} d {hours % 24} h"


def value(metric: str, number: float) -> str:
    """Returns the value of a metric; most losses have five characters.

    Example:
        >>> value("val_voc07", 0.5), value("loss", 12.3456), value("loss", 1e9)
        ('0.500', '12.35', '1.0e+09')
    """
    if not metric.endswith("loss"):
        return f"{number:.3f}"
    if not abs(number) < 1e5:
        return f"{number:.1e}"
    digits = sum(abs(number) < limit for limit in (10, 100, 1000))
    return f"{number:.{digits}f}"


def line(shot: Snapshot, width: int = MAX_WIDTH) -> str:
    """Returns the progress as one line.

    If it does not fit, its padding is dropped, then its parts, those in `DROPPED`
    first.

    Args:
        shot: what to show
        width (110): most columns

    Example:
        >>> shot = Snapshot(3, 30, 50, 100, "", 271, None, 1.234)
        >>> print(line(shot._replace(metric="val_f1", score=0.5, best=0.53, rate=41)))
        epoch  3/30  step  50/100   4 min 31 s left  loss 1.234  F1 0.500 (best 0.530)
        41 images/s
        >>> print(line(shot, 30))
        epoch 3/30 4 min 31 s left
    """
    parts = _parts(shot)
    for dropped in ("", *DROPPED):
        parts.pop(dropped, None)
        padded = "".join(parts.values())
        squeezed = re.sub(" +", " ", padded)
        if len(squeezed) <= width:
            return padded if len(padded) <= width else squeezed
    return squeezed[:width]


def _parts(shot: Snapshot) -> dict[str, str]:
    """Returns the parts of the line, each with the space before it."""
    count, total = str(shot.steps), str(shot.epochs)
    step = f"step {shot.step:>{len(count)}}/{count}"
    parts = {
        "epoch": f"epoch {shot.epoch:>{len(total)}}/{total}",
        "activity": f"  {shot.activity or step:<{len(step)}}",
    }
    if shot.seconds is not None:
        parts["left"] = f"  {'in ' + duration(shot.seconds):>16}"
    elif _is_number(shot.seconds_left):
        parts["left"] = f"  {duration(shot.seconds_left or 0):>11} left"
    if shot.loss is not None:
        parts["loss"] = f"  loss {value('loss', shot.loss):>5}"
    if shot.metric and _is_number(shot.best):
        if shot.metric != "loss":  # which is there already
            has_score = _is_number(shot.score)
            score = value(shot.metric, shot.score or 0) if has_score else "-"
            parts["score"] = f"  {SHORT_NAMES[shot.metric]} {score:>5}"
        parts["best"] = f" (best {value(shot.metric, shot.best or 0)})"
    if _is_number(shot.rate):
        rate = shot.rate or 0
        parts["rate"] = f"  {rate:.{int(rate < 10)}f} images/s"
    return parts


def _is_number(number: float | None) -> bool:
    return number is not None and math.isfinite(number)
