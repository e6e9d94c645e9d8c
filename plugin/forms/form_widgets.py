"""Form inputs and messages shared by the operators."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.operators.types as types

from yolov1_fo.curation import label_status
from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.publishing.model_card import plain
from yolov1_fo.runs import registry

from . import messages, run_labels

T = TypeVar("T")
VIEW_TARGET = "view_target"
"""FiftyOne's name of the input that `add_target` adds."""
NO_LABELS: Mapping[str, str] = {}
ENTER_NUMBER, ENTER_NAME = "enter a number", "enter a name"
NAME_RULE = "Use letters, digits and underscores"
"""Help text of names of runs and fields."""


def add_target(
    ctx: Any,
    form: types.Object,
    action: str,
    check_samples: Callable[[Any], Any] = checks.check_images,
) -> Any:
    """Adds the choice of dataset or view; returns the samples, or None if invalid.

    Args:
        ctx: the operator's execution context
        form: the operator's form
        action: what the operator does with the samples, such as "Train on"
        check_samples: raises an error if the samples are unsuitable
    """
    form.view_target(ctx, action_description=action)
    samples = ctx.target_view(require_flat=True)
    return samples if check(form, lambda: check_samples(samples)) else None


def check(form: types.Object, run_checks: Callable[[], Any]) -> bool:
    """Runs checks of the library and shows their error message in the form.

    Args:
        form: the operator's form; an error makes it invalid
        run_checks: raises an error if an input is invalid

    Returns:
        whether all inputs are valid
    """
    _, error = attempt(run_checks)
    if error:
        show_error(form, error)
    return not error


def attempt(run: Callable[[], T]) -> tuple[T | None, str]:
    """Returns a result of the library, and its error message if it raises one.

    Args:
        run: returns the result, or raises an error if an input is invalid
    """
    try:
        return run(), ""
    except (ImportError, ValueError, TypeError, OSError) as error:
        return None, str(error)


def show_error(
    form: types.Object, message: str, labels: Mapping[str, str] = NO_LABELS
) -> None:
    """Shows an error message and disables execution.

    It appears below the input whose name it begins with, also as in `engine='ray'`. If
    that input is hidden, it comes first; if it begins with another word, last.

    Args:
        form: the operator's form
        message: of the library; labels replace the names of arguments
        labels (none): of inputs that are not in the form
    """
    text = messages.for_app(message, {**labels, **messages.labels_of(form)})
    text = f"{text[:1].upper()}{text[1:]}"
    name, names = re.split("[ =]", message)[0], list(form.properties)
    is_hidden = name in labels and name not in names
    if is_hidden:
        text += " (among the advanced settings)"
    error = form.view("error", types.Error(label=plain(text)))
    error.invalid = True
    error.error_message = text
    following: list[str] = []
    if is_hidden:
        following = [one for one in names if one != VIEW_TARGET]
    elif name in names:
        following = names[names.index(name) + 1 :]
    for one in following:
        form.properties[one] = form.properties.pop(one)  # moves it to the end


def check_filled(params: Mapping[str, Any], needed: Mapping[str, str]) -> None:
    """Raises a ValueError if an input was emptied.

    Args:
        params: the inputs; those that are missing have not been touched
        needed: what to do, such as "enter a number", by name
    """
    for name, what in needed.items():
        if name in params and params[name] in (None, ""):
            raise ValueError(f"{name} is empty; {what}")


def detection_fields(samples: Any, form: types.Object, least: int = 1) -> list[str]:
    """Returns the Detections fields; shows an error and returns [] if too few.

    Those that a model has written, and suggestions, are the last.

    Args:
        samples: the target
        form: the operator's form
        least (1): number of fields that are required
    """
    schema = samples.get_field_schema(
        ftype=fof.EmbeddedDocumentField, embedded_doc_type=fol.Detections
    )
    if len(schema) >= least:
        labels = label_status.label_fields(fiftyone_private.root_dataset(samples))
        return sorted(schema, key=lambda field: (field not in labels, field))
    needed = "a Detections field" if least == 1 else f"{least} Detections fields"
    found = ", ".join(schema) or "none"
    show_error(form, f"{fo_samples.name(samples)} needs {needed}, got {found}")
    return []


def add_notice(
    form: types.Object, name: str, text: str, *, is_warning: bool = False
) -> None:
    """Adds a line of text.

    Args:
        form: the operator's form
        name: the property's name
        text: the line
        is_warning (False): whether to show it as a warning
    """
    view = types.Warning if is_warning else types.Notice
    form.view(name, view(label=plain(text)))


def add_classes(
    form: types.Object, name: str, classes: list[str], description: str
) -> None:
    """Adds the choice of several classes.

    Args:
        form: the operator's form
        name: the input's name
        classes: the classes to choose from
        description: help text
    """
    form.list(
        name,
        types.String(),
        label="Classes",
        description=description,
        view=types.AutocompleteView(
            choices=[types.Choice(one) for one in classes], allow_user_input=False
        ),
    )


def add_dropdown(
    form: types.Object,
    name: str,
    choices: dict[str, str] | list[str],
    *,
    label: str,
    description: str = "",
    default: str | None = None,
    params: Mapping[str, Any] | None = None,
) -> str:
    """Adds a dropdown; returns its value.

    The App replaces the value of an untouched input when its default changes, so the
    default is the value that the form has, once it has one.

    Args:
        form: the operator's form
        name: the input's name
        choices: values, or values with their labels; the label of the empty value is
            shown in gray
        label: the input's label
        description: help text
        default (the first): default value; ignored if it is not among the choices
        params (None): the inputs so far
    """
    labels = (
        choices if isinstance(choices, dict) else {value: value for value in choices}
    )
    view = types.DropdownView(placeholder=labels.get(""))
    for value, text in labels.items():
        view.add_choice(value, label=text)
    current = (params or {}).get(name)
    if isinstance(current, str) and current in labels:
        default = current
    selected = default if default in labels else next(iter(labels), "")
    form.enum(
        name,
        list(labels),
        label=label,
        description=description,
        default=selected,
        view=view,
    )
    return selected


def add_run(
    form: types.Object,
    dataset: Any,
    is_choice: Callable[[str], bool],
    error: str,
    *,
    params: Mapping[str, Any] | None = None,
    default: str | None = None,
) -> str:
    """Adds the choice of a run; returns its value, empty if there is none.

    Args:
        form: the operator's form
        dataset: the dataset with the runs
        is_choice: returns whether a run key may be chosen
        error: the message if there is no such run
        params (None): the inputs so far; the choice stays when other runs finish
        default (the newest): run key
    """
    keys = [key for key in registry.newest_first(dataset) if is_choice(key)]
    if not keys:
        show_error(form, error)
        return ""
    labels = run_labels.of_runs(dataset, keys)
    return add_dropdown(
        form, "run_key", labels, label="Run", default=default, params=params
    )
