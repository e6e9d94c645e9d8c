"""Inputs that forms share."""

import re
from collections.abc import Callable
from typing import Any

import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.operators.types as types

from yolov1_fo.datasets import checks
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.publishing.model_card import plain
from yolov1_fo.runs import registry


def target(
    ctx: Any,
    form: types.Object,
    action: str,
    look: Callable[[Any], Any] = checks.check_images,
) -> Any:
    """Asks for the samples; returns them, or None if they do not fit.

    Args:
        ctx: of the operator
        form: of the operator
        action: what is done to them, as "Train on"
        look: checks them
    """
    form.view_target(ctx, action_description=action)
    samples = ctx.target_view(require_flat=True)
    return samples if check(form, lambda: look(samples)) else None


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
    """Shows an error line, and lets nothing be executed.

    The line stands below the input whose name it begins with, else below the form.
    """
    notice = form.view("error", types.Error(label=plain(line)))
    notice.invalid = True
    notice.error_message = line
    names = list(form.properties)
    named = line.partition(" ")[0]
    if named in names:
        last = names.index(named) + 1
        for name in names[last:-1]:
            form.properties[name] = form.properties.pop(name)  # goes behind it


def detection_fields(samples: Any, form: types.Object, least: int = 1) -> list[str]:
    """Returns the fields of Detections; says so and returns none if they are too few.

    Args:
        samples: the target
        form: of the operator
        least (1): so many are needed
    """
    schema = samples.get_field_schema(
        ftype=fof.EmbeddedDocumentField, embedded_doc_type=fol.Detections
    )
    if len(schema) >= least:
        return sorted(schema)
    needed = "a field" if least == 1 else f"{least} fields"
    has = ", ".join(schema) or "none"
    refuse(form, f"{fo_samples.name(samples)} needs {needed} of Detections, has {has}")
    return []


def say(form: types.Object, name: str, line: str, *, warns: bool = False) -> None:
    """Shows a line.

    Args:
        form: of the operator
        name: of the line
        line: its words
        warns (False): whether it asks for attention
    """
    form.view(name, (types.Warning if warns else types.Notice)(label=plain(line)))


def block(text: str) -> str:
    """Returns lines as a block of Markdown that shows them as they are.

    Example:
        >>> print(block("two   words"))
        ```
        two   words
        ```
    """
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def classes(form: types.Object, name: str, there: list[str], description: str) -> None:
    """Adds the choice of some classes.

    Args:
        form: of the operator
        name: of the parameter
        there: to choose from
        description: below it
    """
    form.list(
        name,
        types.String(),
        label="Classes",
        description=description,
        view=types.AutocompleteView(
            choices=[types.Choice(one) for one in there], allow_user_input=False
        ),
    )


def dropdown(
    form: types.Object,
    name: str,
    choices: dict[str, str] | list[str],
    *,
    label: str,
    description: str = "",
    default: str | None = None,
) -> str:
    """Adds a choice; returns the value that it proposes.

    Args:
        form: of the operator
        name: of the parameter
        choices: values, or values with their labels
        label: of the input
        description: below it
        default (the first): value
    """
    named = (
        choices if isinstance(choices, dict) else {value: value for value in choices}
    )
    view = types.DropdownView()
    for value, text in named.items():
        view.add_choice(value, label=text)
    proposed = default if default in named else next(iter(named), "")
    form.enum(
        name,
        list(named),
        label=label,
        description=description,
        default=proposed,
        view=view,
    )
    return proposed


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
    keys = [key for key in registry.newest(dataset) if fits(key)]
    if not keys:
        refuse(form, none)
        return False
    dropdown(form, "run_key", keys, label="Run")
    return True
