"""Jobs: the App's trainings, predictions and evaluations, in processes of their own.

A job is a folder: `job.json` says what to do, `process.json` who does it,
`progress.json` how far it is, `log.txt` what it said. So it can be found again whatever
happened to the browser, the App, or the process. It loads no Keras; `worker` is the
process' side.
"""

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.jobs import child_process
from yolov1_fo.jobs.child_process import environment as environment
from yolov1_fo.jobs.job_files import ACTIVE as ACTIVE
from yolov1_fo.jobs.job_files import JOB as JOB
from yolov1_fo.jobs.job_files import LEARNING as LEARNING
from yolov1_fo.jobs.job_files import LOCK, LOG, PROCESS, PROGRESS, STOPPING
from yolov1_fo.jobs.job_files import OTHERS as OTHERS
from yolov1_fo.jobs.job_files import Job as Job
from yolov1_fo.jobs.job_files import Progress as Progress
from yolov1_fo.jobs.job_files import arguments as arguments
from yolov1_fo.jobs.job_files import read as _read
from yolov1_fo.jobs.job_files import tell as tell
from yolov1_fo.jobs.job_files import write as _write
from yolov1_fo.runs import registry

START_WITHIN = 10.0
"""How long to wait for another process that starts the same job, in seconds."""
CONNECT_WITHIN = 60.0
"""How long a job may take to reach the database, in seconds."""

logger = logging.getLogger(__name__)


def folder(
    dataset: fo.Dataset,
    task: str,
    target: str,
    runs_dir: str | os.PathLike[str] | None = None,
) -> Path:
    """Returns where a job keeps its files.

    Args:
        dataset: that it works on
        task: one of `LEARNING` or `OTHERS`
        target: run key, field that is written, or name of an evaluation
        runs_dir (None): instead of FiftyOne's folder for datasets

    Raises:
        ValueError: if the target could lead elsewhere
    """
    if task in OTHERS:
        place, argument = OTHERS[task]
        registry.check_name(target, argument)
        return registry.root(dataset, runs_dir) / place / target
    return registry.folder(dataset, target, runs_dir) / registry.JOB


def start(
    dataset: fo.Dataset,
    task: str,
    target: str,
    arguments: dict[str, Any],
    *,
    runs_dir: str | os.PathLike[str] | None = None,
) -> Job:
    """Starts a job; returns when its process has reached the database.

    Args:
        dataset: that it works on
        task: one of `LEARNING` or `OTHERS`
        target: run key, field that is written, or name of an evaluation
        arguments: what `worker` takes; JSON only
        runs_dir (None): instead of FiftyOne's folder for datasets

    Raises:
        ValueError: if a job of that target goes on, or the dataset is not persistent
        TypeError: if the arguments are not JSON
        OSError: if its files can't be written, or it did not start
    """
    check_persistent(dataset)
    place = folder(dataset, task, target, runs_dir)
    said = {"task": task, "dataset": dataset.name, "target": target}
    try:
        text = json.dumps({"format": 1, **said, "arguments": arguments}, indent=2)
    except TypeError as error:
        raise TypeError(f"arguments of job '{target}' must be JSON: {error}") from None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(_starting(place), patience=START_WITHIN):
            process = _begin(place, text)
    except TimeoutError:
        raise OSError(
            f"job '{place}' can't be started: another process is starting it"
        ) from None
    except OSError as error:
        raise OSError(f"job '{place}' can't be started: {error}") from error
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie
    _wait_for_database(place)
    job = find(place)
    if job is None:
        raise OSError(f"job '{place}' has lost its folder")
    if job.progress.state == "failed" and not (place / PROGRESS).exists():
        raise OSError(f"job '{place}' did not start: {job.progress.label}")
    return job


def _begin(place: Path, text: str) -> subprocess.Popen[bytes]:
    """Starts a job's process in a new folder, of which nothing is left if that fails.

    Args:
        place: the folder; the lock beside it is held
        text: what the job is told
    """
    before = find(place, starts=True)
    if before and before.progress.is_active:
        raise ValueError(
            f"a job of '{before.target}' goes on: {before.progress.label}; stop it "
            "first, or choose another name"
        )
    files.remove(place)
    place.mkdir()
    try:
        files.write(place / JOB, text + "\n")
        return _spawn(place)
    except BaseException:
        files.remove(place)
        raise


def check_persistent(dataset: fo.Dataset) -> None:
    """Raises a ValueError if FiftyOne may delete the dataset under a job."""
    if not dataset.persistent:
        raise ValueError(
            f"dataset '{dataset.name}' is not persistent, so that another process may "
            "delete it; set dataset.persistent = True"
        )


