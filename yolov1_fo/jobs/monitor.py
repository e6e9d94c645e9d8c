"""Finds, monitors and stops jobs. Never imports Keras."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.jobs import child_process
from yolov1_fo.jobs.job import (
    JOB_FILE,
    LOCK_FILE,
    OTHER_TASKS,
    PROCESS_FILE,
    PROGRESS_FILE,
    STOP_FILE,
    Job,
    JobProgress,
    read_json,
)
from yolov1_fo.runs import folders


def job_folder(
    dataset: fo.Dataset,
    task: str,
    target: str,
    runs_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Returns the folder of a job, which may not exist.

    Args:
        dataset: that it works on
        task: one of `TRAINING_TASKS` or `OTHER_TASKS`
        target: run key, field that is written, name of an evaluation or of an export
        runs_dir (None): replaces FiftyOne's folder for datasets

    Raises:
        ValueError: if the target could lead to another folder
    """
    if task in OTHER_TASKS:
        name, argument = OTHER_TASKS[task]
        folders.check_name(target, argument)
        return folders.dataset_folder(dataset, runs_dir) / name / target
    return folders.run_folder(dataset, target, runs_dir) / folders.JOB


def find(folder: Path, *, starts: bool = False) -> Job | None:
    """Returns the job in a folder; None if there is none.

    Args:
        folder: of the job
        starts (False): whether the caller is about to start it, and holds the lock
    """
    content = read_json(folder / JOB_FILE)
    if content is None or not {"task", "dataset", "target"} <= set(content):
        return None
    process = read_json(folder / PROCESS_FILE) or {}
    stored = read_json(folder / PROGRESS_FILE) or {}
    progress = JobProgress(
        **{k: v for k, v in stored.items() if k in JobProgress._fields}
    )
    job = Job(
        folder,
        content["task"],
        content["dataset"],
        content["target"],
        progress,
        process.get("pid"),
        _number(content.get("submitted")),
    )
    if progress.is_active and not _is_alive(folder, process, starts=starts):
        is_stopped = (folder / STOP_FILE).exists()
        state = "stopped" if is_stopped else "failed"
        label = "stopped" if is_stopped else _cause_of_death(job)
        job = job._replace(progress=progress._replace(state=state, label=label))
    return job


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _cause_of_death(job: Job) -> str:
    """Returns the last step and output of a job whose process died."""
    lines = job.log(3).replace("\n", " | ") or "nothing"
    return f"its process died at: {job.progress.label}; its log ends: {lines}"


def _is_alive(folder: Path, process: dict[str, Any], *, starts: bool) -> bool:
    """Returns whether a job's process runs, or is just being started by another."""
    if is_running(process) or files.is_locked(
        folder / LOCK_FILE
    ):  # in another container
        return True
    return not process and not starts and files.is_locked(start_lock(folder))


def is_running(process: dict[str, Any]) -> bool:
    """Returns whether the process in `process.json` runs on this machine."""
    pid, started = process.get("pid"), process.get("started")
    return isinstance(pid, int) and started == child_process.start_time(pid) is not None


def start_lock(folder: Path) -> Path:
    """Returns the file that is locked while a job is started, given its folder."""
    return folder.with_name(folders.JOB_LOCK)


def list_jobs(
    dataset: fo.Dataset, runs_dir: str | os.PathLike[str] | None = None
) -> list[Job]:
    """Returns the jobs of a dataset, active ones first."""
    root = folders.dataset_folder(dataset, runs_dir)
    found = [job for job in map(find, _job_folders(root)) if job]
    return sorted(found, key=lambda job: (not job.progress.is_active, str(job.folder)))


def active_jobs(runs_dir: str | os.PathLike[str] | None = None) -> list[Job]:
    """Returns the active jobs of all datasets."""
    paths = [
        path
        for root in folders.top_folder(runs_dir).glob("*")
        for path in _job_folders(root)
    ]
    return [job for job in map(find, paths) if job and job.progress.is_active]


def _job_folders(root: Path) -> Iterator[Path]:
    """Yields the folders of a dataset's jobs."""
    yield from root.glob(f"*/{folders.JOB}")
    for name, _ in OTHER_TASKS.values():
        yield from root.glob(f"{name}/*")


def stop(job: Job) -> None:
    """Asks a job to stop; a training keeps its last complete epoch.

    Raises:
        ValueError: if it is not active, or runs on another machine
    """
    now = find(job.folder)
    if now is None or not now.progress.is_active or now.pid is None:
        raise ValueError(f"the job of '{job.target}' is not running")
    if not is_running(read_json(job.folder / PROCESS_FILE) or {}):
        raise ValueError(f"the job of '{job.target}' runs on another machine")
    (now.folder / STOP_FILE).touch()
    child_process.terminate(now.pid)


def updates(job: Job, every: float = 0.5) -> Iterator[Job]:
    """Yields the current state of a job repeatedly until it has ended, then the last.

    Args:
        job: from `spawn.start` or `find`
        every (0.5): seconds between two readings
    """
    while True:
        now = find(job.folder)
        if now is None:
            lost = JobProgress("failed", label="its folder was deleted")
            yield job._replace(progress=lost)
            return
        yield now
        if not now.progress.is_active:
            return
        time.sleep(every)
