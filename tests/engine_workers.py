"""The worker processes of `apply`'s engines, one of which a test kills."""

import os
import signal
from typing import Any

import psutil

NAMES = {
    "process": "popen_loky",
    "ray": "ray::Worker",
    "ray_train": "ray::RayTrainWorker",
}
"""What their command lines contain, by engine."""


def running(engine: str, parent: int | None = None) -> list[psutil.Process]:
    """Returns the worker processes of an engine that a process has started."""
    return [
        process
        for process in psutil.Process(parent).children(recursive=True)
        if NAMES[engine] in _command(process)
    ]


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


class Killer:
    """A progress callback that kills a worker after some images.

    Args:
        engine: process or ray
        after (1): number of images after which it kills

    Attributes:
        killed: number of workers that were killed, 0 or 1
        images: number of images that are done
    """

    def __init__(self, engine: str, after: int = 1) -> None:
        self.engine, self.after = engine, after
        self.killed = self.images = 0

    def __call__(self, progress_bar: Any) -> None:
        self.images = progress_bar.iteration
        if self.images >= self.after and not self.killed:
            os.kill(running(self.engine)[0].pid, signal.SIGKILL)
            self.killed = 1
