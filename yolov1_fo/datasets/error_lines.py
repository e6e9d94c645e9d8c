"""What went wrong, in one line, for whoever sees no traceback."""

import re
import sys

from yolov1_fo.datasets import database

TELLING = (ValueError, OSError, ImportError, ArithmeticError, RuntimeError)
"""Kinds of errors whose words are meant for people: ours, and other libraries'."""
OTHERS = ("fiftyone", "eta", "mongoengine", "pymongo")
"""Packages whose errors are told in their own words."""
_NOISE = re.compile(
    r"\s|$|Graph execution error|Detected at node|File \"|<stack traces|\[\[|Hint:|"
    r"Stack trace|\d+ successful operations|\d+ derived errors|\(\d+\) "
)


def line(error: BaseException) -> str | None:
    """Returns what an error says, in one line; None if it can only be a bug of ours."""
    if "pymongo" in sys.modules:
        from yolov1_fo.datasets import connection

        said = connection.line(error)
        if said is not None:
            return said
    if is_out_of_memory(error):
        return (
            f"memory is too small, take a smaller batch_size or side: {_first(error)}"
        )
    package = type(error).__module__.partition(".")[0]
    if package == "tensorflow":
        return f"TensorFlow: {_first(error)}"
    if isinstance(error, TELLING) or package in OTHERS:
        return database.line(error)
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error says that memory was too small, in any backend."""
    said = f"{type(error).__name__} {error}"
    if "No space left" in said:  # TensorFlow calls a full disk by the same name
        return False
    return isinstance(error, MemoryError) or any(
        words in said
        for words in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when allocating")
    )


def _first(error: BaseException) -> str:
    r"""Returns the line of TensorFlow's many that says what went wrong.

    Example:
        >>> _first(MemoryError("Graph execution error:\n\nOOM [Op:step]\n"))
        'OOM'
    """
    lines = database.scrubbed(str(error)).splitlines()
    telling = [one for one in lines if not _NOISE.match(one)]
    first = " ".join((telling or lines or [""])[0].split())
    return re.sub(r" \[Op:.*", "", first) or type(error).__name__
