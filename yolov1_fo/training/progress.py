"""How far a training is: its epochs, their metrics, the best one, and when to stop."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from yolov1_fo.config import TrainConfig, metric_names
from yolov1_fo.runs.history import History
from yolov1_fo.training.progress_text import monitored

SCORES = {"val_voc07": metric_names.label("val_voc07"), "val_top1": "top-1 accuracy"}
"""The mAP and accuracy that are shown for each run, and their names for people."""


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: number of finished epochs
        seconds: that they took, in all processes that trained the run
        history: a list of numbers, one per epoch, for each metric; None where an epoch
            has no value
        best: epoch and metrics of the best checkpoint
        operating_point: of the best checkpoint, on the validation split, as JSON: the
            parts of `OperatingPoint` and iou_thresh; None without
        pace: of a training with `max_minutes`, a `time_limit.Pace`
    """

    epoch: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    pace: list[float] | None = None
    operating_point: dict[str, float | None] | None = None

    def add(
        self,
        epoch: int,
        metrics: dict[str, float],
        monitor: str = TrainConfig.monitor,
        *,
        tolerance: float = 0.0,
        objects: int = 0,
    ) -> bool:
        """Adds a finished epoch; returns whether it is the best so far.

        Args:
            epoch: counted from 1
            metrics: of this epoch; NaN for what was not measured
            monitor ("val_voc07"): metric that decides, see `monitored`
            tolerance (0.0): standard errors by which the best may be below the highest
            objects (0): that the metrics were measured on, for the standard error
        """
        name, highest = monitored(monitor, metrics), self.highest(monitor)
        self.epoch = epoch
        for key, value in finite(metrics).items():
            # A run that began in an older version has not measured it before.
            self.history.setdefault(key, [None] * (epoch - 1)).append(value)
        is_best = not highest or _rank(metrics, monitor) > _rank(highest, monitor)
        if not is_best and tolerance and not is_lower_better(name):
            error = tolerance * standard_error(highest[name], objects)
            is_best = metrics[name] >= highest[name] - error
        if is_best:
            self.best = {"epoch": epoch, **metrics}
        return is_best

    def highest(self, monitor: str = TrainConfig.monitor) -> dict[str, float]:
        """Returns the first epoch with the best value of the monitor.

        With a tolerance, it can be another one than the best checkpoint's.

        Returns:
            epoch, the monitored metric and val_loss; empty before the first epoch
        """
        known = self.history
        names = {monitored(monitor, known), "val_loss"} & set(known)
        epochs = [
            {"epoch": n, **_with_nan({name: known[name][n - 1] for name in names})}
            for n in range(1, self.epoch + 1)
        ]
        return max(epochs, key=lambda one: _rank(one, monitor), default={})

    def is_over(self, config: TrainConfig) -> bool:
        """Returns whether all epochs are finished, or `patience` ends the training."""
        if self.epoch in (0, config.epochs):
            return self.epoch > 0
        if not config.patience or not is_validated(self.epoch, config):
            return False
        first = self.highest(config.monitor)["epoch"]
        waited = self.epoch - max(first, config.freeze_epochs)
        return waited >= config.patience

    def stop_reason(self, config: TrainConfig) -> str:
        """Returns why the training ended before its last epoch; empty if it did not."""
        if self.epoch == config.epochs or not self.is_over(config):
            return ""
        highest = self.highest(config.monitor)
        name, epoch = monitored(config.monitor, highest), highest["epoch"]
        change = "fallen below" if is_lower_better(name) else "exceeded"
        return (
            f"{name} has not {change} {highest[name]:.4g} of epoch {epoch:.0f} for "
            f"{self.epoch - epoch:.0f} epochs"
        )

    def to_json(self) -> str:
        """Returns it as JSON; `from_json(p.to_json()) == p`."""
        return json.dumps({**asdict(self), "best": finite(self.best)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns what `to_json` wrote; `from_json(p.to_json()) == p`."""
        progress = cls(**json.loads(text))
        progress.best = _with_nan(progress.best)
        return progress


def _with_nan(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {k: math.nan if v is None else v for k, v in metrics.items()}


def standard_error(value: float, count: int) -> float:
    """Returns the standard error of a mAP, precision or recall, as of a proportion.

    It is that of a proportion to which two hits and two misses were added, so that it
    is not 0 for 0 and 1 (Agresti and Coull, 1998).

    Args:
        value: measured, in [0, 1]
        count: number of objects it was measured on

    Example:
        >>> round(standard_error(0.6, 13), 2), round(standard_error(0.6, 300), 3)
        (0.12, 0.028)
    """
    share = (value * count + 2) / (count + 4)
    return math.sqrt(share * (1 - share) / (count + 4))


def finite(metrics: dict[str, float]) -> dict[str, float | None]:
    """Returns metrics as JSON can hold them: None in place of NaN and infinity."""
    return {k: v if math.isfinite(v) else None for k, v in metrics.items()}


def is_validated(epoch: int, config: TrainConfig) -> bool:
    """Returns whether there is a validation after an epoch, counted from 1."""
    return epoch == config.epochs or epoch % config.validation_freq == 0


def is_lower_better(name: str) -> bool:
    """Returns whether a metric is a loss."""
    return name.endswith("loss")


def _rank(
    metrics: dict[str, float], monitor: str = TrainConfig.monitor
) -> tuple[float, float]:
    """Returns a key that is larger for a better epoch: by monitor, then by loss.

    Epochs without a validation rank lowest.
    """
    name = monitored(monitor, metrics)
    value, loss = metrics[name], metrics.get("val_loss", 0.0)
    if math.isnan(value) or math.isnan(loss):
        return -math.inf, 0.0
    return -value if is_lower_better(name) else value, -loss
