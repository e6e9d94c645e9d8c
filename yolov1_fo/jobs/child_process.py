"""Processes of our own: how they are started apart, known again, and ended."""

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

LOOK_EVERY = 0.5
"""Seconds between two looks of a process at whether it shall stop."""
HAS_GROUPS = hasattr(os, "killpg")
"""Whether a signal reaches a process and all that it has started: not on Windows."""


def apart() -> dict[str, Any]:
    """Returns what makes `Popen` start a process in a group of its own."""
    if HAS_GROUPS:
        return {"start_new_session": True}
    return {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}


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
        ours = str(Path(__file__).parents[2])
        others = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, (ours, others)))
    variables.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return variables


def started(pid: int) -> str | None:
    """Returns when a process started, by a clock that nobody sets; None if it is gone.

    On Linux these are the kernel's ticks since it booted, with the name of that boot:
    psutil adds them to the time of day of the boot, which moves with the clock.
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


def end(pid: int) -> None:
    """Asks a process, and what it has started, to end; see `interrupt_when`."""
    if HAS_GROUPS:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGTERM)


def interrupt_when(path: Path) -> None:
    """Interrupts this process as Ctrl-C does, once a file is there.

    Where there are no groups, it is the only way to reach a process that is to save
    what it has before it ends.
    """

    def watch() -> None:
        while not path.exists():
            time.sleep(LOOK_EVERY)
        _thread.interrupt_main()

    threading.Thread(target=watch, daemon=True).start()
