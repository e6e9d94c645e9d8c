"""Measures calls in processes of their own."""

import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np

from yolov1_fo.boxes import Array

TOOK = "took"
"""Begins the line with the result of a measurement."""


class MeasuredProcess:
    """A process that runs a call on request; its `main` ends with `serve`.

    Args:
        module: a module with a `main`
        *arguments: its command-line arguments

    Attributes:
        peak_gb: peak memory in GB
    """

    def __init__(self, module: str, *arguments: Any) -> None:
        self.peak_gb = 0.0
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # __exit__ does
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def measure(self) -> float:
        """Runs the call once; returns the seconds."""
        print("go", file=self.process.stdin, flush=True)
        for line in self.process.stdout or ():
            if line.startswith(TOOK):
                seconds, self.peak_gb = map(float, line.split()[1:])
                return seconds
        self.errors.seek(0)
        raise RuntimeError(self.errors.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def alternate_processes(
    processes: dict[str, MeasuredProcess], rounds: int, warm_up: int = 1
) -> dict[str, Array]:
    """Returns the seconds of each process' call, alternating between them.

    Args:
        processes: by name
        rounds: number of measurements of each
        warm_up (1): additional rounds at the start, which are not counted
    """
    times = [
        [process.measure() for process in processes.values()]
        for _ in range(warm_up + rounds)
    ]
    return dict(zip(processes, np.array(times[warm_up:]).T, strict=True))


def serve(call: Callable[[], Any], repeats: int = 1) -> None:
    """Measures a call on each request, in a `MeasuredProcess`.

    A call can return its own time in seconds.

    Args:
        call: what is measured
        repeats (1): number of calls per measurement
    """
    for _ in sys.stdin:
        start = time.perf_counter()
        for _ in range(repeats):
            result = call()
        is_time = isinstance(result, float)
        seconds = result if is_time else time.perf_counter() - start
        print(TOOK, seconds, peak_gb(), flush=True)


def peak_gb() -> float:
    """Returns the peak memory of this process, in GB.

    On Linux, `getrusage` includes the parent's memory before the fork.
    """
    try:
        peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        peak = None
    if peak is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return int(peak.group(1)) * 1024 / 1e9
