"""The learning-rate schedules."""

import math
from typing import Any

import keras
from keras import ops

from yolov1_fo.boxes import Array
from yolov1_fo.config import DARKNET_SCHEDULES, TrainConfig
from yolov1_fo.training.time_limit import Pace

MAX_WARMUP = 0.1
"""Largest share of the warm-up in a training with `max_minutes`."""


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """The learning rate as a function of the step alone, so also after a resume.

    Steps whose gradients are accumulated have the rate of one large batch. Darknet
    counts batches from 1; a batch of several subdivisions is one.

    With `max_minutes` it is a function of the step and the pace, which changes.

    Args:
        config: schedule, learning_rate, epochs, warmup_epochs, rate_steps, max_minutes,
            gradient_accumulation_steps
        steps_per_epoch: steps in an epoch

    Source: paper section 2.2; Darknet network.c
    """

    def __init__(self, config: TrainConfig, steps_per_epoch: int) -> None:
        self.config = config
        self.steps_per_epoch = steps_per_epoch
        self._pace: Any = None
        if config.max_minutes:
            self._pace = keras.Variable(
                [0.0, 0.0, 1 / (config.epochs * steps_per_epoch)],
                trainable=False,
                dtype="float32",
                name="pace",
                aggregation="only_first_replica",
            )

    def set_pace(self, pace: Pace) -> None:
        """Sets the pace of a training with `max_minutes`."""
        self._pace.assign([pace.step, pace.progress, pace.per_step])

    def __call__(self, step: Array) -> Array:
        """Returns the learning rate at `step`, counted from 0.

        Keras counts steps here, not updates, also if it accumulates gradients.
        """
        pace = None if self._pace is None else ops.convert_to_tensor(self._pace)
        return self._at(step, pace)

    def progress(self, step: Array) -> Array:
        """Returns the share of the training that is done before `step`, in [0, 1]."""
        step = ops.cast(step, "float32")
        if self._pace is not None:
            return _progress(step, ops.convert_to_tensor(self._pace))
        return ops.clip(step / (self.config.epochs * self.steps_per_epoch), 0.0, 1.0)

    def rate(self, step: int) -> float:
        """Returns the learning rate at `step`, counted from 0, outside of a step."""
        pace = None if self._pace is None else self._pace.numpy()
        return float(ops.convert_to_numpy(self._at(step, pace)))

    def _at(self, step: Array, pace: Array | None) -> Array:
        config = self.config
        update = ops.floor_divide(step, config.gradient_accumulation_steps)
        update = ops.cast(update, "float32")
        if config.schedule in DARKNET_SCHEDULES:
            return _staircase(update + 1, DARKNET_SCHEDULES[config.schedule])
        epoch = update * config.gradient_accumulation_steps / self.steps_per_epoch
        if pace is not None:
            step = ops.cast(step, "float32")
            return config.learning_rate * self._paced(step, epoch, pace)
        if config.schedule == "steps":
            return _staircase(epoch, config.rate_steps)
        rate = ops.ones_like(epoch) * config.learning_rate
        if config.schedule == "constant":
            return rate
        if config.warmup_epochs > 0:
            rate = rate * ops.minimum(0.1 + 0.9 * epoch / config.warmup_epochs, 1.0)
        if config.schedule == "paper":
            first, second = config.epochs * 75 / 135, config.epochs * 105 / 135
            return rate * _staircase(epoch, ((0, 1.0), (first, 0.1), (second, 0.01)))
        length = max(config.epochs - config.warmup_epochs, 1e-6)
        done = ops.clip((epoch - config.warmup_epochs) / length, 0.0, 1.0)
        return rate * 0.5 * (1 + ops.cos(math.pi * done))

    def _paced(self, step: Array, epoch: Array, pace: Array) -> Array:
        """Returns the learning rate relative to the highest, by the pace.

        The warm-up takes `warmup_epochs`, but at most `MAX_WARMUP` of the training.
        """
        config = self.config
        progress = _progress(step, pace)
        rate = ops.ones_like(epoch)
        if config.schedule == "constant":
            return rate
        if config.warmup_epochs > 0:
            warmed = ops.maximum(epoch / config.warmup_epochs, progress / MAX_WARMUP)
            rate = ops.minimum(0.1 + 0.9 * warmed, 1.0)
        if config.schedule == "paper":
            steps = ((0, 1.0), (75 / 135, 0.1), (105 / 135, 0.01))
            return rate * _staircase(progress, steps)
        return rate * 0.5 * (1 + ops.cos(math.pi * progress))

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments of the schedule."""
        return {"config": self.config, "steps_per_epoch": self.steps_per_epoch}


def _progress(step: Array, pace: Array) -> Array:
    """Returns the share of a training with `max_minutes` that is done, in [0, 1]."""
    start, before, per_step = ops.unstack(pace, 3)
    return ops.clip(before + (step - start) * per_step, 0.0, 1.0)


def _staircase(time: Array, steps: tuple[tuple[float, float], ...]) -> Array:
    value = ops.ones_like(time) * steps[0][1]
    for start, rate in steps[1:]:
        value = ops.where(time >= start, rate, value)
    return value
