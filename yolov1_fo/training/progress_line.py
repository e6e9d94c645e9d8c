"""The progress line of a training, as a Keras callback."""

import math
from collections.abc import Callable
from typing import Any

import keras

from yolov1_fo.config import TrainConfig
from yolov1_fo.training import progress_text
from yolov1_fo.training.progress import Progress
from yolov1_fo.training.status_line import StatusLine
from yolov1_fo.training.training_speed import TrainingSpeed


class ProgressLine(keras.callbacks.Callback):
    """Shows how far a training is: one line, and one for each finished epoch.

    Args:
        line: to show it in
        config: returns the settings; `max_minutes` changes their epochs
        progress: of the training, changed by others after each epoch
        speed: to measure with
        seconds_left (None): returns the seconds until the end of the training, or None
            if it does not know them either
    """

    def __init__(
        self,
        line: StatusLine,
        config: Callable[[], TrainConfig],
        progress: Progress,
        speed: TrainingSpeed,
        *,
        seconds_left: Callable[[], float | None] | None = None,
    ) -> None:
        super().__init__()
        self.line, self.config = line, config
        self.progress, self.speed = progress, speed
        self.seconds_left = seconds_left or (lambda: None)
        self.epoch, self.step = progress.epoch + 1, 0
        self.loss: float | None = None

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Begins an epoch; the first steps of a process compile."""
        if self.step:
            self.speed.end_epoch(epoch)  # again, with what `on_epoch` took
        self.speed.begin_epoch()
        self.epoch, self.step, self.loss = epoch + 1, 0, None
        if not self.speed.is_compiled:
            self.say("compiling")

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Shows the step, unless the line has just changed."""
        self.step = batch + 1
        self.loss = float((logs or {}).get("loss", math.nan))
        self.speed.end_step(self.step)
        if self.line.is_due():
            self.line.show(self._text())

    def say(self, activity: str) -> None:
        """Shows what is done now, such as validating, in place of the step."""
        self.line.show(self._text(activity=activity))

    def end_epoch(self, epoch: int) -> None:
        """Writes the line of an epoch that `progress` has, counted from 1."""
        self.speed.end_epoch(epoch)
        history = self.progress.history
        metric = progress_text.monitored(self.config().monitor, history)
        changed: dict[str, Any] = {"score": history[metric][-1]}
        if self.progress.is_over(self.config()):
            changed["seconds"] = self.progress.seconds
        self.line.keep(self._text(**changed))

    def _text(self, **changed: Any) -> str:
        history, best = self.progress.history, self.progress.best
        metric = progress_text.monitored(self.config().monitor, history)
        measured = [one for one in history.get(metric, ()) if one is not None]
        shot = progress_text.Snapshot(
            *(self.epoch, self.config().epochs, self.step, self.speed.steps),
            seconds_left=self.seconds_left() or self._seconds_left(),
            loss=self.loss,
            metric=metric,
            score=measured[-1] if measured else None,
            best=best.get(metric),
            rate=self.speed.images_per_second,
        )
        return progress_text.line(shot._replace(**changed), self.line.width)

    def _seconds_left(self) -> float | None:
        epoch, step = self.epoch, self.step
        if self.progress.epoch == epoch:  # it was validated and written
            epoch, step = epoch + 1, 0
        return self.speed.seconds_left(epoch, step, self.config().epochs)
