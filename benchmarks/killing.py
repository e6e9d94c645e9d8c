"""Runs calls in forked processes and interrupts them: signal, full disk, dead database.

Each trial forks a process that has imported everything but computed nothing, so that it
takes seconds. Its writes are counted, by Python's audit events and by the commands to
the database; it is interrupted at one of them, or at a time.
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

TIMEOUT = 240
"""Longest time of a trial, in seconds."""
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink")
COMMANDS = ("insert", "update", "delete", "drop", "findAndModify", "createIndexes")
HANGS, BALLAST = "hangs", "ballast"
WRITES = os.O_WRONLY | os.O_RDWR


class Moment(NamedTuple):
    """The moment of an interruption.

    Attributes:
        event: number of the write at which it happens, from 0; None to use the time
        seconds: time after the start of the process
        action: interrupts the process, in which it runs
    """

    event: int | None
    seconds: float
    action: Callable[[], None]

    def __str__(self) -> str:
        if self.event is None:
            return f"after {self.seconds:.2f} s"
        return f"at write {self.event}"


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        how: `finished`, `killed by SIGKILL` and so on, or an error message
        value: return value of the call
        seconds: duration
        events: its writes
        outcome: of an error, see `attempts.judge`
    """

    how: str
    value: Any
    seconds: float
    events: list[str]
    outcome: str = ""


def fork(call: Callable[[], Any], moment: Moment | None = None) -> Ended:
    """Runs a call in a forked process.

    Args:
        call: returns a value that can be pickled
        moment (None): when to interrupt it, and how
    """
    foo.database._disconnect()  # a client of the database may not be forked
    receiver, sender = multiprocessing.Pipe(duplex=False)
    start = time.monotonic()
    pid = os.fork()
    if not pid:
        _run(call, moment, sender)
    sender.close()
    ended = _receive(receiver) if receiver.poll(TIMEOUT) else None
    if ended is None and time.monotonic() - start >= TIMEOUT:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return Ended(HANGS, None, TIMEOUT, [])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    seconds = time.monotonic() - start
    if ended is None:
        return Ended(f"killed by {signal.Signals(-status).name}", None, seconds, [])
    return ended._replace(seconds=seconds)


def _receive(receiver: Any) -> Ended | None:
    with contextlib.suppress(EOFError):  # it was killed
        ended: Ended = receiver.recv()
        return ended
    return None


def _run(call: Callable[[], Any], moment: Moment | None, sender: Any) -> None:
    """Runs the call in the new process, sends how it ended, and exits."""
    start = time.monotonic()
    signal.signal(
        signal.SIGTERM, signal.SIG_DFL
    )  # background processes may ignore them
    signal.signal(signal.SIGINT, signal.default_int_handler)
    counter = _Counter(moment)
    try:
        value = call()
        ended = Ended("finished", value, 0.0, counter.events)
    except KeyboardInterrupt:
        ended = Ended("interrupted", None, 0.0, counter.events)
    except Exception as error:
        outcome, message = judge(error)
        ended = Ended(message, None, time.monotonic() - start, counter.events, outcome)
    counter.stop()
    sender.send(ended)
    os._exit(0)  # without the parent's cleanup


class _Counter:
    """Counts writes, and interrupts the process at a moment."""

    def __init__(self, moment: Moment | None) -> None:
        self.events: list[str] = []
        self.moment, self.home = moment, str(sandbox.home())
        self.lock = threading.Lock()
        sys.addaudithook(self._hook)
        pymongo.monitoring.register(_Listener(self))
        if moment and moment.event is None:
            timer = threading.Timer(moment.seconds, moment.action)
            timer.daemon = True
            timer.start()

    def stop(self) -> None:
        self.moment = None

    def add(self, event: str) -> None:
        with self.lock:
            number = len(self.events)
            self.events.append(event)
        if self.moment and self.moment.event == number:
            self.moment.action()

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
    """Counts writing commands to the database."""

    def __init__(self, counter: _Counter) -> None:
        self.counter = counter

    def started(self, event: Any) -> None:
        """Counts a command."""
        if event.command_name in COMMANDS:
            where = event.command.get(event.command_name)
            self.counter.add(f"{event.command_name} {where}")

    def succeeded(self, event: Any) -> None:
        """Does nothing."""

    def failed(self, event: Any) -> None:
        """Does nothing."""


def send(number: signal.Signals) -> Callable[[], None]:
    """Returns an action that sends a signal to its own process."""
    return lambda: os.kill(os.getpid(), number)


def kill_database() -> None:
    """Kills the sandbox's MongoDB server."""
    os.kill(int((sandbox.home() / "pid").read_text()), signal.SIGKILL)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Mounts a small disk in a folder; yields whether the system allows it.

    Args:
        folder: is created
        size: of the disk, in bytes
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
    """Fills the disk of a folder, or limits the size of files on a large disk.

    Args:
        folder: on the disk
        left: free space, or largest size of a file, in bytes
    """
    disk = os.statvfs(folder)
    if disk.f_blocks * disk.f_frsize > 1e9:
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
        return
    with (folder / BALLAST).open("wb") as file:
        file.write(bytes(max(0, disk.f_bavail * disk.f_frsize - left)))
