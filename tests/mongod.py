"""A MongoDB server of one's own, as FiftyOne brings it."""

import contextlib
import ctypes
import random
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def free_port() -> int:
    """Returns a port of this machine that nobody uses.

    It is below those that systems give to connections, so that it stays free for a
    server that starts later or again.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


def start(folder: Path, port: int) -> subprocess.Popen:
    """Starts a server; returns when it answers.

    On Linux it ends with the thread that calls this, even if that is killed.

    Args:
        folder: for its files
        port: of this machine
    """
    folder.mkdir(exist_ok=True)
    found = find_spec("fiftyone").submodule_search_locations[0]
    program = Path(found) / "db" / "bin" / "mongod"
    arguments = ["--dbpath", folder, "--port", str(port), "--bind_ip", "127.0.0.1"]
    server = subprocess.Popen(
        [program, *arguments, "--nounixsocket"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # who reads this process' output waits for no other
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port)),
        ):
            return server
        time.sleep(0.05)
    raise RuntimeError("the tests' mongod did not start")


def _end_with_parent() -> None:
    """Runs in the new process, where nothing may be imported or locked."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
