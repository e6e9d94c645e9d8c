"""Writes a training to its run: the record in the database, checkpoints, `log.csv`."""

import contextlib
import logging
import shlex
from collections.abc import Callable, Iterator
from typing import Any

import keras

from yolov1_fo.datasets import connection, database_uri, error_lines
from yolov1_fo.evaluation import stored_detections
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.runs import (
    checkpoint,
    folders,
    history,
    records,
    registry,
    training_labels,
    training_samples,
)
from yolov1_fo.training import resume
from yolov1_fo.training.plan import Plan
from yolov1_fo.training.progress import Progress, finite
from yolov1_fo.training.tasks import DETECT

logger = logging.getLogger(__name__)


class RunWriter:
    """Writes a training to its run.

    Args:
        plan: of the training
        record: of `provenance.record`
        elapsed: returns the seconds that the training has taken

    Attributes:
        plan: as it is now: memory and time limit may change its settings
        record: likewise
    """

    def __init__(
        self, plan: Plan, record: dict[str, Any], elapsed: Callable[[], float]
    ) -> None:
        self.plan, self.record, self.elapsed = plan, record, elapsed

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
                self._write_samples()
                yield
            except KeyboardInterrupt as error:
                self._mark(status="stopped", seconds=round(self.elapsed(), 1))
                error.add_note(_how_to_resume(self.plan))
                raise
            except BaseException as error:
                line = error_lines.describe(error) or database_uri.one_line(error)
                self._mark(status="failed", error=line)
                raise

    def _write_samples(self) -> None:
        """Writes what is trained on: the ids of samples, and their objects."""
        plan = self.plan
        training_samples.write(plan.folder, plan.listing.ids)
        if plan.task is DETECT:
            val_ids = plan.validation.ids if plan.validation else []
            training_labels.write(
                *(plan.folder, plan.dataset, plan.field, plan.listing.ids, val_ids)
            )

    def finish(self, progress: Progress, **known: Any) -> None:
        """Records that the training is over; its last state is not needed any more."""
        plan = self.plan
        records.update(plan.dataset, plan.run_key, status="finished", **known)
        last = checkpoint.epoch_name(progress.epoch)
        checkpoint.delete_state(plan.folder / last)

    def change(self, plan: Plan, record: dict[str, Any]) -> None:
        """Changes the plan, and the settings in the database."""
        self.plan, self.record = plan, record
        changed = {name: record[name] for name in ("settings", "data")}
        records.update(plan.dataset, plan.run_key, **changed)

    def save(
        self,
        epoch: int,
        network: contextlib.AbstractContextManager[keras.Model],
        learner: keras.Model,
        progress: Progress,
        *,
        point: dict[str, Any] | None,
        detections: SplitDetections | None,
        is_best: bool,
    ) -> None:
        """Writes a checkpoint and what an exact resume needs.

        Args:
            epoch: counted from 1
            network: gives the network to save
            learner: between two epochs
            progress: up to this epoch
            point: the operating point, as of `operating_point.summary`; None if it was
                not measured
            detections: in the validation split, for the report; None if it was not
                measured
            is_best: whether it is the best epoch so far
        """
        plan = self.plan
        metrics = {name: values[-1] for name, values in progress.history.items()}
        metadata = {
            "run_key": plan.run_key,
            "dataset": plan.dataset.name,
            **self.record,
            "epoch": epoch,
            "metrics": metrics,
        }
        if point is not None:
            metadata["operating_point"] = point
        with checkpoint.writing(plan.folder, epoch, best=is_best) as folder:
            with network as saved:
                checkpoint.write(folder, saved, metadata)
            if detections is not None:
                stored_detections.write(folder, detections)
            resume.save(folder, learner, progress)

    def update(self, progress: Progress) -> None:
        """Writes the metrics so far to the run and to `log.csv`."""
        dataset, run_key = self.plan.dataset, self.plan.run_key
        history.write(self.plan.folder, progress.history)
        records.save_curves(dataset, run_key, progress.history)
        changed = {
            "epoch": progress.epoch,
            "best": finite(progress.best),
            "operating_point": progress.operating_point,
        }
        if self.plan.config.max_minutes:
            changed["settings"] = self.record["settings"]
        records.update(dataset, run_key, **changed)

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


def _how_to_resume(plan: Plan) -> str:
    key, last = plan.run_key, checkpoint.read_pointer(plan.folder, "last")
    done = int(last.name.removeprefix("epoch_")) if last else 0
    return (
        f"run '{key}' was stopped after epoch {done} of {plan.config.epochs}; resume "
        f"it with yolov1_fo.train(samples, resume='{key}'), or yolov1-fo train "
        f"{shlex.quote(plan.dataset.name)} --resume {key}"
    )
