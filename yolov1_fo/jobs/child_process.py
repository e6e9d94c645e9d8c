"""Operating-system side of jobs: starts, identifies and ends their processes."""

import _thread
import contextlib
import importlib.metadata
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil

POLL_SECONDS = 0.5
"""How often a process checks whether it is to stop."""
HAS_GROUPS = hasattr(os, "killpg")
"""Whether a signal reaches a process and all its children: not on Windows."""


def new_group() -> dict[str, Any]:
    """Returns the arguments with which `Popen` starts a process in its own group."""
    if HAS_GROUPS:
        return {"start_new_session": True}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


def environment() -> dict[str, str]:
    """Returns the environment variables of a job.

    A job is its own client of an embedded database, so that the server runs as long as
    the job; and it can import this package, installed or not.
    """
    variables = dict(os.environ)
    if not variables.get("FIFTYONE_DATABASE_URI"):
        for name in ("FIFTYONE_PRIVATE_DATABASE_PORT", "FIFTYONE_DISABLE_SERVICES"):
            variables.pop(name, None)
    try:
        importlib.metadata.distribution("yolov1-fo")
    except importlib.metadata.PackageNotFoundError:
        ours = str(Path(__file__).parents[2])
        others = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (ours, others)))
    variables.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return variables


def start_time(pid: int) -> str | None:
    """Returns when a process started; None if it is no longer running.

    On Linux these are the kernel's ticks since it booted, with the id of that boot:
    psutil adds them to the boot's time of day, which changes when the clock is set.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists():
            return str(process.create_time())
        ticks = (
            stat.read_text(encoding="utf-8", errors="replace")
            .rpartition(")")[2]
            .split()[19]
        )
        boot = (
            Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        )
        return f"{boot} {ticks}"
    except (psutil.Error, OSError):
        return None


def terminate(pid: int) -> None:
    """Asks a process and its children to end; see also `interrupt_when_exists`."""
    if HAS_GROUPS:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)


def interrupt_when_exists(path: Path) -> None:
    """Interrupts this process as Ctrl-C does, once a file exists.

    Without process groups there is no other way to let a process save its work before
    it ends.
    """

    def watch() -> None:
        while not path.exists():
            time.sleep(POLL_SECONDS)
        _thread.interrupt_main()

    threading.Thread(target=watch, daemon=True).start()
