"""The App's server, as `fiftyone app launch` starts it."""

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests import mongod

START_TIMEOUT = 240.0
"""Seconds to wait until the server responds."""


class AppServer:
    """The App's server in other processes.

    Args:
        dataset: name of the dataset that it shows
        log: file for its output
    """

    def __init__(self, dataset: str, log: Path) -> None:
        self.dataset, self.log = dataset, log
        self.port = mongod.free_port()
        self.url = f"http://127.0.0.1:{self.port}/datasets/{dataset}"
        self.start()

    def start(self) -> None:
        """Starts it; returns when it responds and its session is connected.

        A session that connects later would redraw the page.
        """
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            self._launch()
            while time.monotonic() < deadline and self.process.poll() is None:
                before = self._connections()
                time.sleep(0.5)
                with contextlib.suppress(urllib.error.URLError, ConnectionError):
                    urllib.request.urlopen(self.url, timeout=5).close()
                    if before & self._connections():
                        return
        raise RuntimeError(f"the App does not respond: {self.log.read_text()}")

    def _launch(self) -> None:
        """Starts its process, which ends if the server needs more than a minute."""
        fiftyone = Path(sys.executable).with_name("fiftyone")
        arguments = ["app", "launch", self.dataset, "--remote", "-p", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [fiftyone, *arguments, "-A", "127.0.0.1", "--wait", "-1"],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _connections(self) -> set[int]:
        """Returns the local ports of the session's connections to the server."""
        with contextlib.suppress(psutil.Error):
            return {
                one.laddr.port
                for one in psutil.Process(self.process.pid).net_connections("tcp")
                if one.raddr and one.raddr.port == self.port
            }
        return set()

    def stop(self) -> None:
        """Kills it, as when its terminal is closed."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(timeout=30)

    def processes(self) -> list[psutil.Process]:
        """Returns its processes, without those of jobs and what they have started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return list(without_jobs(psutil.Process(self.process.pid)))
        return []

    def libraries(self) -> set[str]:
        """Returns the libraries of TensorFlow and JAX that it has loaded."""
        mapped: set[str] = set()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                mapped |= {one.path for one in process.memory_maps()}
        return {path for path in mapped if "tensorflow" in path or "jaxlib" in path}


def without_jobs(process: psutil.Process) -> Iterator[psutil.Process]:
    """Yields a process and its children, recursively, but no jobs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if not is_job(process):
            children = process.children()
            yield process
            for child in children:
                yield from without_jobs(child)


def is_job(process: psutil.Process) -> bool:
    """Returns whether a process runs a job of this package."""
    with contextlib.suppress(psutil.Error):
        return {"yolov1_fo", "--job"} <= set(process.cmdline())
    return False
