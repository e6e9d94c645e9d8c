"""The interrupted calls, and the checks after them."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from benchmarks import kill_calls, kill_checks


class Scene(NamedTuple):
    """A call that is interrupted.

    Attributes:
        call: runs in the interrupted process
        after: yields faults, in another process
        before: runs first
        kills: number of interruptions by SIGKILL
    """

    call: Callable[[], Any]
    after: Callable[[], Iterator[str]]
    before: Callable[[], Any] | None = None
    kills: int = 8


SCENES = {
    "train, host": Scene(
        lambda: kill_calls.train("host"),
        lambda: kill_checks.after_training("host"),
        kills=10,
    ),
    "train, stream": Scene(
        lambda: kill_calls.train("stream"),
        lambda: kill_checks.after_training("stream"),
        kills=8,
    ),
    "resume": Scene(
        lambda: kill_calls.resume("host"),
        lambda: kill_checks.after_training("host"),
        kill_calls.interrupt_training,
    ),
    "apply, new field": Scene(
        lambda: kill_calls.apply("fresh"), lambda: kill_checks.after_applying("fresh")
    ),
    "apply, again": Scene(
        lambda: kill_calls.apply("predictions"),
        lambda: kill_checks.after_applying("predictions"),
        kills=4,
    ),
    "evaluate": Scene(kill_calls.evaluate, kill_checks.after_evaluating),
    "publish": Scene(kill_calls.publish, kill_checks.after_publishing, kills=4),
    "unpublish": Scene(
        kill_calls.unpublish, kill_checks.after_publishing, kill_calls.publish, kills=3
    ),
}
