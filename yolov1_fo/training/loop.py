"""A training as one object: `Session.run` is the whole of it, phase by phase."""

import contextlib
import gc
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import keras
import numpy as np

from yolov1_fo import allocator, hardware, images
from yolov1_fo.datasets import error_lines
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.networks.keras_settings import hide_retracing_warnings
from yolov1_fo.runs import checkpoint, folders, records
from yolov1_fo.training import (
    augmentation_layer,
    averaging,
    callbacks,
    coordination,
    provenance,
    resume,
    train_batch,
)
from yolov1_fo.training.distribution import Devices, share
from yolov1_fo.training.input_pipeline import InputPipeline
from yolov1_fo.training.learner_builder import build_learner
from yolov1_fo.training.plan import Plan
from yolov1_fo.training.progress import Progress, is_validated
from yolov1_fo.training.progress_line import ProgressLine
from yolov1_fo.training.result import TrainResult
from yolov1_fo.training.run_report import page
from yolov1_fo.training.run_writer import RunWriter
from yolov1_fo.training.status_line import StatusLine
from yolov1_fo.training.tasks import DETECT
from yolov1_fo.training.time_limit import Pace, TimeLimit
from yolov1_fo.training.training_speed import TrainingSpeed
from yolov1_fo.training.validation import Validator

logger = logging.getLogger(__name__)

FEW_EPOCHS = 0.25
"""A time limit that leaves less than this share of the recipe's epochs is a warning."""

OnEpoch = Callable[[int, dict[str, float]], None]
OnStep = Callable[[int, int, int, int], None]


