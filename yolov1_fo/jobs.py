"""Jobs: the App's trainings, predictions and evaluations, in processes of their own.

A job is a folder: `job.json` says what to do, `process.json` who does it,
`progress.json` how far it is, `log.txt` what it said. So it can be found again whatever
happened to the browser, the App, or the process. It loads no Keras; `worker` is the
process' side.
"""

import contextlib
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import filelock
import psutil

from yolov1_fo import database, files, runs

LEARNING = ("train", "pretrain")
"""Tasks whose job stands in the folder of their run."""
OTHERS = {"apply": (".applied", "label_field"), "evaluate": (".evaluated", "eval_key")}
"""Other tasks: the dataset's folder for their jobs, and what their target is called."""
JOB, PROCESS, PROGRESS, LOG = "job.json", "process.json", "progress.json", "log.txt"
STOPPING = "stopping"
ACTIVE = ("starting", "running")
LOG_LINES = 20
CONNECT_WITHIN = 60.0
"""How long a job may take to reach the database, in seconds."""


class Progress(NamedTuple):
    """How far a job is.

    Attributes:
        state: starting, running, finished, stopped or failed
        done: part of the work, in [0, 1]
        label: what it does now, or why it failed
        updated: when this was written, in seconds since 1970
        result: what came of it, when finished
    """

    state: str = "starting"
    done: float = 0.0
    label: str = "starting"
    updated: float = 0.0
    result: dict[str, Any] | None = None

    @property
    def is_active(self) -> bool:
        """Whether it goes on."""
        return self.state in ACTIVE


class Job(NamedTuple):
    """A job that was found.

    Attributes:
        folder: its files
        task: one of `LEARNING` or `OTHERS`
        dataset: name of its dataset
        target: run key, field that is written, or name of an evaluation
        progress: how far it is
        pid: of its process; None if there never was one
    """

    folder: Path
    task: str
    dataset: str
    target: str
    progress: Progress
    pid: int | None

    def log(self, lines: int = LOG_LINES) -> str:
        """Returns the last lines of what it said."""
        with contextlib.suppress(OSError):
            text = (self.folder / LOG).read_text(errors="replace")
            said = [line.rpartition("\r")[2] for line in text.splitlines()]
            last = [line for line in said if line.strip()][-lines:]
            return database.scrubbed("\n".join(last))
        return ""


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
        runs.check_name(target, argument)
        return runs.root(dataset, runs_dir) / place / target
    return runs.folder(dataset, target, runs_dir) / runs.JOB


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
        OSError: if its files can't be written, or it did not start
    """
    check_persistent(dataset)
    place = folder(dataset, task, target, runs_dir)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(place.with_name(runs.JOB_LOCK), timeout=10):
            before = find(place)
            if before and before.progress.is_active:
                raise ValueError(
                    f"a job of '{target}' goes on: {before.progress.label}; stop it "
                    "first, or choose another name"
                )
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            said = {"task": task, "dataset": dataset.name, "target": target}
            _write(place / JOB, {"format": 1, **said, "arguments": arguments})
            process = _spawn(place)
    except OSError as error:
        raise OSError(f"job '{place}' can't be started: {error}") from error
    threading.Thread(target=process.wait, daemon=True).start()  # leaves no zombie
    _wait_for_database(place)
    job = find(place)
    if job is None:
        raise OSError(f"job '{place}' has lost its folder")
    return job


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
            start_new_session=True,
        )
    created = psutil.Process(process.pid).create_time()
    _write(place / PROCESS, {"pid": process.pid, "created": created})
    return process


def environment() -> dict[str, str]:
    """Returns the environment of a job.

    With an embedded database it is a client of its own, so that the server lives as
    long as the job; and it imports this package, installed or not.
    """
    variables = dict(os.environ)
    if not variables.get("FIFTYONE_DATABASE_URI"):
        for name in ("FIFTYONE_PRIVATE_DATABASE_PORT", "FIFTYONE_DISABLE_SERVICES"):
            variables.pop(name, None)
    try:
        importlib.metadata.distribution("yolov1-fo")
    except importlib.metadata.PackageNotFoundError:
        ours = str(Path(__file__).parent.parent)
        others = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (ours, others)))
    variables.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return variables


def _wait_for_database(place: Path) -> None:
    deadline = time.monotonic() + CONNECT_WITHIN
    while time.monotonic() < deadline:
        job = find(place)
        if job is None or job.progress.state != "starting":
            return
        time.sleep(0.1)


def arguments(place: Path) -> dict[str, Any]:
    """Returns what a job was told.

    Raises:
        ValueError: if it can't be read
    """
    said = _read(place / JOB)
    if said is None:
        raise ValueError(f"'{place / JOB}' can't be read")
    return said["arguments"]


def find(place: Path) -> Job | None:
    """Returns the job of a folder; None if there is none."""
    said = _read(place / JOB)
    if said is None:
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
    if progress.is_active and not _lives(process):
        ended = "stopped" if (place / STOPPING).exists() else "failed"
        why = "stopped" if ended == "stopped" else _last(job)
        job = job._replace(progress=progress._replace(state=ended, label=why))
    return job


def _last(job: Job) -> str:
    """Returns what was heard last of a job whose process died."""
    lines = job.log(3).replace("\n", " | ") or "nothing"
    return f"its process died at: {job.progress.label}; its log ends: {lines}"


def _lives(process: dict[str, Any]) -> bool:
    if not process:
        return True  # it is just being started
    try:
        known = psutil.Process(process["pid"])
        return (
            abs(known.create_time() - process["created"]) < 1
            and known.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


def all_of(
    dataset: fo.Dataset, runs_dir: str | os.PathLike[str] | None = None
) -> list[Job]:
    """Returns the jobs of a dataset, those that go on first."""
    root = runs.root(dataset, runs_dir)
    found = [job for job in map(find, _places(root)) if job]
    return sorted(found, key=lambda job: (not job.progress.is_active, str(job.folder)))


def active(runs_dir: str | os.PathLike[str] | None = None) -> list[Job]:
    """Returns the jobs that go on, of all datasets."""
    places = [place for root in runs.top(runs_dir).glob("*") for place in _places(root)]
    return [job for job in map(find, places) if job and job.progress.is_active]


def _places(root: Path) -> Iterator[Path]:
    """Yields the folders of a dataset's jobs."""
    yield from root.glob(f"*/{runs.JOB}")
    for place, _ in OTHERS.values():
        yield from root.glob(f"{place}/*")


def stop(job: Job) -> None:
    """Tells a job to stop; a training keeps its last whole epoch.

    Raises:
        ValueError: if it does not go on
    """
    if not job.progress.is_active or job.pid is None:
        raise ValueError(f"the job of '{job.target}' does not go on")
    (job.folder / STOPPING).touch()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(job.pid, signal.SIGTERM)


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


def tell(place: Path, progress: Progress) -> None:
    """Writes how far a job is, in one go."""
    _write(place / PROGRESS, {**progress._asdict(), "updated": time.time()})


def _write(path: Path, content: dict[str, Any]) -> None:
    files.write(path, json.dumps(content, indent=2) + "\n")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None
