"""Forked processes, and what ends them: a signal, a full disk, a dead database.

A process that has loaded everything, but computed nothing, is forked for each trial, so
that it takes seconds. What a trial writes is counted, by Python's audit events and by
the commands to the database, and at one of these it ends.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone.core.odm as foo
import pymongo.monitoring

from benchmarks import sandbox
from benchmarks.attempts import judge

LONGEST = 240
"""A process of a trial may take so long, in seconds."""
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink")
COMMANDS = ("insert", "update", "delete", "drop", "findAndModify", "createIndexes")
HANGS, BALLAST = "hangs", "ballast"
WRITES = os.O_WRONLY | os.O_RDWR


class Moment(NamedTuple):
    """When something happens to a process, and what.

    Attributes:
        event: at so manyeth thing that it writes, counted from 0; None goes by time
        seconds: after its start
        deed: is done then, in the process
    """

    event: int | None
    seconds: float
    deed: Callable[[], None]

    def __str__(self) -> str:
        if self.event is None:
            return f"after {self.seconds:.2f} s"
        return f"at write {self.event}"


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        how: `finished`, `killed by SIGKILL` and so on, or what error it said
        value: what it returned
        seconds: that it took
        events: what it wrote
        outcome: of an error, by `attempts.judge`
    """

    how: str
    value: Any
    seconds: float
    events: list[str]
    outcome: str = ""


def fork(call: Callable[[], Any], moment: Moment | None = None) -> Ended:
    """Runs a call in a forked process.

    Args:
        call: gives something that can be pickled
        moment (None): when what happens to it
    """
    foo.database._disconnect()  # a client of the database may not be forked
    ours, theirs = multiprocessing.Pipe(duplex=False)
    start = time.monotonic()
    pid = os.fork()
    if not pid:
        _run(call, moment, theirs)
    theirs.close()
    said = _hear(ours) if ours.poll(LONGEST) else None
    if said is None and time.monotonic() - start >= LONGEST:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Ended(HANGS, None, LONGEST, [])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seconds = time.monotonic() - start
    if said is None:
        return Ended(f"killed by {signal.Signals(-status).name}", None, seconds, [])
    return said._replace(seconds=seconds)


def _hear(ours: Any) -> Ended | None:
    with contextlib.suppress(EOFError):  # it died
        said: Ended = ours.recv()
        return said
    return None


def _run(call: Callable[[], Any], moment: Moment | None, theirs: Any) -> None:
    """Does the call in the new process, tells how it ended, and ends it."""
    start = time.monotonic()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # what runs behind may ignore them
    signal.signal(signal.SIGINT, signal.default_int_handler)
    counter = _Counter(moment)
    try:
        value = call()
        ended = Ended("finished", value, 0.0, counter.events)
    except KeyboardInterrupt:
        ended = Ended("interrupted", None, 0.0, counter.events)
    except Exception as error:
        outcome, said = judge(error)
        ended = Ended(said, None, time.monotonic() - start, counter.events, outcome)
    counter.stop()
    theirs.send(ended)
    os._exit(0)  # nothing of the parent's is cleaned up here


class _Counter:
    """Counts what is written, and does the deed of a moment when it has come."""

    def __init__(self, moment: Moment | None) -> None:
        self.events: list[str] = []
        self.moment, self.home = moment, str(sandbox.home())
        self.lock = threading.Lock()
        sys.addaudithook(self._hook)
        pymongo.monitoring.register(_Listener(self))
        if moment and moment.event is None:
            timer = threading.Timer(moment.seconds, moment.deed)
            timer.daemon = True
            timer.start()

    def stop(self) -> None:
        self.moment = None

    def add(self, event: str) -> None:
        with self.lock:
            number = len(self.events)
            self.events.append(event)
        if self.moment and self.moment.event == number:
            self.moment.deed()

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & WRITES:
                return
        elif event in CHANGES:
            path = arguments[0]
        else:
            return
        if isinstance(path, str | Path) and str(path).startswith(self.home):
            self.add(f"{event} {Path(path).name}")


class _Listener(pymongo.monitoring.CommandListener):
    """Counts commands to the database that write."""

    def __init__(self, counter: _Counter) -> None:
        self.counter = counter

    def started(self, event: Any) -> None:
        """Counts one."""
        if event.command_name in COMMANDS:
            where = event.command.get(event.command_name)
            self.counter.add(f"{event.command_name} {where}")

    def succeeded(self, event: Any) -> None:
        """Counts nothing."""

    def failed(self, event: Any) -> None:
        """Counts nothing."""


def send(number: signal.Signals) -> Callable[[], None]:
    """Returns the deed of sending a signal to the process itself."""
    return lambda: os.kill(os.getpid(), number)


def kill_database() -> None:
    """Kills the sandbox's MongoDB server, whose parent is another process."""
    os.kill(int((sandbox.home() / "pid").read_text()), signal.SIGKILL)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Gives a folder that is a disk of so many bytes, if the system lets us.

    Args:
        folder: is made
        size: in bytes
    """
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True)
    try:
        yield not done.returncode
    finally:
        if not done.returncode:
            subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, left: int) -> None:
    """Fills the disk of a folder but for so many bytes, or forbids larger files.

    Args:
        folder: on a small disk; on any other one nothing is filled
        left: in bytes
    """
    disk = os.statvfs(folder)
    if disk.f_blocks * disk.f_frsize > 1e9:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
        return
    with (folder / BALLAST).open("wb") as file:
        file.write(bytes(max(0, disk.f_bavail * disk.f_frsize - left)))