def run(
    plan: Plan,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    *,
    progress: bool = True,
    devices: int | None = None,
    user_callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainResult:
    """Trains as planned; see `Session`.

    Args:
        plan: from `plan.make`
        on_epoch (None): called with the epoch, counted from 1, and its metrics
        on_step (None): called with epoch, epochs, step and steps, counted from 1
        progress (True): shows a progress line
        devices (None): number of devices that share each batch; 0 and None use one
        user_callbacks (none): called after ours, in the first process

    Raises:
        ValueError: if too few images can be read, the weights do not fit, or the
            devices can't share a batch
        FileNotFoundError: if a run to resume has lost a file
        OSError: if the disk is full, or a checkpoint can't be written
        FloatingPointError: if the loss is not finite
    """
    try:
        with share(devices) as shared, hide_retracing_warnings():
            return Session(
                *(plan, shared, on_epoch, on_step),
                show_progress=progress,
                user_callbacks=user_callbacks,
            ).run()
    finally:
        # Keras' models are in reference cycles. No name here refers to the session,
        # so that this frees its learner and its images.
        gc.collect()


class Session:
    """A training: its plan, and the input, learner and callbacks made from it.

    Of several processes that share the training, each has a session; the first one
    validates, writes and reports.

    Args:
        plan: what to train
        devices: that share each batch
        on_epoch: as in `run`
        on_step: as in `run`
        show_progress: shows a progress line
        user_callbacks: as in `run`

    Attributes:
        input: the batches and the validation split
        learner: the network with its compiled training step
        writer: writes the run, in the first process
        progress: the epochs so far
        shown: the progress line
        seconds_before: that earlier processes have trained the run
        stopped_early: which callback has stopped the training, and when; None if none
    """

    def __init__(
        self,
        plan: Plan,
        devices: Devices,
        on_epoch: OnEpoch | None = None,
        on_step: OnStep | None = None,
        *,
        show_progress: bool = False,
        user_callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        devices.check(plan.config)
        self.user_callbacks = user_callbacks
        self.stopped_early: str | None = None
        self.plan, self.devices = plan.shared_by(devices), devices
        self.on_epoch, self.on_step = on_epoch, on_step
        is_shown = show_progress and devices.is_first
        self.line = StatusLine(sys.stdout if is_shown else None)
        self.seconds_before = 0.0

    def run(self) -> TrainResult:
        """Runs the phases of a training."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.line)
            self.prepare()
            with coordination.first_process_only(self.devices) as is_first:
                if is_first:
                    self.check()
                    stack.enter_context(self.writer.registered())
                    if self.plan.task is DETECT:
                        train_batch.write(self.plan, self.input)
            self.fit()
            if self.devices.is_first:
                self.writer.finish(
                    self.progress,
                    skipped=len(self.input.skipped),
                    stopped_early=self._stop_reason() or None,
                )
        return self.result(self._write_report())

    def _write_report(self) -> str:
        """Returns the path of the report; empty if this process did not write it."""
        if not self.devices.is_first:
            return ""
        return page.write_after_training(self.plan.dataset, self.plan.run_key)

    def prepare(self) -> None:
        """Makes the input pipeline, and the learner around a new network."""
        plan, devices = self.plan, self.devices
        splits = (plan.listing, plan.validation)
        count = sum(len(split.filepaths) for split in splits if split)
        self.line.show(f"reading {count} images")
        augmentation_layer.check_works(plan.augmentation, plan.config)
        self.input = InputPipeline(plan, devices)
        self.learner = build_learner(
            *(plan.config, self.input.steps, plan.task, plan.source, devices),
            classes=plan.classes,
            augmentation=plan.augmentation,
        )
        self.averaged = averaging.AveragedNetwork(self.learner, devices)
        self.progress = Progress()
        self.time_limit: TimeLimit | None = None
        self.recipe_epochs: int | None = None
        self.shown = self._progress_line()

    def check(self) -> None:
        """Raises an error if the run can't start or resume; nothing is written yet."""
        record = provenance.record(self.plan, self.input)
        if self.plan.resumes:
            provenance.check_same(self.plan, record)
        self.writer = RunWriter(self.plan, record, self._elapsed)
        self._log_monitor()
        network = _size(self.learner.network.variables)
        state = _size(resume.variables(self.learner).values())
        folders.check_space(self.plan.folder, 3 * network + 2 * state)

    def _log_monitor(self) -> None:
        monitor = self.plan.config.monitor
        if self.input.validator is None and monitor != "loss":
            logger.info(
                "%s needs a validation split, and there is none: the checkpoint with "
                "the lowest training loss is the best",
                monitor,
            )

    def fit(self) -> None:
        """Trains, or resumes, until the last epoch; starts again if memory runs out."""
        while True:
            try:
                return self._fit()
            except Exception as error:
                if not error_lines.is_out_of_memory(error):
                    raise
                smaller = self.plan.smaller(self.input.mode, self.devices)
                if smaller is None:
                    raise
            # Outside of `except`: the error's frames would keep the old learner alive.
            self._forget_learner()
            gc.collect()
            self.plan = smaller
            self.prepare()
            self.writer.change(smaller, provenance.record(smaller, self.input))

    def _forget_learner(self) -> None:
        """Deletes what holds the network and the images, callbacks included."""
        del self.input, self.learner, self.averaged, self.shown
        self.time_limit = None
        for callback in self.user_callbacks:
            callback.set_model(None)

    def _fit(self) -> None:
        self._restore()
        config, done = self.plan.config, self.progress.epoch
        if self.progress.is_over(config):
            return
        self.learner.accelerate()
        batches = self.input.batches(done * self.input.steps)  # must outlive `fit`
        self.input.move_to_device(self.learner)
        with allocator.keep_freed_memory():
            self.learner.fit(
                batches,
                steps_per_epoch=self.input.steps,
                initial_epoch=done,
                epochs=self.plan.max_epochs or config.epochs,
                shuffle=False,  # the batches have their own order
                verbose=0,  # `ProgressLine` instead
                callbacks=self._callbacks(),
            )

    def end_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        """Validates, saves a checkpoint, and updates the run, after each epoch.

        Args:
            epoch: counted from 1
            logs: of Keras; the validation's metrics are added
        """
        metrics, measured = self._validated(epoch, logs)
        point = measured.operating_point if measured else None
        self.progress.seconds = self._elapsed()
        metrics["learning_rate"] = self._learning_rate()
        metrics["seconds"] = round(self.progress.seconds, 1)
        config, validation = self.plan.config, self.plan.validation
        is_best = self.progress.add(
            *(epoch, metrics, config.monitor),
            tolerance=config.monitor_tolerance,
            objects=len(validation.objects.class_ids) if validation else 0,
        )
        if is_best:
            self.progress.operating_point = point and _without_lists(point)
        self.shown.say("saving")
        self.writer.save(
            *(epoch, self.averaged(), self.learner, self.progress),
            point=point,
            detections=measured.detections if measured and is_best else None,
            is_best=is_best,
        )
        self.writer.update(self.progress)
        self.shown.end_epoch(epoch)
        if self.on_epoch:
            self.on_epoch(epoch, metrics)

    def _learning_rate(self) -> float:
        """Returns the learning rate of the last step."""
        with self.devices.alone():
            return self.learner.schedule.rate(int(self.learner.step.numpy()) - 1)

    def result(self, report_path: str = "") -> TrainResult:
        """Returns what the training produced; logs which images were skipped."""
        skipped = dict(self.input.skipped)
        for path, fault in skipped.items():
            logger.warning("skipped: %s", images.error_message(path, fault))
        progress, plan = self.progress, self.plan
        folder = plan.folder / checkpoint.epoch_name(progress.best["epoch"])
        point = progress.operating_point
        return TrainResult(
            *(str(folder), plan.run_key, progress.history, progress.best, skipped),
            dataset=plan.dataset.name,
            task=plan.task.name,
            config=plan.config,
            operating_point=OperatingPoint.from_json(point) if point else None,
            stop_reason=self._stop_reason(),
            report_path=report_path,
            peak_memory=hardware.peak_memory(),
            peak_device_memory=hardware.peak_device_memory(),
        )

    def _restore(self) -> None:
        """Restores the learner and the progress from the last checkpoint, if any."""
        plan, last = self.plan, checkpoint.read_pointer(self.plan.folder, "last")
        if last is None:
            if plan.resumes and records.info(plan.dataset, plan.run_key).epoch:
                raise FileNotFoundError(f"run folder '{plan.folder}' has lost 'last'")
        else:
            checkpoint.read_metadata(last)  # raises for an unknown format
            self.progress = resume.load(last, self.learner)
            self.shown.progress = self.progress
            logger.info(
                "run '%s' resumes after epoch %d", plan.run_key, self.progress.epoch
            )
            if self.devices.is_first:
                checkpoint.point_to_best(plan.folder, self.progress.best["epoch"])
                # It may have been killed before it could.
                self.writer.update(self.progress)
        self.seconds_before = self._seconds_before()
        if self.plan.config.max_minutes:
            is_new = self.progress.pace is None
            self._set_pace(self._first_pace())
            self.recipe_epochs = self.plan.config.epochs if is_new else None

    def _seconds_before(self) -> float:
        """Returns the seconds that earlier processes have trained this run."""
        if not self.plan.resumes:
            return 0.0
        run = records.info(self.plan.dataset, self.plan.run_key)
        return max(self.progress.seconds, getattr(run, "seconds", 0.0))

    def _elapsed(self) -> float:
        """Returns the seconds that all processes have trained this run."""
        return self.seconds_before + time.monotonic() - self.plan.started

    def _progress_line(self) -> ProgressLine:
        validator = self.input.validator
        val_images = len(validator.parts.ids) if validator else 0
        speed = TrainingSpeed(self.plan.config, self.input.steps, val_images)
        return ProgressLine(
            self.line,
            lambda: self.plan.config,
            self.progress,
            speed,
            seconds_left=lambda: self.time_limit and self.time_limit.remaining(),
        )

    def _callbacks(self) -> list[keras.callbacks.Callback]:
        plan, progress = self.plan, self.progress
        end = coordination.end_of_epoch(self.devices, progress, self.end_epoch)
        made = [
            callbacks.RaiseOnNaN(
                plan.config, self.input.listing.filepaths, self.input.sampler
            ),
            callbacks.UnfreezeBackbone(plan.config),
            self.shown,
            callbacks.EndOfEpoch(lambda: self.plan.config, progress, end),
        ]
        if plan.config.max_minutes:
            made.insert(0, self._limited())
        if self.devices.is_first and self.on_step:
            made.append(callbacks.ReportSteps(self.on_step, lambda: self.plan.config))
        if self.devices.is_first and plan.config.tensorboard:
            made.append(keras.callbacks.TensorBoard(plan.folder / "tensorboard"))
        for one in self.user_callbacks if self.devices.is_first else ():
            made += one, callbacks.NoteStop(type(one).__name__, self._note_stop)
        if self.devices.processes > 1:
            made.append(coordination.StopTogether(self.devices))
        return made

    def _stop_reason(self) -> str:
        """Returns why the training ended before its last epoch; empty if it did not."""
        return self.stopped_early or self.progress.stop_reason(self.plan.config)

    def _note_stop(self, name: str, epoch: int) -> None:
        config = self.plan.config
        is_over = self.time_limit is not None and self.time_limit.is_over
        is_over = is_over or self.progress.is_over(config)
        if self.stopped_early is None and not is_over:
            self.stopped_early = f"by callback {name} in epoch {epoch}"
            logger.info("stopped early, %s of %d", self.stopped_early, config.epochs)

    def _limited(self) -> TimeLimit:
        """Returns the callback that ends the training in time."""
        config, steps = self.plan.config, self.input.steps
        validator = self.input.validator
        val_images = len(validator.parts.ids) if validator else 0
        self.time_limit = TimeLimit(
            60 * config.max_minutes,
            self._elapsed,
            steps,
            self.plan.max_epochs * steps,
            self._first_pace(),
            self._set_pace,
            val_images / config.batch_size,
            config.validation_freq,
        )
        return self.time_limit

    def _first_pace(self) -> Pace:
        """Returns the pace that the run has kept, or that of its recipe's epochs."""
        if self.progress.pace is None:
            return Pace(0, 0.0, self.plan.config.epochs * self.input.steps)
        step, progress, total_steps = self.progress.pace
        return Pace(int(step), progress, int(total_steps))

    def _warn_of_few(self, epochs: int) -> None:
        """Warns once if the time limit leaves few of the recipe's epochs."""
        if self.recipe_epochs is None or epochs >= FEW_EPOCHS * self.recipe_epochs:
            return
        logger.warning(
            "max_minutes=%g is enough for about %d of the %d epochs that the recipe "
            "plans, so the detector will be poor; allow more time, or try a smaller "
            "image_size than %d",
            *(self.plan.config.max_minutes, epochs, self.recipe_epochs),
            self.plan.config.image_size,
        )
        self.recipe_epochs = None

    def _set_pace(self, pace: Pace) -> None:
        """Fits schedule and number of epochs; the run keeps both with the epoch."""
        self.learner.schedule.set_pace(pace)
        self.progress.pace = list(pace)
        epochs = max(math.ceil(pace.total_steps / self.input.steps), 1)
        self._warn_of_few(epochs)
        config = replace(self.plan.config, epochs=epochs)
        self.plan = self.plan._replace(config=config)
        if self.devices.is_first:
            self.writer.plan = self.plan
            self.writer.record["settings"] = asdict(config)

    def _validated(
        self, epoch: int, logs: dict[str, Any]
    ) -> tuple[dict[str, float], Validator | None]:
        """Returns the metrics of an epoch, NaN for those not measured after it.

        And the validator, None if it has measured nothing after it.
        """
        validator, plan = self.input.validator, self.plan
        is_due = is_validated(epoch, plan.config)
        if validator and is_due:
            self.shown.say("validating")
            with self.averaged() as network:
                logs.update(validator(network))
            validator.draw(plan.folder / folders.VAL_PREDICTIONS)
        metrics = {name: float(value) for name, value in logs.items()}
        if validator and not is_due:
            metrics |= dict.fromkeys(validator.metrics, math.nan)
        return metrics, validator if is_due else None


def _without_lists(point: dict[str, Any]) -> dict[str, float | None]:
    """Returns the numbers of an operating point, which stay small for many classes."""
    return {k: v for k, v in point.items() if not isinstance(v, dict)}


def _size(variables: Iterable[Any]) -> int:
    """Returns the size of variables, in bytes."""
    return sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)
