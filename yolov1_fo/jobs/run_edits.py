"""What a user changes of a run: its name and note, and jobs without a run."""

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import Job
from yolov1_fo.runs import folders, records, registry, renaming
from yolov1_fo.training.run_report import page


def rename(dataset: fo.Dataset, run_key: str, new_key: str) -> None:
    """Gives a run another name; see `renaming.rename_run`. Its report is written again.

    Raises:
        ValueError: if there is no such run, its training runs or waits, or the new name
            is invalid or taken
        TypeError: if the new name is not a string
        OSError: if it can't be locked
    """
    check_rename(dataset, run_key, new_key)
    renaming.rename_run(dataset, run_key, new_key)
    path = records.folder_of(dataset, new_key)
    if path and (path / folders.REPORT).is_file() and registry.is_own(dataset, new_key):
        page.write_after_training(dataset, new_key)


def check_rename(dataset: fo.Dataset, run_key: str, new_key: str) -> None:
    """Raises what `rename` would raise, as far as it is known before."""
    run_key = registry.find(dataset, run_key)
    path = records.folder_of(dataset, run_key)
    job = monitor.find(path / folders.JOB) if path else None
    if registry.status(dataset, run_key) == "running" or (
        job and job.progress.is_active
    ):
        raise ValueError(f"run '{run_key}' is being trained; stop it first")
    renaming.check_new_key(dataset, new_key)


def set_note(dataset: fo.Dataset, run_key: str, note: str) -> None:
    """Keeps a note on a run; an empty one removes it.

    Raises:
        ValueError: if there is no such run, or the note is too long
        TypeError: if it is not a string
    """
    records.set_note(dataset, registry.find(dataset, run_key), note)


def forget(job: Job) -> None:
    """Removes the files of a job that has ended.

    Raises:
        ValueError: if it is running
    """
    now = monitor.find(job.folder)
    if now and now.progress.is_active:
        raise ValueError(f"the job of '{job.target}' is running; stop it first")
    files.remove(job.folder)
