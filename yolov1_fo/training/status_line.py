"""A line that is rewritten in place on a terminal, and is clear of log lines."""

import contextlib
import logging
import shutil
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self, TextIO

from yolov1_fo.training.progress_text import MAX_WIDTH

REDRAW_SECONDS = 0.2
"""Least time between two changes of the line."""


class StatusLine:
    """The last line of the output, inside the context.

    A log line of any logger is written in its place. After an error it stays as it is.

    Args:
        stream: that it is written to; None shows nothing. If it is not a terminal, only
            `keep` writes to it
    """

    def __init__(self, stream: TextIO | None) -> None:
        self.stream = stream
        self._is_terminal = stream is not None and stream.isatty()
        self._shown, self._time = "", -REDRAW_SECONDS
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(_before_log_lines(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._shown:
            self._write("\n")
        elif self._shown:
            self.erase()
        self._shown = ""
        self._stack.close()

    @property
    def width(self) -> int:
        """Number of columns that fit; in the last one some terminals wrap."""
        if not self._is_terminal:
            return MAX_WIDTH
        columns = shutil.get_terminal_size((MAX_WIDTH + 1, 24)).columns
        return max(1, min(MAX_WIDTH, columns - 1))

    def is_due(self) -> bool:
        """Returns whether the line can change, and did not just do so."""
        return self._is_terminal and time.monotonic() - self._time >= REDRAW_SECONDS

    def show(self, text: str) -> None:
        """Replaces the line, on a terminal."""
        if self._is_terminal:
            text = text[: self.width]
            self._write("\r" + text.ljust(min(len(self._shown), self.width)))
            self._shown, self._time = text, time.monotonic()

    def keep(self, text: str) -> None:
        """Writes a line that stays."""
        self.erase()
        self._write(f"{text}\n")

    def erase(self) -> None:
        """Removes the line until it is shown again."""
        if self._shown:
            self._write("\r" + " " * min(len(self._shown), self.width) + "\r")
            self._shown = ""

    def _write(self, text: str) -> None:
        if self.stream is not None:
            self.stream.write(text)
            self.stream.flush()


@contextlib.contextmanager
def _before_log_lines(line: StatusLine) -> Iterator[None]:
    """Erases the line before each log record, whichever stream it goes to.

    A handler would not do: those of other libraries would not notice, and a first
    handler keeps Python from showing warnings itself.
    """
    make = logging.getLogRecordFactory()

    def erase_and_make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        line.erase()
        return make(*args, **kwargs)

    logging.setLogRecordFactory(erase_and_make)
    try:
        yield
    finally:
        if logging.getLogRecordFactory() is erase_and_make:
            logging.setLogRecordFactory(make)
