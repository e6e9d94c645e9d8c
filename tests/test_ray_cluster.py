"""The connection to a Ray cluster."""

import subprocess
import sys
from pathlib import Path

import pytest

from yolov1_fo import ray_cluster

CHILD = """
import os, signal

class Stopped(Exception):
    pass

def stop(*_):
    raise Stopped

def asked():
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except Stopped:
        return "stopped"

signal.signal(signal.SIGTERM, stop)
from yolov1_fo import ray_cluster

with ray_cluster.connected():
    print("connected:", asked(), flush=True)
print("afterwards:", asked())
"""


INIT_FAILED = """The actor died because of an error raised in its creation task, \
\x1b[36mray::Worker.__init__()\x1b[39m (pid=12, ip=10.0.0.2)
  File "worker.py", line 3, in <module>
ModuleNotFoundError: No module named 'yolov1_fo'
"""
DIED = """The actor died unexpectedly before finishing this task.
\tclass_name: Worker
The node was terminated unexpectedly.
"""


@pytest.mark.parametrize(
    ("text", "init_failed", "line"),
    [
        (INIT_FAILED, True, "ModuleNotFoundError: No module named 'yolov1_fo'"),
        (
            DIED,
            False,
            "The actor died unexpectedly before finishing this task. The node was "
            "terminated unexpectedly.",
        ),
        ("No answer", False, "No answer"),
        ("", False, "RuntimeError('')"),
    ],
)
def test_errors_of_ray_are_one_line(text, init_failed, line):
    error = RuntimeError(text)
    error.actor_init_failed = init_failed
    assert ray_cluster.reason(error) == line


@pytest.mark.slow
def test_sigterm_keeps_its_handler():
    pytest.importorskip("ray", reason="needs the extra ray")
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert lines[-2:] == ["connected: stopped", "afterwards: stopped"], done.stderr
