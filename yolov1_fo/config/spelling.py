"""Checks of names: an unknown name is an error that suggests similar ones."""

import difflib
from collections.abc import Collection, Iterable

MIN_SIMILARITY = 0.65
"""Names are similar from this `difflib` ratio on."""
SYNONYMS = {
    "lr": "learning_rate",
    "lr0": "learning_rate",
    "imgsz": "image_size",
    "batch": "batch_size",
    "conf": "confidence_thresh",
    "iou": "iou_thresh",
    "max_det": "max_detections",
}
"""Names that other libraries have for settings, and ours."""
MAX_LISTED = 20
"""Longer lists of known names appear in an error only if there is no suggestion."""


def check_names(what: str, given: Iterable[object], known: Collection[str]) -> None:
    """Raises a ValueError in one line unless all names are known.

    Args:
        what: what they name, such as `setting` or `class`
        given: names from the caller
        known: allowed names

    Example:
        >>> check_names("setting", ["epoch"], ["epochs", "batch_size"])
        Traceback (most recent call last):
        ValueError: unknown setting epoch (did you mean epochs?); there are: epochs, batch_size
    """  # noqa: E501  # the message is one line
    unknown = [(name, suggestion(name, known)) for name in given if name not in known]
    if not unknown:
        return
    names = ", ".join(f"{_printable(name)}{similar}" for name, similar in unknown)
    is_listed = len(known) <= MAX_LISTED or not all(similar for _, similar in unknown)
    listed = f"; there are: {', '.join(known)}" if is_listed else ""
    raise ValueError(f"unknown {what} {names}{listed}")


def _printable(name: object) -> str:
    return str(name) if str(name).isprintable() else repr(name)


def check_choice(what: str, value: object, choices: Collection[str]) -> None:
    """Raises a ValueError in one line unless a value is one of the choices.

    Args:
        what: name of the argument
        value: its value
        choices: allowed values

    Example:
        >>> check_choice("format", "tflite", ("onnx", "litert"))
        Traceback (most recent call last):
        ValueError: format must be one of onnx, litert, got 'tflite' (did you mean litert?)
    """  # noqa: E501  # the message is one line
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{what} must be one of {', '.join(choices)}, got {value!r}"
            f"{suggestion(value, choices)}"
        )


def suggestion(name: object, known: Iterable[str]) -> str:
    """Returns ` (did you mean ...?)`, or an empty string if no name is similar.

    Example:
        >>> suggestion("Adam", ("sgd", "adam"))
        ' (did you mean adam?)'
        >>> suggestion("rmsprop", ("sgd", "adam"))
        ''
    """
    similar = nearest(name, known)
    return f" (did you mean {' or '.join(similar)}?)" if similar else ""


def nearest(name: object, known: Iterable[str], limit: int = 3) -> list[str]:
    """Returns the most similar known names, the best first.

    They are spelled similarly, in upper or lower case, or contain the name.

    Args:
        name: from the caller
        known: allowed names
        limit (3): largest number of names to return
    """
    if not isinstance(name, str):
        return []
    wanted, known = name.casefold(), [*known]
    if SYNONYMS.get(wanted) in known:
        return [SYNONYMS[wanted]]
    folded: dict[str, str] = {}
    for one in known:
        folded.setdefault(one.casefold(), one)
    similar = difflib.get_close_matches(wanted, folded, limit, MIN_SIMILARITY)
    if len(wanted) > 2:
        similar += [one for one in folded if wanted in one and one not in similar]
    return [folded[one] for one in similar[:limit]]
