"""Messages of the library as the App shows them: with the labels of the inputs."""

import re
from collections.abc import Mapping

import fiftyone.operators.types as types

_QUOTED = re.compile(r"""((?<!\w)'[^']*'|"[^"]*")""")
_WORD = re.compile(r"(?<![\w.])[A-Za-z]\w*(?![\w=(])")


def for_app(message: str, labels: Mapping[str, str]) -> str:
    """Returns a message with labels of inputs in place of the names of arguments.

    What is quoted stays as it is. Names that are words too, such as `data`, are only
    replaced at the beginning.

    Args:
        message: of the library
        labels: of the inputs, by name

    Example:
        >>> labels = {"image_size": "Image size", "model": "Model"}
        >>> for_app("image_size must be at least 32, got 'model'", labels)
        "Image size must be at least 32, got 'model'"
    """

    def replaced(match: re.Match[str]) -> str:
        name, is_first = match.group(), match.start() == 0
        if name not in labels or not (is_first or "_" in name or name.isupper()):
            return name
        label = labels[name]
        keeps_case = is_first or label[1:2].isupper()
        return label if keeps_case else label[0].lower() + label[1:]

    parts = _QUOTED.split(message)
    parts[0] = _WORD.sub(replaced, parts[0])
    rest = [f" {part}" for part in parts[2::2]]  # nothing there is at the beginning
    parts[2::2] = [_WORD.sub(replaced, part)[1:] for part in rest]
    return "".join(parts)


def labels_of(form: types.Object) -> dict[str, str]:
    """Returns the labels of a form's inputs, by name."""
    views = {name: one.view for name, one in form.properties.items()}
    return {name: view.label for name, view in views.items() if view and view.label}
