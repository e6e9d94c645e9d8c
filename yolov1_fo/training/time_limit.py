"""Fits the length of a training to `max_minutes`, while it trains."""

import collections
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from yolov1_fo.training.training_speed import FORWARD_SHARE

TARGET = 0.98
"""Share of the time limit that is planned for."""
TOLERANCE = 0.02
"""If the planned end moves by more than this share of the limit, the plan changes."""
MIN_TIMED_STEPS = 5
"""Number of steps, after the first, whose time is measured before the first plan."""
TIMED_STEPS = 100
"""Number of last steps whose mean time predicts that of the following ones."""
SAVING_SECONDS = 2.0
"""Assumed time to write a checkpoint, until measured."""


class Pace(NamedTuple):
    """How far each step takes a training, from a step on: the decision that is kept.

    Attributes:
        step: from which it applies, counted from 0
        progress: before that step, in [0, 1]
        total_steps: number of steps after which the training ends
    """

    step: int
    progress: float
    total_steps: int

    @property
    def per_step(self) -> float:
        """Progress of a step."""
        return (1 - self.progress) / max(self.total_steps - self.step, 1)

    def at(self, step: int) -> float:
        """Returns the progress before a step, in [0, 1]."""
        return min(self.progress + (step - self.step) * self.per_step, 1.0)

    def changed(self, step: int, total_steps: int) -> "Pace":
        """Returns the pace that leads from a step to another end."""
        return Pace(step, self.at(step), total_steps)


class TimeLimit(keras.callbacks.Callback):
    """Ends a training in time: measures its steps and changes the pace as needed.

    It must come before callbacks that validate and save at the end of an epoch. The
    last epoch may be incomplete.

    Args:
        seconds: of the whole training
        elapsed: returns the seconds since the training started
        steps: per epoch
        max_steps: largest number of steps
        pace: so far
        set_pace: called with each new pace
        val_share (0): validation images divided by images per step
        validation_freq (1): epochs between validations

    Attributes:
        is_over: whether it has ended the training
    """

    def __init__(
        self,
        seconds: float,
        elapsed: Callable[[], float],
        steps: int,
        max_steps: int,
        pace: Pace,
        set_pace: Callable[[Pace], None],
        val_share: float = 0.0,
        validation_freq: int = 1,
    ) -> None:
        super().__init__()
        self.seconds, self.elapsed, self.steps = seconds, elapsed, steps
        self.max_steps, self.pace, self.set_pace = max_steps, pace, set_pace
        self.val_share, self.validation_freq = val_share, validation_freq
        self.is_over, self._is_compiled = False, False
        self.epoch = 0
        self._durations: collections.deque[float] = collections.deque(
            maxlen=TIMED_STEPS
        )
        self._last: tuple[int, float] | None = None  # step and time of the last batch
        self._end_seconds: list[float] = []  # of the ends of epochs

    def remaining(self) -> float | None:
        """Returns the planned seconds to the end; None before the first plan."""
        if len(self._durations) < MIN_TIMED_STEPS or self._last is None:
            return None
        return self._planned_seconds(self._last[0])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Measures how long the end of the last epoch took."""
        now = self.elapsed()
        if self._last is not None:
            self._end_seconds.append(now - self._last[1])
        self.epoch, self._last = epoch, (epoch * self.steps, now)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Measures the step, changes the pace if needed, and stops when it is time."""
        step, now = self.epoch * self.steps + batch + 1, self.elapsed()
        if self._last is not None and self._is_compiled:
            taken = step - self._last[0]
            self._durations.append((now - self._last[1]) / taken)
        self._last, self._is_compiled = (step, now), True
        if len(self._durations) >= MIN_TIMED_STEPS:
            self._adapt(step, now)
        is_late = now + self._last_end_seconds() >= self.seconds
        if step >= self.pace.total_steps or is_late:
            self._change(self.pace.changed(step, step))
            self.is_over = self.model.stop_training = True

    def _adapt(self, step: int, now: float) -> None:
        left = TARGET * self.seconds - now
        if abs(self._planned_seconds(step) - left) <= TOLERANCE * self.seconds:
            return
        per_step = self._step_seconds() + self._epoch_end_seconds() / self.steps
        affordable = max(int((left - self._last_end_seconds()) / per_step), 0)
        total = min(step + affordable, self.max_steps)
        if total != self.pace.total_steps:
            self._change(self.pace.changed(step, total))

    def _change(self, pace: Pace) -> None:
        self.pace = pace
        self.set_pace(pace)

    def _planned_seconds(self, step: int) -> float:
        """Returns the seconds from a step to the end, with the ends of epochs."""
        left = max(self.pace.total_steps - step, 0)
        ends = math.ceil(self.pace.total_steps / self.steps) - (step - 1) // self.steps
        others = max(ends - 1, 0) * self._epoch_end_seconds()
        return left * self._step_seconds() + others + self._last_end_seconds()

    def _step_seconds(self) -> float:
        return sum(self._durations) / len(self._durations)

    def _epoch_end_seconds(self) -> float:
        """Returns the mean seconds to validate, if it is due, to save and to report."""
        if self._end_seconds:
            last = self._end_seconds[-max(3, self.validation_freq) :]
            return sum(last) / len(last)
        return self._validation_guess() / self.validation_freq + SAVING_SECONDS

    def _last_end_seconds(self) -> float:
        """Returns the same for the last epoch, which is always validated."""
        if len(self._end_seconds) >= self.validation_freq:
            return max(self._end_seconds[-max(3, self.validation_freq) :])
        return max([self._validation_guess() + SAVING_SECONDS, *self._end_seconds])

    def _validation_guess(self) -> float:
        if not self._durations:
            return 0.0
        return FORWARD_SHARE * self.val_share * self._step_seconds()
