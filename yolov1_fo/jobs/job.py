"""A job and the files in its folder.

`job.json` holds the task and its arguments, `process.json` the id of its process,
`progress.json` its progress and `log.txt` its output. So a job can be found whatever
happened to the browser, the App or the process.
"""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from yolov1_fo import files
from yolov1_fo.datasets import database_uri

TRAINING_TASKS = ("train", "pretrain")
"""Tasks whose job is in the folder of their run."""
OTHER_TASKS = {
    "apply": (".applied", "label_field"),
    "evaluate": (".evaluated", "eval_key"),
    "find_mistakes": (".mistakes", "mistake_field"),
    "suggest": (".suggested", "gt_field"),
    "next_to_label": (".next_to_label", "tag"),
    "export": (".exported", "name"),
}
"""Other tasks: the dataset's folder for their jobs, and the name of their target."""
JOB_FILE, PROCESS_FILE, PROGRESS_FILE, LOG_FILE = (
    "job.json",
    "process.json",
    "progress.json",
    "log.txt",
)
STOP_FILE, LOCK_FILE = "stopping", ".lock"
ACTIVE_STATES = ("starting", "waiting", "running")
LOG_LINES = 20


class JobProgress(NamedTuple):
    """The progress of a job.

    Attributes:
        state: starting, waiting, running, finished, stopped or failed
        done: fraction of the work, in [0, 1]
        label: the current step, or why the job failed
        result: of a finished job
    """

    state: str = "starting"
    done: float = 0.0
    label: str = "starting"
    result: dict[str, Any] | None = None

    @property
    def is_active(self) -> bool:
        """Whether the job is starting, waiting or running."""
        return self.state in ACTIVE_STATES


class Job(NamedTuple):
    """A job.

    Attributes:
        folder: its files
        task: one of `TRAINING_TASKS` or `OTHER_TASKS`
        dataset: name of its dataset
        target: run key, field that is written, name of an evaluation or of an export
        progress: its state, as last read
        pid: of its process; None if there never was one
        submitted: when it was started, in nanoseconds; 0 if unknown
    """

    folder: Path
    task: str
    dataset: str
    target: str
    progress: JobProgress
    pid: int | None
    submitted: int = 0

    def log(self, lines: int = LOG_LINES) -> str:
        """Returns the last lines of its output."""
        with contextlib.suppress(OSError):
            text = (self.folder / LOG_FILE).read_text(errors="replace")
            output = [line.rpartition("\r")[2] for line in text.splitlines()]
            last = [line for line in output if line.strip()][-lines:]
            return database_uri.scrub("\n".join(last))
        return ""


def read_arguments(folder: Path) -> dict[str, Any]:
    """Returns the arguments of a job.

    Raises:
        ValueError: if they can't be read
    """
    content = read_json(folder / JOB_FILE)
    if content is None or "arguments" not in content:
        raise ValueError(f"'{folder / JOB_FILE}' can't be read")
    return content["arguments"]


def write_progress(folder: Path, progress: JobProgress) -> None:
    """Writes the progress of a job; a reader sees the old one or the new one."""
    write_json(folder / PROGRESS_FILE, progress._asdict())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes one of a job's JSON files; a reader sees the old one or the new one."""
    files.write_text(path, json.dumps(content, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Returns the content of one of a job's JSON files; None if it can't be read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
