"""Measures how fast a training is, and estimates when it will be over."""

import time
from collections.abc import Callable
from typing import NamedTuple

from yolov1_fo.config import TrainConfig
from yolov1_fo.training.progress import is_validated

FORWARD_SHARE = 1 / 3
"""Time to predict a batch, relative to a step; the backward pass is twice as long."""


class _Measured(NamedTuple):
    steps: int = 0
    seconds: float = 0.0


class TrainingSpeed:
    """The speed of a training in this process.

    The first steps, which compile, do not count. Speeds are means over this epoch and
    the one before it, since a step takes longer once a backbone is trained.

    Args:
        config: of the training
        steps: per epoch
        val_images (0): images of the validation split
        clock (time.monotonic): returns the time, in seconds
    """

    def __init__(
        self,
        config: TrainConfig,
        steps: int,
        val_images: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.steps, self.val_images = config, steps, val_images
        self._clock = clock
        self._before, self._epoch = _Measured(), _Measured()
        self._ends: dict[bool, float] = {}  # seconds, by whether it was validated
        self._step, self._time = 0, clock()
        self.is_compiled = False

    def begin_epoch(self) -> None:
        """Starts to measure an epoch."""
        if self._epoch.steps:
            self._before, self._epoch = self._epoch, _Measured()
        self._step, self._time = 0, self._clock()

    def end_step(self, step: int) -> None:
        """Measures the time since the last call; `step` counts from 1 in each epoch."""
        now = self._clock()
        if self.is_compiled:
            steps, seconds = self._epoch
            self._epoch = _Measured(
                steps + step - self._step, seconds + now - self._time
            )
        self.is_compiled = True
        self._step, self._time = step, now

    def end_epoch(self, epoch: int) -> None:
        """Measures the time since the last step: to validate and write."""
        self._ends[is_validated(epoch, self.config)] = self._clock() - self._time

    @property
    def images_per_second(self) -> float | None:
        """Training images per second of this epoch, else the last; None if unknown."""
        measured = self._epoch if self._epoch.steps else self._before
        if not measured.seconds:
            return None
        return measured.steps * self.config.batch_size / measured.seconds

    def seconds_left(self, epoch: int, step: int, epochs: int) -> float | None:
        """Returns the time until the end of the training; None if unknown.

        It includes the validations and the checkpoints.

        Args:
            epoch: counted from 1; 1 more than the last epoch that was ended
            step: finished steps of this epoch
            epochs: of the training
        """
        steps = self._before.steps + self._epoch.steps
        if not steps:
            return None
        step_seconds = (self._before.seconds + self._epoch.seconds) / steps
        left = (epochs - epoch + 1) * self.steps - step
        freq = self.config.validation_freq
        validated = epochs // freq - (epoch - 1) // freq
        validated += epoch <= epochs and epochs % freq > 0  # the last one always is
        others = epochs - epoch + 1 - validated
        guess = self.val_images / self.config.batch_size * step_seconds * FORWARD_SHARE
        end, plain_end = self._ends.get(True, guess), self._ends.get(False, 0.0)
        return left * step_seconds + validated * end + others * plain_end
