"""One call with one bad input, and how it ended: taken, refused, or a fault."""

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

TAKEN, REFUSED, THEIRS = "taken", "refused", "FiftyOne's own"
CRASH, FOREIGN, UNCLEAR = "crash", "foreign words", "not one clear line"
SLOW, GREEDY, WARNED = "too slow", "too much memory", "taken with a warning"
FAULTS = (CRASH, FOREIGN, UNCLEAR, SLOW, GREEDY, WARNED)

SECONDS, MEGABYTES = 20, 500
"""The most that one bad input may take; the paper's network takes 350 MB."""
LONGEST = 1000
"""A line of more characters is not clear."""
CLEAR = (ValueError, TypeError, OSError, ImportError, FloatingPointError)
"""What may be raised; FileNotFoundError is an OSError."""
WARNINGS = (RuntimeWarning, UserWarning)
"""What libraries warn of when they go on with something bad."""
PACKAGE = Path(yolov1_fo.__file__).parent
WORDS = re.compile(
    "setting an array element|could not convert|has no len|not subscriptable|"
    "unhashable|object has no attribute|os.PathLike|unsupported operand|"
    "index out of range|invalid literal|cannot reshape|broadcast|not iterable|"
    "positional argument|keyword argument|not supported between|inhomogeneous|"
    "<class |object at 0x"
)
"""Of messages that NumPy, Python and others write for programmers."""


class Verdict(NamedTuple):
    """How a call ended.

    Attributes:
        outcome: taken, refused, one of `FAULTS`, or FiftyOne's own where it failed
            before anything of ours was asked
        said: the error and where it was raised; empty if there was none
    """

    outcome: str
    said: str = ""


class Theirs(Exception):
    """Stands for an error of FiftyOne's where none of our code took part."""


class TooSlow(BaseException):
    """Ends a call that takes too long; nothing of ours catches it."""


def attempt(call: Callable[[], Any], homes: tuple[Path, ...] = (PACKAGE,)) -> Verdict:
    """Returns how a call ends that was given something bad.

    Args:
        call: takes nothing
        homes (yolov1_fo): packages whose own checks may refuse
    """
    before, start = _peak_mb(), time.monotonic()
    try:
        with _limit(SECONDS), warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("ignore")
            for kind in WARNINGS:
                warnings.simplefilter("always", kind)
            call()
        verdict = Verdict(WARNED, str(seen[0].message)) if seen else Verdict(TAKEN)
    except TooSlow as error:
        said = f"after {time.monotonic() - start:.0f} s at {_place(error)}"
        return Verdict(SLOW, said)
    except Theirs:
        verdict = Verdict(THEIRS)
    except Exception as error:
        verdict = judge(error, homes)
    grown = _peak_mb() - before
    if grown > MEGABYTES:
        return Verdict(GREEDY, f"{grown:.0f} MB; {verdict.outcome} {verdict.said}")
    return verdict


def judge(error: Exception, homes: tuple[Path, ...] = (PACKAGE,)) -> Verdict:
    """Returns whether an error is one clear line of our own."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    text = str(error)
    said = f"{type(error).__name__} at {_place(error)}: {text[:300]}"
    if not isinstance(error, CLEAR):
        return Verdict(CRASH, said)
    if not any(Path(last.filename).is_relative_to(home) for home in homes):
        return Verdict(FOREIGN, said)
    if not text.strip() or "\n" in text or len(text) > LONGEST:
        return Verdict(UNCLEAR, said)
    if WORDS.search(text):
        return Verdict(FOREIGN, said)
    return Verdict(REFUSED, said)


def is_ours(error: Exception) -> bool:
    """Returns whether our code took part in an error."""
    frames = traceback.extract_tb(error.__traceback__)
    return any(Path(one.filename).is_relative_to(PACKAGE) for one in frames)


def _place(error: BaseException) -> str:
    """Returns where an error was raised, and which line of ours led there."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if Path(one.filename).is_relative_to(PACKAGE)]
    places = [*ours[-1:], *([] if frames[-1] in ours else frames[-1:])]
    return ", ".join(f"{Path(one.filename).name}:{one.lineno}" for one in places)


@contextlib.contextmanager
def _limit(seconds: int) -> Iterator[None]:
    """Raises `TooSlow` in what takes longer."""

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
    """Returns the most memory that this process has held, in MB."""
    unit = 1e6 if sys.platform == "darwin" else 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
