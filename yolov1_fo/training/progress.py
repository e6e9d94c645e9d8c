"""How far a training is: its epochs, their metrics, the best one, and when to stop."""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Self

from yolov1_fo.config import TrainConfig
from yolov1_fo.runs.history import History
from yolov1_fo.training.progress_text import monitored

SCORES = {"val_voc07": "VOC07 mAP@0.5", "val_top1": "top-1 accuracy"}
"""Metrics that decide which epoch is best, and their names for people."""


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: number of finished epochs
        seconds: that they took, in all processes that trained the run
        history: a list of numbers, one per epoch, for each metric; None where an epoch
            has no value
        best: epoch and metrics of the best checkpoint
    """

    epoch: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)

    def add(self, epoch: int, metrics: dict[str, float]) -> bool:
        """Adds a finished epoch; returns whether it is the best so far.

        Args:
            epoch: counted from 1
            metrics: of this epoch; NaN for what was not measured
        """
        self.epoch = epoch
        for name, value in finite(metrics).items():
            self.history.setdefault(name, []).append(value)
        is_best = not self.best or _rank(metrics) > _rank(self.best)
        if is_best:
            self.best = {"epoch": epoch, **metrics}
        return is_best

    def is_over(self, config: TrainConfig) -> bool:
        """Returns whether all epochs are finished, or `patience` ends the training."""
        if self.epoch in (0, config.epochs):
            return self.epoch > 0
        if not config.patience or not is_validated(self.epoch, config):
            return False
        waited = self.epoch - max(self.best["epoch"], config.freeze_epochs)
        return waited >= config.patience

    def stop_reason(self, config: TrainConfig) -> str:
        """Returns why the training ended before its last epoch; empty if not."""
        if self.epoch == config.epochs or not self.is_over(config):
            return ""
        metric, best = monitored(config.monitor, self.best), self.best["epoch"]
        return (
            f"{metric} has not improved since epoch {best:.0f} "
            f"(patience {config.patience})"
        )

    def to_json(self) -> str:
        """Returns it as JSON; `from_json(p.to_json()) == p`."""
        return json.dumps({**asdict(self), "best": finite(self.best)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Returns what `to_json` wrote; `from_json(p.to_json()) == p`."""
        progress = cls(**json.loads(text))
        progress.best = {
            k: math.nan if v is None else v for k, v in progress.best.items()
        }
        return progress


def finite(metrics: dict[str, float]) -> dict[str, float | None]:
    """Returns metrics as JSON can hold them: None in place of NaN and infinity."""
    return {k: v if math.isfinite(v) else None for k, v in metrics.items()}


def is_validated(epoch: int, config: TrainConfig) -> bool:
    """Returns whether there is a validation after an epoch, counted from 1."""
    return epoch == config.epochs or epoch % config.validation_freq == 0


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    """Returns a key that is larger for a better epoch: by score, then by loss.

    Epochs without a validation rank lowest.
    """
    scores = [metrics[name] for name in SCORES if name in metrics]
    if not scores:
        return 0.0, -metrics["loss"]
    if math.isnan(scores[0]):
        return -1.0, 0.0
    return scores[0], -metrics["val_loss"]
