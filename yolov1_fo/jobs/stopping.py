"""How a job is interrupted: at once, or between two batches while it writes."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from signal import SIGTERM
from typing import Any

AGAIN_SECONDS = 0.1
"""How long after an interrupt that Python has ignored the next one follows."""


class StopRequest:
    """Raises KeyboardInterrupt when the job is to stop.

    Attributes:
        is_waiting: whether it does so only in `check`
        is_made: whether the job was asked to stop
    """

    def __init__(self) -> None:
        self.is_waiting = self.is_made = False

    def handle(self) -> None:
        """Handles the signals that stop this process."""
        for number in (SIGTERM, signal.SIGINT):  # SIGINT: without process groups
            signal.signal(number, self)
        sys.unraisablehook = self._interrupt_again

    def _interrupt_again(self, ignored: Any) -> None:
        """Interrupts the job again if Python has ignored it, as in a destructor."""
        if isinstance(ignored.exc_value, KeyboardInterrupt):
            again = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), SIGTERM))
            again.daemon = True
            again.start()
        else:
            sys.__unraisablehook__(ignored)

    def __call__(self, number: int, frame: Any) -> None:
        """Interrupts the job; while it writes, only if it is asked a second time."""
        is_again, self.is_made = self.is_made, True
        if is_again or not self.is_waiting:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def only_in_check(self) -> Iterator[None]:
        """Interrupts the `with` block only where it calls `check`."""
        self.is_waiting = True
        try:
            yield
        finally:
            self.is_waiting = False

    def check(self) -> None:
        """Raises KeyboardInterrupt if the job was asked to stop."""
        if self.is_made:
            raise KeyboardInterrupt
