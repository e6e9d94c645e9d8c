"""Starts a job in a child process, and marks the process that works on it."""

import contextlib
import importlib.util
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
from yolov1_fo.config import packages
from yolov1_fo.jobs import child_process, monitor
from yolov1_fo.jobs.job import (
    JOB_FILE,
    LOCK_FILE,
    LOG_FILE,
    PROCESS_FILE,
    PROGRESS_FILE,
    Job,
    write_json,
)

START_TIMEOUT = 10.0
"""Seconds to wait for another process that starts the same job."""
CONNECT_TIMEOUT = 60.0
"""Seconds that a job may take to reach the database."""
FAILURE_TIMEOUT = 0.3
"""Seconds in which a process that can't start at all has ended."""

logger = logging.getLogger(__name__)


def start(
    dataset: fo.Dataset,
    task: str,
    target: str,
    arguments: dict[str, Any],
    *,
    runs_dir: str | os.PathLike[str] | None = None,
    folder: Path | None = None,
) -> Job:
    """Starts a job; returns while its process is still loading.

    A caller that ends soon waits with `wait_until_connected`: an embedded database
    ends with its last client.

    Args:
        dataset: that it works on
        task: one of `TRAINING_TASKS` or `OTHER_TASKS`
        target: run key, field that is written, name of an evaluation or of an export
        arguments: for `worker`; JSON only
        runs_dir (None): replaces FiftyOne's folder for datasets
        folder (None): of the job; by default that of its target, which for a renamed
            run is another one

    Raises:
        ValueError: if the target has an active job, or the dataset is not persistent
        TypeError: if the arguments are not JSON
        OSError: if its files can't be written, or it did not start
    """
    check_persistent(dataset)
    folder = folder or monitor.job_folder(dataset, task, target, runs_dir)
    content = {
        "format": 1,
        "task": task,
        "dataset": dataset.name,
        "target": target,
        "submitted": time.time_ns(),
    }
    try:
        text = json.dumps({**content, "arguments": arguments}, indent=2)
    except TypeError as error:
        raise TypeError(f"arguments of job '{target}' must be JSON: {error}") from None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with files.locked(monitor.start_lock(folder), START_TIMEOUT):
            process = _create(folder, text)
    except TimeoutError:
        raise OSError(
            f"job '{folder}' can't be started: another process is starting it"
        ) from None
    except OSError as error:
        raise OSError(f"job '{folder}' can't be started: {error}") from error
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie
    return _wait(folder, FAILURE_TIMEOUT)


def wait_until_connected(job: Job) -> Job:
    """Waits until the process of a job has reached the database; returns the job.

    Raises:
        OSError: if it did not start
    """
    return _wait(job.folder, CONNECT_TIMEOUT)


def check_backend() -> None:
    """Raises an ImportError if TensorFlow, which jobs compute with, is missing."""
    if importlib.util.find_spec("tensorflow") is None:
        raise ImportError(packages.NO_TENSORFLOW)


def check_persistent(dataset: fo.Dataset) -> None:
    """Raises a ValueError if FiftyOne may delete the dataset during a job."""
    if not dataset.persistent:
        raise ValueError(
            f"dataset '{dataset.name}' is not persistent, so that another process may "
            "delete it; make it persistent first (in Python: dataset.persistent = True)"
        )


def _create(folder: Path, text: str) -> subprocess.Popen[bytes]:
    """Makes a job's folder and starts its process; leaves nothing if that fails.

    Args:
        folder: of the job, for which `monitor.start_lock` is held
        text: of `job.json`
    """
    before = monitor.find(folder, starts=True)
    if before and before.progress.is_active:
        raise ValueError(
            f"a job of '{before.target}' is running: {before.progress.label}; stop it "
            "first, or choose another name"
        )
    files.remove(folder)
    folder.mkdir()
    try:
        files.write_text(folder / JOB_FILE, text + "\n")
        return _spawn(folder)
    except BaseException:
        files.remove(folder)
        raise


def _spawn(folder: Path) -> subprocess.Popen[bytes]:
    with (folder / LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "yolov1_fo", "--job", str(folder)],
            cwd=folder,
            env=child_process.environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            **child_process.new_group(),
        )
    _write_process(folder, process.pid)
    return process


def _write_process(folder: Path, pid: int) -> None:
    started = child_process.start_time(pid)
    write_json(folder / PROCESS_FILE, {"pid": pid, "started": started})


@contextlib.contextmanager
def working(folder: Path) -> Iterator[None]:
    """Marks this process as the one that works on a job, until the `with` block ends.

    Raises:
        TimeoutError: if another process works on it
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(files.locked(folder / LOCK_FILE))
        except TimeoutError:
            raise
        except OSError as error:  # the pid is enough on this machine
            logger.warning("'%s' can't be locked: %s", folder, error)
        _write_process(folder, os.getpid())
        yield


def _wait(folder: Path, seconds: float) -> Job:
    """Waits while a job is starting, for some time; returns it.

    Raises:
        OSError: if it did not start
    """
    deadline = time.monotonic() + seconds
    while (job := monitor.find(folder)) and job.progress.state == "starting":
        if time.monotonic() >= deadline:
            break
        time.sleep(0.05)
    if job is None:
        raise OSError(f"folder of job '{folder}' was deleted")
    if job.progress.state == "failed" and not (folder / PROGRESS_FILE).exists():
        raise OSError(f"job '{folder}' did not start: {job.progress.label}")
    return job
