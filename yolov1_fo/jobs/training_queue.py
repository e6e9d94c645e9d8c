"""Trainings on one device wait for each other, in the order in which they were started.

Each waits in its own process, so that nothing has to manage them: it goes on whatever
happens to the browser, the App, and the trainings before it. A training in Python or on
the command line does not wait.
"""

import contextlib
import logging
import platform
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from yolov1_fo import files
from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import (
    PROCESS_FILE,
    TRAINING_TASKS,
    Job,
    read_arguments,
    read_json,
)
from yolov1_fo.runs import gpus

POLL_SECONDS = 0.5
"""How often a training checks whether it is its turn."""

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def turn(job: Job, show: Callable[[str], None]) -> Iterator[None]:
    """Waits for the trainings before a job, and holds its device in the `with` block.

    Args:
        job: that trains
        show: called with a line about what it waits for

    Raises:
        ValueError: if its folder was deleted meanwhile
    """
    with contextlib.ExitStack() as held:
        while waits_for := ahead(job) or _blocked(job, held):
            if not job.folder.is_dir():
                raise ValueError(f"the job of '{job.target}' was deleted")
            show(f"waiting for {', '.join(waits_for)}")
            time.sleep(POLL_SECONDS)
        yield


def ahead(job: Job) -> list[str]:
    """Returns the trainings that run or wait before a job, on its device."""
    device, own = _device(job.folder), (job.submitted, str(job.folder))
    return [
        f"'{one.target}'"
        for one in monitor.active_jobs(_top(job))
        if trains(one)
        and (one.submitted, str(one.folder)) < own
        and monitor.is_running(read_json(one.folder / PROCESS_FILE) or {})
        and _device(one.folder) == device
    ]


def trains(job: Job) -> bool:
    """Returns whether a job trains: as a run, or to predict out of fold."""
    if job.task in TRAINING_TASKS:
        return True
    try:
        return bool(read_arguments(job.folder).get("folds"))
    except (ValueError, AttributeError):
        return False


def _blocked(job: Job, held: contextlib.ExitStack) -> list[str]:
    """Locks the device; returns what it is locked by, in words, if it is."""
    machine = re.sub(r"\W", "_", platform.node())
    lock = _top(job) / f".training_{machine}_{_device(job.folder)}.lock"
    try:
        held.enter_context(files.locked(lock, timeout=0))
    except TimeoutError:
        return ["another training"]
    except OSError as error:  # the order is enough
        logger.warning("'%s' can't be locked: %s", lock, error)
    return []


def _top(job: Job) -> Path:
    """Returns the folder of all runs of all datasets."""
    return job.folder.parents[2]


def _device(folder: Path) -> str:
    """Returns what a training computes on: the number of a GPU, or `cpu`."""
    try:
        device = read_arguments(folder).get("device")
    except (ValueError, AttributeError):
        device = None
    return str(device or "0") if gpus.is_used(device) else "cpu"
