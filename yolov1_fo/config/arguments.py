"""Checks of the arguments of public functions; each error is one line."""

import math
import os
from numbers import Integral, Real
from typing import Any

MAX_NUMBER = 1e300
"""Larger numbers are refused, so that whatever is computed from a number is finite."""
MAX_PATH_LENGTH = 4096
"""Longest path that operating systems accept, in characters."""


def check_integer(argument: str, value: Any, low: int, high: float = math.inf) -> None:
    """Raises an error unless a value is an integer in [low, high].

    Args:
        argument: name of the argument
        value: its value
        low: smallest allowed value
        high (unlimited): largest allowed value

    Raises:
        TypeError: if it is not an integer
        ValueError: if it is out of range

    Example:
        >>> check_integer("batch_size", 0, 1)
        Traceback (most recent call last):
        ValueError: batch_size must be at least 1, got 0
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{argument} must be a whole number, got {value!r}")
    if value < low:
        raise ValueError(f"{argument} must be at least {low}, got {value!r}")
    if int(value) > high:
        raise ValueError(f"{argument} must be at most {high}, got {value!r}")


def check_number(argument: str, value: Any, low: float, high: float = math.inf) -> None:
    """Raises an error unless a value is a finite number in [low, high].

    Args:
        argument: name of the argument
        value: its value
        low: smallest allowed value
        high (unlimited): largest allowed value

    Raises:
        TypeError: if it is not a number
        ValueError: if it is out of range, or not finite

    Example:
        >>> check_number("iou_thresh", 2, 0, 1)
        Traceback (most recent call last):
        ValueError: iou_thresh must be in [0, 1], got 2
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{argument} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an integer with hundreds of digits
        number = math.inf
    if not abs(number) < MAX_NUMBER or not low <= number <= high:
        bounds = f"at least {low:g}" if high == math.inf else f"in [{low:g}, {high:g}]"
        raise ValueError(f"{argument} must be {bounds}, got {value!r}")


def check_bool(argument: str, value: Any) -> None:
    """Raises a TypeError unless a value is True or False.

    Args:
        argument: name of the argument
        value: its value
    """
    if not isinstance(value, bool):
        raise TypeError(f"{argument} must be True or False, got {value!r}")


def check_string(argument: str, value: Any) -> None:
    """Raises a TypeError unless a value is a string.

    Args:
        argument: name of the argument
        value: its value
    """
    if not isinstance(value, str):
        raise TypeError(f"{argument} must be a string, got {value!r}")


def check_path_or_name(argument: str, value: Any) -> str:
    """Returns a path or a name as a string.

    Args:
        argument: name of the argument
        value: its value

    Raises:
        TypeError: if it is neither a string nor a path
        ValueError: if no file system accepts it
    """
    name = os.fspath(value) if isinstance(value, os.PathLike) else value
    if not isinstance(name, str):
        kind = type(value).__name__
        raise TypeError(f"{argument} must be a path or a name, got {kind}")
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        is_valid = False
    else:
        is_valid = "\0" not in name and len(name) <= MAX_PATH_LENGTH
    if not is_valid or not name.strip():
        raise ValueError(f"{argument} must be a path or a name, got {name[:60]!r}")
    return name
