"""The progress line of a training, as a Keras callback."""

import math
from collections.abc import Callable
from typing import Any

import keras

from yolov1_fo.config import TrainConfig
from yolov1_fo.training import progress_text
from yolov1_fo.training.pace import Pace
from yolov1_fo.training.progress import Progress
from yolov1_fo.training.status_line import StatusLine


class ProgressLine(keras.callbacks.Callback):
    """Shows how far a training is: one line, and one for each finished epoch.

    Args:
        line: to show it in
        config: of the training
        progress: of the training, changed by others after each epoch
        pace: to measure with
        epochs (`config.epochs`): returns the number of epochs, if it may change
        seconds_left (`pace.seconds_left`): returns the time until the end of the
            training, in seconds, or None
    """

    def __init__(
        self,
        line: StatusLine,
        config: TrainConfig,
        progress: Progress,
        pace: Pace,
        *,
        epochs: Callable[[], int] | None = None,
        seconds_left: Callable[[], float | None] | None = None,
    ) -> None:
        super().__init__()
        self.line, self.config, self.progress, self.pace = line, config, progress, pace
        self.epochs = epochs or (lambda: config.epochs)
        self.seconds_left = seconds_left or self._seconds_left
        self.epoch, self.step = progress.epoch + 1, 0
        self.loss: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins an epoch; the first steps of a process compile."""
        if self.step:
            self.pace.end_epoch(epoch)  # again, with what `on_epoch` took
        self.pace.begin_epoch()
        self.epoch, self.step, self.loss = epoch + 1, 0, None
        if not self.pace.is_compiled:
            self.say("compiling")

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Shows the step, unless the line has just changed."""
        self.step = batch + 1
        self.loss = float((logs or {}).get("loss", math.nan))
        self.pace.end_step(self.step)
        if self.line.is_due():
            self.line.show(self._text())

    def say(self, activity: str) -> None:
        """Shows what is done now, such as validating, in place of the step."""
        self.line.show(self._text(activity=activity))

    def end_epoch(self, epoch: int) -> None:
        """Writes the line of an epoch that `progress` has, counted from 1."""
        self.pace.end_epoch(epoch)
        history = self.progress.history
        metric = progress_text.monitored(self.config.monitor, history)
        changed: dict[str, Any] = {"score": history[metric][-1]}
        if self.progress.is_over(self.config):
            changed["seconds"] = self.progress.seconds
        self.line.keep(self._text(**changed))

    def _text(self, **changed: Any) -> str:
        history, best = self.progress.history, self.progress.best
        metric = progress_text.monitored(self.config.monitor, history)
        measured = [one for one in history.get(metric, ()) if one is not None]
        shot = progress_text.Snapshot(
            *(self.epoch, self.epochs(), self.step, self.pace.steps),
            seconds_left=self.seconds_left(),
            loss=self.loss,
            metric=metric,
            score=measured[-1] if measured else None,
            best=best.get(metric),
            rate=self.pace.images_per_second,
        )
        return progress_text.line(shot._replace(**changed), self.line.width)

    def _seconds_left(self) -> float | None:
        epoch, step = self.epoch, self.step
        if self.progress.epoch == epoch:  # it was validated and written
            epoch, step = epoch + 1, 0
        return self.pace.seconds_left(epoch, step, self.epochs())
