"""A job as it stands in its folder: what it is told, how far it is, what it said."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from yolov1_fo import files
from yolov1_fo.datasets import database

LEARNING = ("train", "pretrain")
"""Tasks whose job stands in the folder of their run."""
OTHERS = {"apply": (".applied", "label_field"), "evaluate": (".evaluated", "eval_key")}
"""Other tasks: the dataset's folder for their jobs, and what their target is called."""
JOB, PROCESS, PROGRESS, LOG = "job.json", "process.json", "progress.json", "log.txt"
STOPPING, LOCK = "stopping", ".lock"
ACTIVE = ("starting", "running")
LOG_LINES = 20


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


def arguments(place: Path) -> dict[str, Any]:
    """Returns what a job was told.

    Raises:
        ValueError: if it can't be read
    """
    said = read(place / JOB)
    if said is None:
        raise ValueError(f"'{place / JOB}' can't be read")
    return said["arguments"]


def tell(place: Path, progress: Progress) -> None:
    """Writes how far a job is, in one go."""
    write(place / PROGRESS, {**progress._asdict(), "updated": time.time()})


def write(path: Path, content: dict[str, Any]) -> None:
    """Writes one of a job's files of JSON, in one go."""
    files.write(path, json.dumps(content, indent=2) + "\n")


def read(path: Path) -> dict[str, Any] | None:
    """Returns what one of a job's files of JSON says; None if it can't be read."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None
