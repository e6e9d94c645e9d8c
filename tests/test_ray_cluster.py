"""The connection to a Ray cluster."""

import subprocess
import sys
from pathlib import Path

import pytest

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
