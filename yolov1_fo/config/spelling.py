"""Names that a caller gives: refused if unknown, with those that were likely meant."""

import difflib
from collections.abc import Collection, Iterable

LIKE = 0.65
"""How alike two names must be, as `difflib` measures it, for one to mean the other."""
FEW = 20
"""So many names are listed in an error even where one of them was likely meant."""


def check(what: str, given: Iterable[object], known: Collection[str]) -> None:
    """Raises a ValueError in one line if a name is not known.

    Args:
        what: they name, as `setting` or `class`
        given: as the caller wrote them
        known: names that there are; listed if they are few, or none was likely meant

    Example:
        >>> check("setting", ["epoch"], ["epochs", "batch_size"])
        Traceback (most recent call last):
        ValueError: unknown setting epoch (did you mean epochs?); there are: epochs, batch_size
    """  # noqa: E501  # the line is the message
    unknown = [(name, suggestion(name, known)) for name in given if name not in known]
    if not unknown:
        return
    said = ", ".join(f"{_shown(name)}{near}" for name, near in unknown)
    listed = len(known) <= FEW or not all(near for _, near in unknown)
    there = f"; there are: {', '.join(known)}" if listed else ""
    raise ValueError(f"unknown {what} {said}{there}")


def _shown(name: object) -> str:
    """Returns a name as a line can show it."""
    return str(name) if str(name).isprintable() else repr(name)


def check_choice(what: str, value: object, choices: Collection[str]) -> None:
    """Raises a ValueError in one line if a value is none of the choices.

    Args:
        what: it is, as the caller calls it
        value: as the caller wrote it
        choices: that there are

    Example:
        >>> check_choice("format", "tflite", ("onnx", "litert"))
        Traceback (most recent call last):
        ValueError: format must be one of onnx, litert, got 'tflite' (did you mean litert?)
    """  # noqa: E501  # the line is the message
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{what} must be one of {', '.join(choices)}, got {value!r}"
            f"{suggestion(value, choices)}"
        )


def suggestion(name: object, known: Iterable[str]) -> str:
    """Returns `(did you mean ...?)` behind a space; nothing if no name is near.

    Near is what is spelled alike, in whatever case, and what contains the name.

    Example:
        >>> suggestion("Adam", ("sgd", "adam"))
        ' (did you mean adam?)'
        >>> suggestion("rmsprop", ("sgd", "adam"))
        ''
    """
    near = nearest(name, known)
    return f" (did you mean {' or '.join(near)}?)" if near else ""


def nearest(name: object, known: Iterable[str], most: int = 3) -> list[str]:
    """Returns the known names that were likely meant, the most likely first.

    Args:
        name: as the caller wrote it
        known: names that there are
        most (3): so many at most
    """
    if not isinstance(name, str):
        return []
    wanted = name.casefold()
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.casefold(), one)
    alike = difflib.get_close_matches(wanted, folded, most, LIKE)
    if len(wanted) > 2:
        alike += [one for one in folded if wanted in one and one not in alike]
    return [folded[one] for one in alike[:most]]
