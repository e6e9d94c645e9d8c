"""The state of a dataset's trainings, for people: its runs and its jobs together."""

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import humanize

from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import TRAINING_TASKS, Job, JobProgress
from yolov1_fo.runs import history, records, registry
from yolov1_fo.runs.run_json import DETECT
from yolov1_fo.training.progress import SCORES


class Row(NamedTuple):
    """One training.

    Attributes:
        run_key: its name
        status: running, waiting, finished, stopped or failed
        message: the current step, or why it failed; may be empty
        done: fraction of the work, in [0, 1]
        network: its name; empty if unknown
        epoch: number of completed epochs
        epochs: number of epochs in total
        best: its best score; None without validation
        started: when; None if it never did
        history: a list of numbers, one per epoch, for each metric
        folder: its files; empty if it never started
        thresh: confidence threshold of the best F1; None if it was not measured
        parent: run or model that it started from; empty without
        best_epoch: of the best score; None without validation
        note: of the user; may be empty
        number: of `registry.numbers`; None for a job that is no run yet
        task: what it trains for: detect or classify
        has_job: whether it was started in the App
    """

    run_key: str
    status: str
    message: str
    done: float
    network: str = ""
    epoch: int = 0
    epochs: int = 0
    best: float | None = None
    started: datetime | None = None
    history: dict[str, list[float | None]] = {}  # noqa: RUF012  # never changed
    folder: str = ""
    thresh: float | None = None
    parent: str = ""
    best_epoch: int | None = None
    note: str = ""
    number: int | None = None
    task: str = DETECT
    has_job: bool = False

    @property
    def is_resumable(self) -> bool:
        """Whether `launch.resume` can continue it."""
        is_run = self.number is not None and self.has_job
        return is_run and self.status in registry.RESUMABLE

    @property
    def is_active(self) -> bool:
        """Whether a process works on it, or waits to do so."""
        return self.status in ("running", "waiting")

    @property
    def progress_text(self) -> str:
        """What it does now, with the best score so far."""
        if self.best is None or self.best_epoch is None:
            return self.message
        return f"{self.message}; best {self.best_text} at epoch {self.best_epoch}"

    @property
    def epochs_text(self) -> str:
        """The finished epochs of all; empty without a run."""
        return f"{self.epoch} of {self.epochs}" if self.epochs else ""

    @property
    def best_text(self) -> str:
        """The best score with three digits; empty without one."""
        if self.best is None:
            return ""
        return f"{self.best:.3f}{'' if self.task == DETECT else ' accuracy'}"

    @property
    def thresh_text(self) -> str:
        """The threshold with three digits; empty without one."""
        return "" if self.thresh is None else f"{self.thresh:.3g}"


def rows(dataset: fo.Dataset, jobs: list[Job] | None = None) -> list[Row]:
    """Returns the trainings of a dataset, the newest first.

    Args:
        dataset: the dataset
        jobs (None): its jobs, of `monitor.list_jobs`; read if None
    """
    found = monitor.list_jobs(dataset) if jobs is None else jobs
    trainings = {one.folder.parent: one for one in found if one.task in TRAINING_TASKS}
    numbers = registry.numbers(dataset)
    paths = {key: records.folder_of(dataset, key) for key in numbers}
    runs = [
        _row(dataset, key, trainings.get(path) if path else None)._replace(
            number=numbers[key]
        )
        for key, path in paths.items()
    ]
    own = set(paths.values())
    others = [job for path, job in trainings.items() if path not in own]
    others.sort(key=lambda job: -job.submitted)
    return [_row_of_job(job) for job in others] + runs


def _row_of_job(job: Job) -> Row:
    """Returns the row of a job that has no run yet, or failed before it had one."""
    progress = job.progress
    return Row(
        *(job.target, _status(progress), progress.label, progress.done),
        folder=str(job.folder.parent),
    )


def _status(progress: JobProgress) -> str:
    """Returns the status of a training that is a job."""
    return "running" if progress.state == "starting" else progress.state


def _row(dataset: fo.Dataset, run_key: str, job: Job | None) -> Row:
    try:
        return _row_of_run(dataset, run_key, job)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as one:
        # The record came with an imported dataset.
        message = f"its record can't be read: {type(one).__name__} {one}"
        return Row(run_key, "failed", message, 0.0)


def _row_of_run(dataset: fo.Dataset, run_key: str, job: Job | None) -> Row:
    info = dataset.get_run_info(run_key)
    run = info.config
    status = getattr(run, "status", "failed")
    message = getattr(run, "error", None) or ""
    epochs, curves = run.settings["epochs"], history.read(Path(run.folder))
    done = _done(run, curves) if status == "running" else run.epoch / epochs
    if job and job.progress.is_active:
        status, message = _status(job.progress), job.progress.label
        done = job.progress.done
    elif job and job.progress.state == "failed" and message == registry.INTERRUPTED:
        message = job.progress.label  # has the last step and output of the process
    if not Path(run.folder).is_dir():
        status, message = "failed", "its folder was deleted"
    best = getattr(run, "best", None) or {}
    point, parent = (
        getattr(run, part, None) or {} for part in ("operating_point", "parent")
    )
    return Row(
        run_key,
        status,
        message,
        done,
        run.settings["network"],
        run.epoch,
        epochs,
        next((best[one] for one in SCORES if best.get(one) is not None), None),
        info.timestamp,
        curves,
        run.folder,
        point.get("thresh"),
        parent.get("run_key") or parent.get("weights") or "",
        best.get("epoch"),
        records.note(dataset, run_key),
        task=getattr(run, "task", DETECT),
        has_job=job is not None,
    )


def _done(run: Any, curves: history.History) -> float:
    """Returns the fraction of a training that runs, which is not a job."""
    limit = 60 * run.settings.get("max_minutes", 0.0)
    if not limit:
        return run.epoch / run.settings["epochs"]
    seconds = [one for one in curves.get("seconds", []) if one is not None]
    return min(max(seconds, default=0.0) / limit, 1.0)


def folder_size(folder: str) -> str:
    """Returns the size of the files in a folder, as text."""
    files = (path.lstat() for path in Path(folder).rglob("*") if path.is_file())
    return humanize.naturalsize(sum(file.st_size for file in files))


def summarize_curves(row: Row) -> list[dict[str, str | float | None]]:
    """Returns the first, last, lowest and highest value of each of a run's curves."""
    return [
        {
            "name": name,
            "first": values[0],
            "last": values[-1],
            "lowest": min(known),
            "highest": max(known),
        }
        for name, values in row.history.items()
        if (known := [value for value in values if value is not None])
    ]