def _spawn(place: Path) -> subprocess.Popen[bytes]:
    with (place / LOG).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "yolov1_fo", "--job", str(place)],
            cwd=place,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **child_process.apart(),
        )
    _sign(place, process.pid)
    return process


def _sign(place: Path, pid: int) -> None:
    """Writes which process does a job."""
    _write(place / PROCESS, {"pid": pid, "started": child_process.started(pid)})


@contextlib.contextmanager
def at_work(place: Path) -> Iterator[None]:
    """Lets others see that this process does a job, until it ends, however it ends.

    Raises:
        TimeoutError: if another process does it
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(place / LOCK))
        except TimeoutError:
            raise
        except OSError as error:  # its pid tells it, too
            logger.warning("'%s' can't be locked: %s", place, error)
        _sign(place, os.getpid())
        yield


def _wait_for_database(place: Path) -> None:
    deadline = time.monotonic() + CONNECT_WITHIN
    while time.monotonic() < deadline:
        job = find(place)
        if job is None or job.progress.state != "starting":
            return
        time.sleep(0.1)


def find(place: Path, *, starts: bool = False) -> Job | None:
    """Returns the job of a folder; None if there is none.

    Args:
        place: the folder
        starts (False): whether the caller is about to start it, and holds the lock
    """
    said = _read(place / JOB)
    if said is None or not {"task", "dataset", "target"} <= set(said):
        return None
    process = _read(place / PROCESS) or {}
    known = _read(place / PROGRESS) or {}
    progress = Progress(**{k: v for k, v in known.items() if k in Progress._fields})
    job = Job(
        place,
        said["task"],
        said["dataset"],
        said["target"],
        progress,
        process.get("pid"),
    )
    if progress.is_active and not _lives(place, process, starts=starts):
        ended = "stopped" if (place / STOPPING).exists() else "failed"
        why = "stopped" if ended == "stopped" else _last(job)
        job = job._replace(progress=progress._replace(state=ended, label=why))
    return job


def _last(job: Job) -> str:
    """Returns what was heard last of a job whose process died."""
    lines = job.log(3).replace("\n", " | ") or "nothing"
    return f"its process died at: {job.progress.label}; its log ends: {lines}"


def _lives(place: Path, process: dict[str, Any], *, starts: bool) -> bool:
    """Returns whether a job's process lives, or is just being started by another."""
    if _is(process) or files.is_locked(place / LOCK):  # that of another container
        return True
    return not process and not starts and files.is_locked(_starting(place))


def _is(process: dict[str, Any]) -> bool:
    """Returns whether a process of this machine is the one that was written down."""
    pid, started = process.get("pid"), process.get("started")
    return isinstance(pid, int) and started == child_process.started(pid) is not None


def _starting(place: Path) -> Path:
    """Returns what is locked while a job is started."""
    return place.with_name(registry.JOB_LOCK)


def all_of(
    dataset: fo.Dataset, runs_dir: str | os.PathLike[str] | None = None
) -> list[Job]:
    """Returns the jobs of a dataset, those that go on first."""
    root = registry.root(dataset, runs_dir)
    found = [job for job in map(find, _places(root)) if job]
    return sorted(found, key=lambda job: (not job.progress.is_active, str(job.folder)))


def active(runs_dir: str | os.PathLike[str] | None = None) -> list[Job]:
    """Returns the jobs that go on, of all datasets."""
    places = [
        place for root in registry.top(runs_dir).glob("*") for place in _places(root)
    ]
    return [job for job in map(find, places) if job and job.progress.is_active]


def _places(root: Path) -> Iterator[Path]:
    """Yields the folders of a dataset's jobs."""
    yield from root.glob(f"*/{registry.JOB}")
    for place, _ in OTHERS.values():
        yield from root.glob(f"{place}/*")


def stop(job: Job) -> None:
    """Tells a job to stop; a training keeps its last whole epoch.

    Raises:
        ValueError: if it does not go on, or not on this machine
    """
    now = find(job.folder)
    if now is None or not now.progress.is_active or now.pid is None:
        raise ValueError(f"the job of '{job.target}' does not go on")
    if not _is(_read(job.folder / PROCESS) or {}):
        raise ValueError(f"the job of '{job.target}' goes on on another machine")
    (now.folder / STOPPING).touch()
    child_process.end(now.pid)


def follow(job: Job, every: float = 0.5) -> Iterator[Job]:
    """Yields a job again and again, until it has ended; the last one has.

    Args:
        job: from `start` or `find`
        every (0.5): seconds between two looks
    """
    while True:
        now = find(job.folder)
        if now is None:
            lost = Progress("failed", label="its folder is gone")
            yield job._replace(progress=lost)
            return
        yield now
        if not now.progress.is_active:
            return
        time.sleep(every)
