"""Lists of class names: one rule for each place where a caller gives one."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any


def check(names: Any, argument: str = "classes", *, ordered: bool = True) -> list[str]:
    """Returns class names as a list of strings.

    Lists, tuples, arrays and whatever else yields names in an order are taken.

    Args:
        names: as the caller gave them
        argument ("classes"): how the caller calls them
        ordered (True): whether the order says which class has which id; else sets are
            taken too

    Raises:
        TypeError: if it is a string or no list, or a name is no string
        ValueError: if it is empty, a name is blank, or two are the same but for spaces

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
            f"{argument} must be a list of names, for their order counts; got a set"
        )
    found = list(names)
    if others := [one for one in found if not isinstance(one, str)]:
        said = ", ".join(map(repr, others))
        raise TypeError(f"{argument} must be strings, got {said}")
    found = [str(one) for one in found]  # NumPy's strings are others in JSON
    if not found:
        raise ValueError(f"{argument} must name at least one class, got none")
    _check_alike(found, argument)
    return found


def _check_alike(names: list[str], argument: str) -> None:
    """Raises a ValueError if a name is blank, or two can't be told apart."""
    blank = [name for name in names if not name.strip()]
    if blank:
        raise ValueError(f"{argument} must not be blank, got {blank[0]!r}")
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise ValueError(f"{argument} must differ, got {', '.join(twice)} twice")
    first: dict[str, str] = {}
    for name in names:
        twin = first.setdefault(name.strip(), name)
        if twin != name:
            raise ValueError(
                f"{argument} must differ in more than spaces, got {twin!r} and {name!r}"
            )
