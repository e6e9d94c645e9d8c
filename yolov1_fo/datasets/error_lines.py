"""Error messages of one line, for users who see no traceback."""

import re
import sys

from yolov1_fo.datasets import database_uri

USER_ERRORS = (ValueError, OSError, ImportError, ArithmeticError, RuntimeError)
"""Types of errors with a message for users, raised by us or by other libraries."""
USER_ERROR_PACKAGES = ("fiftyone", "eta", "mongoengine", "pymongo")
"""Packages whose own errors have a message for users."""
_NOISE = re.compile(
    r"\s|$|Graph execution error|Detected at node|File \"|<stack traces|\[\[|Hint:|"
    r"Stack trace|\d+ successful operations|\d+ derived errors|\(\d+\) "
)


def describe(error: BaseException) -> str | None:
    """Returns an error in one line; None if it can only be a bug of this library."""
    if "pymongo" in sys.modules:
        from yolov1_fo.datasets import connection

        line = connection.error_line(error)
        if line is not None:
            return line
    if is_out_of_memory(error):
        return (
            "out of memory, use a smaller batch_size or image_size: "
            f"{_first_line(error)}"
        )
    package = type(error).__module__.partition(".")[0]
    if package == "tensorflow":
        return f"TensorFlow: {_first_line(error)}"
    if isinstance(error, USER_ERRORS) or package in USER_ERROR_PACKAGES:
        return database_uri.one_line(error)
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Returns whether an error means out of memory, in any backend."""
    text = f"{type(error).__name__} {error}"
    if "No space left" in text:  # TensorFlow reports a full disk by the same name
        return False
    return isinstance(error, MemoryError) or any(
        words in text
        for words in ("ResourceExhausted", "RESOURCE_EXHAUSTED", "OOM when allocating")
    )


def _first_line(error: BaseException) -> str:
    r"""Returns the first line of TensorFlow's message that describes the error.

    Example:
        >>> _first_line(MemoryError("Graph execution error:\n\nOOM [Op:step]\n"))
        'OOM'
    """
    lines = database_uri.scrub(str(error)).splitlines()
    informative = [one for one in lines if not _NOISE.match(one)]
    first = " ".join((informative or lines or [""])[0].split())
    return re.sub(r" \[Op:.*", "", first) or type(error).__name__
