"""Inputs that forms share."""

from collections.abc import Callable
from typing import Any

import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.operators.types as types

from yolov1_fo import runs

NO_FIELD = "this dataset has no field of Detections"


def check(form: types.Object, look: Callable[[], Any]) -> bool:
    """Shows the library's own error line, if it has one.

    Args:
        form: gets an invalid property then
        look: checks what was filled in

    Returns:
        whether all is well
    """
    try:
        look()
    except (ValueError, TypeError, OSError) as error:
        refuse(form, str(error))
        return False
    return True


def refuse(form: types.Object, line: str) -> None:
    """Shows an error line, and lets nothing be executed."""
    notice = form.view("error", types.Error(label=line))
    notice.invalid = True
    notice.error_message = line


def detection_fields(samples: Any) -> list[str]:
    """Returns the fields of Detections, from the schema alone."""
    schema = samples.get_field_schema(
        ftype=fof.EmbeddedDocumentField, embedded_doc_type=fol.Detections
    )
    return sorted(schema)


def dropdown(
    form: types.Object,
    name: str,
    choices: dict[str, str] | list[str],
    *,
    label: str,
    description: str = "",
    default: str | None = None,
    required: bool = True,
) -> None:
    """Adds a choice.

    Args:
        form: of the operator
        name: of the parameter
        choices: values, or values with their labels
        label: of the input
        description: below it
        default (the first): value
        required (True): whether one must be chosen
    """
    named = (
        choices if isinstance(choices, dict) else {value: value for value in choices}
    )
    view = types.DropdownView()
    for value, text in named.items():
        view.add_choice(value, label=text)
    form.enum(
        name,
        list(named),
        label=label,
        description=description,
        default=default if default in named else next(iter(named), None),
        required=required,
        view=view,
    )


def run(
    form: types.Object, dataset: Any, fits: Callable[[str], bool], none: str
) -> bool:
    """Adds the choice of a run; says so if there is none.

    Args:
        form: of the operator
        dataset: whose runs
        fits: is asked for a run's key
        none: what to say if none fits
    """
    keys = [key for key in runs.keys(dataset) if fits(key)]
    if not keys:
        refuse(form, none)
        return False
    dropdown(form, "run_key", keys[::-1], label="Run")
    return True
