"""A training as one object: `Session.run` is the whole of it, phase by phase."""

import contextlib
import gc
import logging
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np

from yolov1_fo import hardware, images
from yolov1_fo.datasets import connection, database_uri, error_lines
from yolov1_fo.networks.keras_settings import hide_retracing_warnings
from yolov1_fo.runs import checkpoint, folders, history, records, registry
from yolov1_fo.training import (
    averaging,
    callbacks,
    coordination,
    provenance,
    resume,
)
from yolov1_fo.training.distribution import Devices, share
from yolov1_fo.training.input_pipeline import InputPipeline
from yolov1_fo.training.learner_builder import build_learner
from yolov1_fo.training.pace import Pace
from yolov1_fo.training.plan import Plan
from yolov1_fo.training.progress import Progress, finite, is_validated
from yolov1_fo.training.progress_line import ProgressLine
from yolov1_fo.training.result import TrainResult
from yolov1_fo.training.status_line import StatusLine

logger = logging.getLogger(__name__)

OnEpoch = Callable[[int, dict[str, float]], None]
OnStep = Callable[[int, int, int, int], None]


def run(
    plan: Plan,
    on_epoch: OnEpoch | None = None,
    on_step: OnStep | None = None,
    *,
    progress: bool = True,
    devices: int | None = None,
) -> TrainResult:
    """Trains as planned; see `Session`.

    Args:
        plan: from `plan.make`
        on_epoch (None): called with the epoch, counted from 1, and its metrics
        on_step (None): called with epoch, epochs, step and steps, counted from 1
        progress (True): shows a progress line
        devices (None): number of devices that share each batch; 0 and None use one

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
                plan, shared, on_epoch, on_step, show_progress=progress
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

    Attributes:
        input: the batches and the validation split
        learner: the network with its compiled training step
        progress: the epochs so far
        shown: the progress line
    """

    def __init__(
        self,
        plan: Plan,
        devices: Devices,
        on_epoch: OnEpoch | None = None,
        on_step: OnStep | None = None,
        *,
        show_progress: bool = False,
    ) -> None:
        devices.check(plan.config)
        self.plan, self.devices = plan.shared_by(devices), devices
        self.on_epoch, self.on_step = on_epoch, on_step
        is_shown = show_progress and devices.is_first
        self.line = StatusLine(sys.stdout if is_shown else None)

    def run(self) -> TrainResult:
        """Runs the phases of a training."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.line)
            self.prepare()
            with coordination.first_process_only(self.devices) as is_first:
                if is_first:
                    self.check()
                    stack.enter_context(self.registered())
            self.fit()
        return self.result()

    def prepare(self) -> None:
        """Makes the input pipeline, and the learner around a new network."""
        plan, devices = self.plan, self.devices
        splits = (plan.listing, plan.validation)
        count = sum(len(split.filepaths) for split in splits if split)
        self.line.show(f"reading {count} images")
        self.input = InputPipeline(plan, devices)
        self.learner = build_learner(
            plan.config, self.input.steps, plan.task, plan.weights, devices
        )
        self.averaged = averaging.AveragedNetwork(self.learner, devices)
        self.progress = Progress()
        self.shown = self._progress_line()

    def check(self) -> None:
        """Raises an error if the run can't start or resume; nothing is written yet."""
        self.record = provenance.record(self.plan, self.input)
        if self.plan.resumes:
            provenance.check_same(self.plan, self.record)
        network = _size(self.learner.network.variables)
        state = _size(resume.variables(self.learner).values())
        folders.check_space(self.plan.folder, 3 * network + 2 * state)

    @contextlib.contextmanager
    def registered(self) -> Iterator[None]:
        """Locks the run, registers it on the dataset, and records how it ends."""
        plan = self.plan
        with folders.locked(plan.folder, plan.run_key):
            if plan.resumes:
                plan.check_unchanged()
                registry.restart(plan.dataset, plan.run_key)
            else:
                registry.register(plan.dataset, plan.run_key, **self.record)
                logger.info("run '%s', in %s", plan.run_key, plan.folder)
            try:
                yield
            except KeyboardInterrupt as error:
                self._mark(status="stopped")
                error.add_note(_how_to_resume(plan))
                raise
            except BaseException as error:
                line = error_lines.describe(error) or database_uri.one_line(error)
                self._mark(status="failed", error=line)
                raise
            skipped = len(self.input.skipped)
            records.update(
                plan.dataset, plan.run_key, status="finished", skipped=skipped
            )
        last = checkpoint.epoch_name(self.progress.epoch)
        checkpoint.delete_state(plan.folder / last)

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
            del self.input, self.learner, self.averaged, self.shown
            gc.collect()
            self.plan = smaller
            self.prepare()
            self.record = provenance.record(smaller, self.input)
            changed = {name: self.record[name] for name in ("settings", "data")}
            records.update(smaller.dataset, smaller.run_key, **changed)

    def _fit(self) -> None:
        self._restore()
        config, done = self.plan.config, self.progress.epoch
        if self.progress.is_over(config):
            return
        batches = self.input.batches(done * self.input.steps)  # must outlive `fit`
        self.input.move_to_device(self.learner)
        self.learner.fit(
            batches,
            steps_per_epoch=self.input.steps,
            initial_epoch=done,
            epochs=config.epochs,
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
        metrics = self._validated(epoch, logs)
        self.progress.seconds = time.monotonic() - self.started
        metrics["seconds"] = round(self.progress.seconds, 1)
        is_best = self.progress.add(epoch, metrics)
        self.shown.say("saving")
        self._save(epoch, metrics, is_best)
        self._update_run()
        self.shown.end_epoch(epoch)
        if self.on_epoch:
            self.on_epoch(epoch, metrics)

    def result(self) -> TrainResult:
        """Returns what the training produced; logs which images were skipped."""
        skipped = dict(self.input.skipped)
        for path, fault in skipped.items():
            logger.warning("skipped: %s", images.error_message(path, fault))
        progress, plan = self.progress, self.plan
        folder = plan.folder / checkpoint.epoch_name(progress.best["epoch"])
        return TrainResult(
            *(str(folder), plan.run_key, progress.history, progress.best, skipped),
            dataset=plan.dataset.name,
            task=plan.task.name,
            config=plan.config,
            stop_reason=progress.stop_reason(plan.config),
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
                self._update_run()  # it may have been killed before it could
        self.started = time.monotonic() - self.progress.seconds

    def _progress_line(self) -> ProgressLine:
        validation = self.plan.validation
        val_images = len(validation.filepaths) if validation else 0
        pace = Pace(self.plan.config, self.input.steps, val_images)
        return ProgressLine(self.line, self.plan.config, self.progress, pace)

    def _callbacks(self) -> list[keras.callbacks.Callback]:
        plan, progress = self.plan, self.progress
        end = coordination.end_of_epoch(self.devices, progress, self.end_epoch)
        made = [
            callbacks.RaiseOnNaN(plan.config, self.input.listing.filepaths),
            callbacks.UnfreezeBackbone(plan.config),
            self.shown,
            callbacks.EndOfEpoch(plan.config, progress, end),
        ]
        if self.devices.is_first and self.on_step:
            made.append(callbacks.ReportSteps(self.on_step))
        if self.devices.is_first and plan.config.tensorboard:
            made.append(keras.callbacks.TensorBoard(plan.folder / "tensorboard"))
        return made

    def _validated(self, epoch: int, logs: dict[str, Any]) -> dict[str, float]:
        """Returns the metrics of an epoch; NaN for those not measured after it."""
        validator = self.input.validator
        is_due = is_validated(epoch, self.plan.config)
        if validator and is_due:
            self.shown.say("validating")
            with self.averaged() as network:
                logs.update(validator(network))
        metrics = {name: float(value) for name, value in logs.items()}
        if validator and not is_due:
            metrics |= dict.fromkeys(validator.metrics, math.nan)
        return metrics

    def _save(self, epoch: int, metrics: dict[str, float], is_best: bool) -> None:
        plan = self.plan
        metadata = {
            "run_key": plan.run_key,
            "dataset": plan.dataset.name,
            **self.record,
            "epoch": epoch,
            "metrics": finite(metrics),
        }
        with checkpoint.writing(plan.folder, epoch, best=is_best) as folder:
            with self.averaged() as network:
                checkpoint.write(folder, network, metadata)
            resume.save(folder, self.learner, self.progress)

    def _update_run(self) -> None:
        """Writes the metrics so far to the run and to `log.csv`."""
        dataset, run_key = self.plan.dataset, self.plan.run_key
        progress = self.progress
        history.write(self.plan.folder, progress.history)
        records.save_curves(dataset, run_key, progress.history)
        best = finite(progress.best)
        records.update(dataset, run_key, epoch=progress.epoch, best=best)

    def _mark(self, **known: Any) -> None:
        """Records how the run ended, if the database still answers."""
        try:
            with connection.short_timeout():
                records.update(self.plan.dataset, self.plan.run_key, **known)
        except Exception as error:  # must not hide the error that ended the run
            line = connection.error_line(error) or database_uri.one_line(error)
            logger.warning(
                "the status of run '%s' can't be updated: %s", self.plan.run_key, line
            )


def _size(variables: Iterable[Any]) -> int:
    """Returns the size of variables, in bytes."""
    return sum(math.prod(v.shape) * np.dtype(v.dtype).itemsize for v in variables)


def _how_to_resume(plan: Plan) -> str:
    key, last = plan.run_key, checkpoint.read_pointer(plan.folder, "last")
    done = int(last.name.removeprefix("epoch_")) if last else 0
    return (
        f"run '{key}' was stopped after epoch {done} of {plan.config.epochs}; resume "
        f"it with resume='{key}', on the command line --resume {key}"
    )
