"""Keras callbacks of a training; what they do at the end of an epoch is in `loop`."""

import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from yolov1_fo.config import DARKNET_SCHEDULES, TrainConfig
from yolov1_fo.networks.parts import freeze_backbone
from yolov1_fo.pipeline import shuffling
from yolov1_fo.training.progress import Progress

logger = logging.getLogger(__name__)


class UnfreezeBackbone(keras.callbacks.Callback):
    """Lets the backbone learn after `freeze_epochs`."""

    def __init__(self, config: TrainConfig) -> None:
        super().__init__()
        self.config = config
        is_limited = config.max_minutes > 0  # the number of epochs may change
        self.is_frozen = config.freeze_epochs > 0 and (
            is_limited or config.freeze_epochs < config.epochs
        )

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Unfreezes and compiles the step again, once."""
        if self.is_frozen and epoch >= self.config.freeze_epochs:
            self.is_frozen = False
            freeze_backbone(self.model.backbone, self.config.freeze_to_stride)
            self.model.accelerate()
            self.model.make_train_function(force=True)
            logger.info("the backbone is trained from epoch %d", epoch + 1)


class EndOfEpoch(keras.callbacks.Callback):
    """Calls a function at the end of each epoch, and stops when the training is over.

    Args:
        config: returns the settings; `max_minutes` changes their epochs
        progress: that the function changes
        end: called with the epoch, counted from 1, and its logs, which it may extend
    """

    def __init__(
        self,
        config: Callable[[], TrainConfig],
        progress: Progress,
        end: Callable[[int, dict[str, Any]], None],
    ) -> None:
        super().__init__()
        self.config, self.progress, self.end = config, progress, end

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Calls it."""
        self.end(epoch + 1, {} if logs is None else logs)
        config = self.config()
        if not self.progress.is_over(config):
            return
        self.model.stop_training = True
        if reason := self.progress.stop_reason(config):
            logger.info("stopped early: %s", reason)


def check_callbacks(
    callbacks: Sequence[keras.callbacks.Callback] | keras.callbacks.Callback | None,
) -> list[keras.callbacks.Callback]:
    """Returns a user's callbacks as a list.

    Raises:
        TypeError: if one is not a Keras callback
    """
    if callbacks is None:
        return []
    given = list(callbacks) if isinstance(callbacks, list | tuple) else [callbacks]
    for one in given:
        if not isinstance(one, keras.callbacks.Callback):
            kind = f"the class {one.__name__}" if isinstance(one, type) else repr(one)
            raise TypeError(
                "callbacks must be instances of keras.callbacks.Callback, got "
                f"{' '.join(kind.split())}"
            )
    return given


class NoteStop(keras.callbacks.Callback):
    """Notes that a user's callback, the one before it, has stopped the training.

    Args:
        name: of the user's callback
        note: called with `name` and the epoch, counted from 1, after each of its calls
            that leaves `stop_training` set
    """

    def __init__(self, name: str, note: Callable[[str, int], None]) -> None:
        super().__init__()
        self.name, self.note, self.epoch = name, note, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the epoch."""
        self.epoch = epoch + 1
        self._look()

    def on_train_batch_begin(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Notes a stop at the beginning of a step."""
        self._look()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Notes a stop within an epoch."""
        self._look()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes a stop at the end of an epoch."""
        self._look()

    def _look(self) -> None:
        if self.model.stop_training:
            self.note(self.name, self.epoch)


class ReportSteps(keras.callbacks.Callback):
    """Reports each step.

    Args:
        report: called with epoch, epochs, step and steps, counted from 1
        config: returns the settings; `max_minutes` changes their epochs
    """

    def __init__(
        self,
        report: Callable[[int, int, int, int], None],
        config: Callable[[], TrainConfig],
    ) -> None:
        super().__init__()
        self.report, self.config, self.epoch = report, config, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Counts the epoch."""
        self.epoch = epoch + 1

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Reports the step."""
        epochs, steps = self.config().epochs, self.params["steps"]
        self.report(self.epoch, epochs, batch + 1, steps)


class RaiseOnNaN(keras.callbacks.Callback):
    """Raises a FloatingPointError that names the first step with a non-finite loss.

    Args:
        config: of the training
        filepaths: of the training images, in the order of the listing
        sampler (None): draws the images of each epoch, if they have weights
    """

    def __init__(
        self,
        config: TrainConfig,
        filepaths: list[str],
        sampler: shuffling.Sampler | None = None,
    ) -> None:
        super().__init__()
        self.config, self.filepaths, self.sampler = config, filepaths, sampler

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Checks the loss, a running mean: after one NaN it stays NaN."""
        if logs and math.isfinite(logs["loss"]):
            return
        n, size = len(self.filepaths), self.config.batch_size
        bad = self.model.first_bad_step
        epoch, step = divmod(bad, shuffling.steps_per_epoch(n, size))
        rows = shuffling.rows_of_step(bad, n, size, self.config.seed, self.sampler)
        names = ", ".join(dict.fromkeys(self.filepaths[row] for row in rows))
        remedy = f"a lower learning_rate than {self.config.learning_rate}"
        if self.config.schedule in DARKNET_SCHEDULES:  # it has rates of its own
            remedy = f"a schedule other than {self.config.schedule}"
        raise FloatingPointError(
            f"the loss is not finite at epoch {epoch + 1}, step {step + 1}; use "
            f"{remedy} or set global_clipnorm; images of that step: {names}"
        )
