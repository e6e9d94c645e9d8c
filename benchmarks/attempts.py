"""Calls a function with bad input and judges how it ended."""

import contextlib
import re
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import yolov1_fo

ACCEPTED, REFUSED, FIFTYONE = "accepted", "refused", "FiftyOne's own"
CRASH, FOREIGN, UNCLEAR = "crash", "error of another library", "not one line"
SLOW, LARGE, WARNED = "too slow", "too much memory", "accepted with a warning"
FAULTS = (CRASH, FOREIGN, UNCLEAR, SLOW, LARGE, WARNED)

MAX_SECONDS, MAX_MEGABYTES = 20, 500
"""Limits of one call; the paper's network needs 350 MB."""
MAX_LINE = 1000
"""Longest acceptable error message, in characters."""
ALLOWED = (ValueError, TypeError, OSError, ImportError, FloatingPointError)
"""Errors that may be raised; FileNotFoundError is an OSError."""
WARNINGS = (RuntimeWarning, UserWarning)
"""Warnings of libraries that continue with bad input."""
PACKAGE = Path(yolov1_fo.__file__).parent
FOREIGN_WORDS = re.compile(
    "setting an array element|could not convert|has no len|not subscriptable|"
    "unhashable|object has no attribute|os.PathLike|unsupported operand|"
    "index out of range|invalid literal|cannot reshape|broadcast|not iterable|"
    "positional argument|keyword argument|not supported between|inhomogeneous|"
    "<class |object at 0x"
)
"""In messages of Python, NumPy and others, which do not help a user."""


class Verdict(NamedTuple):
    """How a call ended.

    Attributes:
        outcome: accepted, refused, one of `FAULTS`, or FiftyOne's own if it failed
            without calling this library
        message: the error and where it was raised; empty if there was none
    """

    outcome: str
    message: str = ""


class FiftyOneError(Exception):
    """An error of FiftyOne that does not involve this library."""


class TooSlow(BaseException):
    """Ends a call that takes too long; the library does not catch it."""


def attempt(call: Callable[[], Any], homes: tuple[Path, ...] = (PACKAGE,)) -> Verdict:
    """Returns how a call with bad input ends.

    Args:
        call: the call, without arguments
        homes (yolov1_fo): packages that may refuse the input
    """
    before, start = _peak_mb(), time.monotonic()
    try:
        with _limit(MAX_SECONDS), warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore")
            for kind in WARNINGS:
                warnings.simplefilter("always", kind)
            call()
        verdict = (
            Verdict(WARNED, str(caught[0].message)) if caught else Verdict(ACCEPTED)
        )
    except TooSlow as error:
        message = f"after {time.monotonic() - start:.0f} s at {_place(error)}"
        return Verdict(SLOW, message)
    except FiftyOneError:
        verdict = Verdict(FIFTYONE)
    except Exception as error:
        verdict = judge(error, homes)
    grown = _peak_mb() - before
    if grown > MAX_MEGABYTES:
        message = f"{grown:.0f} MB; {verdict.outcome} {verdict.message}"
        return Verdict(LARGE, message)
    return verdict


def judge(error: Exception, homes: tuple[Path, ...] = (PACKAGE,)) -> Verdict:
    """Returns whether an error is one line from the library itself."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = str(error)
    message = f"{type(error).__name__} at {_place(error)}: {text[:300]}"
    if not isinstance(error, ALLOWED):
        return Verdict(CRASH, message)
    if not any(Path(last.filename).is_relative_to(home) for home in homes):
        return Verdict(FOREIGN, message)
    if not text.strip() or "\n" in text or len(text) > MAX_LINE:
        return Verdict(UNCLEAR, message)
    if FOREIGN_WORDS.search(text):
        return Verdict(FOREIGN, message)
    return Verdict(REFUSED, message)


def involves_library(error: Exception) -> bool:
    """Returns whether this library was called before an error."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(Path(one.filename).is_relative_to(PACKAGE) for one in frames)


def _place(error: BaseException) -> str:
    """Returns where an error was raised, and the last line of the library before."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [one for one in frames if Path(one.filename).is_relative_to(PACKAGE)]
    places = [*own[-1:], *([] if frames[-1] in own else frames[-1:])]
    return ", ".join(f"{Path(one.filename).name}:{one.lineno}" for one in places)


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raises `TooSlow` in code that takes longer."""

    def end(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _peak_mb() -> float:
    """Returns the peak memory of this process, in MB."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
