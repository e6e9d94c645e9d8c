"""Checks of lists of class names."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def check(names: Any, argument: str = "classes", *, ordered: bool = True) -> list[str]:
    """Returns class names as a list of strings.

    Lists, tuples, arrays and other iterables with a fixed order are accepted.

    Args:
        names: from the caller
        argument ("classes"): name of the argument
        ordered (True): whether the order matters, as for class ids; else sets are
            accepted too

    Raises:
        TypeError: if it is a string or not a list, or contains anything but strings
        ValueError: if it is empty, a name is blank, or two names are equal except for
            surrounding spaces

    Example:
        >>> check(("cat", "dog"))
        ['cat', 'dog']
        >>> check("dog")
        Traceback (most recent call last):
        TypeError: classes must be a list of names, got 'dog'; write ['dog']
    """
    if isinstance(names, str):
        raise TypeError(
            f"{argument} must be a list of names, got {names!r}; write [{names!r}]"
        )
    if isinstance(names, bytes | Mapping) or not isinstance(names, Iterable):
        raise TypeError(f"{argument} must be a list of names, got {names!r}")
    if ordered and isinstance(names, set | frozenset):
        raise TypeError(
            f"{argument} must be a list of names, because the order matters; got a set"
        )
    found = list(names)
    if others := [one for one in found if not isinstance(one, str)]:
        listed = ", ".join(map(repr, others))
        raise TypeError(f"{argument} must be strings, got {listed}")
    found = [str(one) for one in found]  # NumPy's strings are not JSON
    if not found:
        raise ValueError(f"{argument} must name at least one class, got none")
    _check_distinct(found, argument)
    return found


def _check_distinct(names: list[str], argument: str) -> None:
    """Raises a ValueError if a name is blank, or two can't be distinguished."""
    blank = [name for name in names if not name.strip()]
    if blank:
        raise ValueError(f"{argument} must not be blank, got {blank[0]!r}")
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise ValueError(f"{argument} must differ, got {', '.join(repeated)} twice")
    first: dict[str, str] = {}
    for name in names:
        twin = first.setdefault(name.strip(), name)
        if twin != name:
            raise ValueError(
                f"{argument} must differ in more than spaces, got {twin!r} and {name!r}"
            )
