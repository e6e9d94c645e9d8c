"""FiftyOne's App as a person has it: a server of its own, and a real browser.

The plugin is the link to this checkout that `tests/plugin` makes. FiftyOne is imported
where it is used: this file loads before the database is there.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.plugin.conftest import linked  # noqa: F401  # a fixture

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
ANSWERS_WITHIN = 90.0


class App:
    """The App's server, as `fiftyone app launch` starts it.

    Args:
        dataset: name of what it shows
        log: file for what it says
    """

    def __init__(self, dataset: str, log: Path) -> None:
        self.log = log
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/datasets/{dataset}"
        self.start()

    def start(self) -> None:
        """Starts it; returns when it answers."""
        fiftyone = Path(sys.executable).with_name("fiftyone")
        arguments = ["app", "launch", "--remote", "-p", str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [fiftyone, *arguments, "-A", "127.0.0.1", "--wait", "-1"],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + ANSWERS_WITHIN
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            time.sleep(0.2)
        raise RuntimeError(f"the App does not answer: {self.log.read_text()}")

    def processes(self) -> list[psutil.Process]:
        """Returns its processes, without the jobs that it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            main = psutil.Process(self.process.pid)
            return [main, *(p for p in main.children(recursive=True) if not _is_job(p))]
        return []

    def stop(self) -> None:
        """Ends it at once."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(timeout=30)

    def libraries(self) -> set[str]:
        """Returns the TensorFlow and Keras libraries that it has loaded."""
        mapped = set()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                mapped |= {one.path for one in process.memory_maps()}
        return {path for path in mapped if "tensorflow" in path or "jaxlib" in path}


def _is_job(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return "--job" in process.cmdline()
    return False


def end_jobs() -> None:
    """Kills every job that is left, whoever started it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if _is_job(process) and "yolov1_fo" in process.cmdline():
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def browser() -> Iterator:
    """Chromium, as the system has it."""
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail(f"needs a browser, one of {', '.join(BROWSERS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
