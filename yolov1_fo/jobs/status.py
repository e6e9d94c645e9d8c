"""What became of a dataset's trainings, for people: its runs and its jobs together."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import eta.core.utils as etau
import fiftyone as fo

from yolov1_fo.jobs import control
from yolov1_fo.runs import history, registry


class Row(NamedTuple):
    """One training.

    Attributes:
        run_key: its name
        status: running, finished, stopped or failed
        says: what it does now, or why it failed; empty if nothing is to be said
        done: part of the work, in [0, 1]
        network: which one; empty if that is not known
        epoch: how many are done
        epochs: how many there are to be
        best: its best score; None if nothing was measured
        begun: when; None if it never began
        history: a list of numbers, one an epoch, under each name
        folder: where it keeps its files; empty if it never began
    """

    run_key: str
    status: str
    says: str
    done: float
    network: str = ""
    epoch: int = 0
    epochs: int = 0
    best: float | None = None
    begun: datetime | None = None
    history: dict[str, list[float | None]] = {}  # noqa: RUF012  # never changed
    folder: str = ""

    @property
    def is_active(self) -> bool:
        """Whether a process works on it."""
        return self.status == "running"


def rows(dataset: fo.Dataset) -> list[Row]:
    """Returns the trainings of a dataset, the newest first."""
    at_work = {
        job.target: job
        for job in control.all_of(dataset)
        if job.task in control.LEARNING
    }
    known = [_row(dataset, key, at_work.get(key)) for key in registry.newest(dataset)]
    keys = {row.run_key for row in known}
    begun = [_unborn(job) for key, job in at_work.items() if key not in keys]
    return begun + known


def _unborn(job: control.Job) -> Row:
    """Returns the row of a job that has not made its run yet, or never did."""
    progress = job.progress
    status = "running" if progress.is_active else progress.state
    return Row(job.target, status, progress.label, progress.done)


def _row(dataset: fo.Dataset, run_key: str, job: control.Job | None) -> Row:
    try:
        return _known(dataset, run_key, job)
    except (AttributeError, LookupError, TypeError, ValueError, ArithmeticError) as one:
        # It came with a dataset of someone else's.
        says = f"its record can't be read: {type(one).__name__} {one}"
        return Row(run_key, "failed", says, 0.0)


def _known(dataset: fo.Dataset, run_key: str, job: control.Job | None) -> Row:
    status = registry.status(dataset, run_key)
    info = dataset.get_run_info(run_key)
    run, scores = info.config, ("val_voc07", "val_top1")
    says = getattr(run, "error", None) or ""
    epochs = run.settings["epochs"]
    done = run.epoch / epochs
    if job and job.progress.is_active:
        status, says, done = "running", job.progress.label, job.progress.done
    elif job and job.progress.state == "failed" and says == registry.INTERRUPTED:
        says = job.progress.label  # it knows what the process did last
    if not Path(run.folder).is_dir():
        status, says = "failed", "its folder is gone"
    best = getattr(run, "best", None) or {}
    return Row(
        run_key,
        status,
        says,
        done,
        run.settings["network"],
        run.epoch,
        epochs,
        next((best[name] for name in scores if best.get(name) is not None), None),
        info.timestamp,
        history.read(Path(run.folder)),
        run.folder,
    )


def size(folder: str) -> str:
    """Returns how much the files of a run's own folder take, for people."""
    files = (path.lstat() for path in Path(folder).rglob("*") if path.is_file())
    return etau.to_human_bytes_str(sum(file.st_size for file in files))


def curves(row: Row) -> list[dict[str, str | float | None]]:
    """Returns a summary of each of a run's curves: where it began, ended and stood."""
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
