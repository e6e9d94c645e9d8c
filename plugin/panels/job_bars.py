"""The progress bars of jobs, each with a button that stops it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone.operators.types as types

from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import OTHER_TASKS, Job
from yolov1_fo.jobs.runs_table import Row

from .. import label_results
from . import widgets

TITLES = {
    "apply": "Apply",
    "evaluate": "Evaluate",
    "export": "Export",
    **label_results.TITLES,
}
"""What the tasks of jobs are called."""


class ActiveJob(NamedTuple):
    """A job that is running or waiting, or a training in Python.

    Attributes:
        task: of the job
        target: run, field, evaluation or export
        text: what it does now
        done: part of the work that is done, in [0, 1]
        folder: of the job; empty for a training in Python, which can't be stopped here
    """

    task: str
    target: str
    text: str
    done: float
    folder: str

    @property
    def name(self) -> str:
        """The name of its progress bar."""
        return f"bar_{self.task}_{self.target}"


def active_jobs(jobs: Sequence[Job], rows: Sequence[Row]) -> list[ActiveJob]:
    """Returns what runs or waits, trainings first, in the order of their turn.

    Args:
        jobs: of the dataset
        rows: of its runs, newest first
    """
    folders = {str(job.folder.parent): str(job.folder) for job in jobs}
    trainings = [
        ActiveJob(
            *("train", row.run_key, f"{row.run_key}: {row.progress_text}", row.done),
            folders.get(row.folder, ""),
        )
        for status in ("running", "waiting")
        for row in reversed(rows)
        if row.status == status
    ]
    others = [
        ActiveJob(
            *(job.task, job.target),
            f"{TITLES[job.task]} {job.target}: {job.progress.label}",
            *(job.progress.done, str(job.folder)),
        )
        for job in jobs
        if job.task in OTHER_TASKS and job.progress.is_active
    ]
    return trainings + others


def stop(ctx: Any, jobs: Sequence[Job]) -> None:
    """Stops the job whose button was clicked.

    Args:
        ctx: of the panel, with the job's folder in its params
        jobs: that may be stopped
    """
    folders = {str(job.folder) for job in jobs}
    job = monitor.find(Path(ctx.params["folder"]))
    if job is None or str(job.folder) not in folders or not job.progress.is_active:
        return
    try:
        monitor.stop(job)
        ctx.ops.notify(f"Stopping {job.target}", variant="info")
    except ValueError as error:  # it has just ended, or runs elsewhere
        ctx.ops.notify(str(error), variant="error")


def add(
    panel: types.Object, jobs: Sequence[ActiveJob], stop: Callable[[Any], None]
) -> None:
    """Adds a progress bar and a button for each job.

    Args:
        panel: the panel's layout
        jobs: from `active_jobs`
        stop: called when the button is clicked, with the job's folder in its params
    """
    for job in jobs:
        bar = widgets.add_bar(panel, job.name)
        wide = {"item": {"sx": {"flex": "1 1 240px", "width": "auto"}}}
        view = types.ProgressView(label=job.text, componentsProps=wide)
        bar.float("done", view=view)
        if job.folder:
            params = {"folder": job.folder}
            widgets.add_button(bar, "stop", "Stop", stop, params=params)
