"""How far the training of a job is, and how long it still takes."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from yolov1_fo.config import MAX_EPOCHS
from yolov1_fo.runs import estimate

ESTIMATE_AFTER_SECONDS = 3.0
"""Time of training after which its speed is known."""


class TrainingClock:
    """Tells the progress of a training from its steps, and from its time limit.

    A time limit changes the number of epochs during the training. The progress depends
    on the limit and on the largest number of epochs, so it never decreases.

    Args:
        max_minutes (0): time limit of the whole training; 0 is none
        max_epochs (MAX_EPOCHS): largest number of epochs with a time limit
        seconds_before (0): that earlier processes have trained
        now (time.monotonic): returns the time in seconds
    """

    def __init__(
        self,
        max_minutes: float = 0.0,
        max_epochs: int = MAX_EPOCHS,
        seconds_before: float = 0.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limit, self.max_epochs = 60 * max_minutes, max_epochs
        self.now, self.begin = now, now() - seconds_before
        self._first: tuple[float, float] | None = None  # time and share of a step

    @classmethod
    def of_settings(
        cls, settings: Mapping[str, Any], seconds_before: float = 0.0
    ) -> Self:
        """Returns the clock of a training that begins now.

        Args:
            settings: those given, fields of `TrainConfig`
            seconds_before (0): that earlier processes have trained
        """
        limit, epochs = settings.get("max_minutes"), settings.get("epochs")
        return cls(limit or 0.0, epochs or MAX_EPOCHS, seconds_before)

    def at_step(
        self, epoch: int, epochs: int, step: int, steps: int
    ) -> tuple[float, str]:
        """Returns the progress after a step, in [0, 1], and a line about it.

        Args:
            epoch: counted from 1
            epochs: as planned now
            step: of the epoch, counted from 1
            steps: per epoch
        """
        now = self.now()
        total = self.max_epochs if self.limit else epochs
        share = (epoch - 1 + step / steps) / total
        remaining = self._remaining_by_steps(now, share)
        if self.limit:
            left = max(self.begin + self.limit - now, 0.0)
            share = max(share, 1 - left / self.limit)
            remaining = left if remaining is None else min(remaining, left)
        label = f"epoch {epoch} of {epochs}, step {step} of {steps}"
        if remaining is not None:
            label += f", about {estimate.format_duration(remaining)} left"
        return min(share, 1.0), label

    def _remaining_by_steps(self, now: float, share: float) -> float | None:
        """Returns the seconds until all epochs are over; None if not known yet."""
        if self._first is None:
            self._first = now, share
        elapsed, trained = now - self._first[0], share - self._first[1]
        if elapsed <= ESTIMATE_AFTER_SECONDS or trained <= 0:
            return None
        return elapsed * (1 - share) / trained
