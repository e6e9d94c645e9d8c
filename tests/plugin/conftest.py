"""Installs the plugin as a link to this checkout in FiftyOne's plugins folder.

FiftyOne is imported within functions: this file is loaded before the database starts.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NAME = "@yolov1-fo/yolov1"

SETTINGS = {
    "network": "yolov1-efficientnet-lite0",
    "image_size": 32,
    "S": 2,
    "head_filters": 8,
    "batch_size": 2,
}


@pytest.fixture(autouse=True)
def linked():
    import fiftyone as fo

    folder = Path(fo.config.plugins_dir)
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "yolov1"
    link.symlink_to(ROOT)
    yield link
    link.unlink()


def download(url, plugins, python=sys.executable):
    """Installs the plugin from an archive, with FiftyOne's commands."""
    for words in (["download", url], ["requirements", NAME, "--install"]):
        subprocess.run(
            [
                *(python, "-c", "from fiftyone.core.cli import main; main()"),
                *("plugins", *words),
            ],
            env={**os.environ, "FIFTYONE_PLUGINS_DIR": str(plugins)},
            check=True,
            capture_output=True,
        )


@pytest.fixture
def dataset(painted):
    painted.persistent = True  # otherwise FiftyOne may delete it when a job connects
    yield painted
    kill_jobs(painted)


def kill_jobs(dataset):
    """Kills the running jobs of a dataset."""
    from yolov1_fo.jobs import monitor

    for job in monitor.list_jobs(dataset):
        if job.progress.is_active:
            os.killpg(job.pid, signal.SIGKILL)


@pytest.fixture
def form():
    """Returns a function that resolves a form's inputs as the App does."""
    import fiftyone.operators as foo
    from fiftyone.operators.executor import ExecutionContext, Executor

    def resolve(name, dataset, /, view=None, **params):
        operator = foo.get_operator(f"{NAME}/{name}")
        request = {"dataset_name": dataset.name, "params": params}
        if view is not None:
            request["view"] = view._serialize()
        context = ExecutionContext(
            request_params=request, executor=Executor(), operator_uri=operator.uri
        )
        return operator.resolve_type(context, "inputs").to_json()["type"]["properties"]

    return resolve


def call(name, dataset, /, **params):
    """Calls an operator as a script does; returns its result."""
    import fiftyone.operators as foo

    return foo.execute_operator(
        f"{NAME}/{name}", ctx={"dataset": dataset}, params=params
    )


def ended(dataset, target, within=120):
    """Waits until the job of a run or field has ended; returns it."""
    from yolov1_fo.jobs import monitor

    deadline = time.monotonic() + within
    [job] = [job for job in monitor.list_jobs(dataset) if job.target == target]
    for now in monitor.updates(job, 0.1):
        assert time.monotonic() < deadline, now
    dataset.reload()
    return now


def error(properties):
    """Returns the error message of a form; None if it has none."""
    shown = properties.get("error")
    return shown and shown["error_message"]
