"""Numbers and names that a caller gives beside settings: each refused in one line."""

import math
import os
from numbers import Integral, Real
from typing import Any

LONGEST = 4096
"""Characters of a path, as systems take them."""


def check_whole(argument: str, value: Any, low: int) -> None:
    """Raises an error unless a value is a whole number that is large enough.

    Args:
        argument: how the caller calls it
        value: as the caller gave it
        low: the least

    Raises:
        TypeError: if it is no whole number
        ValueError: if it is smaller

    Example:
        >>> check_whole("batch_size", 0, 1)
        Traceback (most recent call last):
        ValueError: batch_size must be at least 1, got 0
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{argument} must be a whole number, got {value!r}")
    if value < low:
        raise ValueError(f"{argument} must be at least {low}, got {value!r}")


def check_number(argument: str, value: Any, low: float, high: float = math.inf) -> None:
    """Raises an error unless a value is a finite number within bounds.

    Args:
        argument: how the caller calls it
        value: as the caller gave it
        low: the least
        high (any): the most

    Raises:
        TypeError: if it is no number
        ValueError: if it is not finite, or outside

    Example:
        >>> check_number("iou_thresh", 2, 0, 1)
        Traceback (most recent call last):
        ValueError: iou_thresh must be in [0, 1], got 2
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{argument} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not math.isfinite(number) or not low <= number <= high:
        bounds = f"at least {low:g}" if high == math.inf else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{argument} must be {bounds}, got {value!r}")


def check_true_or_false(argument: str, value: Any) -> None:
    """Raises a TypeError unless a value is True or False.

    Args:
        argument: how the caller calls it
        value: as the caller gave it
    """
    if not isinstance(value, bool):
        raise TypeError(f"{argument} must be True or False, got {value!r}")


def path_or_name(argument: str, value: Any) -> str:
    """Returns a path or a name as a string.

    Args:
        argument: how the caller calls it
        value: as the caller gave it

    Raises:
        TypeError: if it is neither
        ValueError: if it can be neither
    """
    name = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(name, str):
        kind = type(value).__name__
        raise TypeError(f"{argument} must be a path or a name, got {kind}")
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        is_one = False
    else:
        is_one = bool(name.strip()) and "\0" not in name and len(name) <= LONGEST
    if not is_one:
        raise ValueError(f"{argument} must be a path or a name, got {name[:60]!r}")
    return name


def check_string(argument: str, value: Any) -> None:
    """Raises a TypeError unless a value is a string.

    Args:
        argument: how the caller calls it
        value: as the caller gave it
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, got {value!r}")
