"""Inputs that the forms of the circle of labels share."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.curation import label_status
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.runs import ranking

from ..names import GT_FIELD, NO_MODEL
from . import form_widgets, model_inputs, run_labels


def add_gt_field(
    form: types.Object,
    samples: Any,
    params: Mapping[str, Any],
    *,
    exists: bool = True,
) -> str:
    """Adds the choice of the field of labels; returns the chosen one.

    If the input was emptied, an error is shown and the result is empty.

    Args:
        form: the operator's form
        samples: the target
        params: the inputs so far
        exists (True): whether the field must exist; if none does, an error is shown and
            the result is empty
    """
    fields = label_status.label_fields(fiftyone_private.root_dataset(samples))
    if exists:
        if not fields:
            form_widgets.show_error(form, "No field of labels (Detections)")
            return ""
        default = form_widgets.add_dropdown(
            form, "gt_field", fields, label="Ground truth field", default=GT_FIELD
        )
        return str(params.get("gt_field") or default)
    view = types.AutocompleteView(allow_user_input=True)
    for field in fields:
        view.add_choice(field, label=field)
    default = GT_FIELD if GT_FIELD in fields or not fields else fields[0]
    form.str(
        "gt_field",
        label="Ground truth field",
        description="Samples whose value is empty are not labeled yet",
        default=default,
        view=view,
    )
    needed = {"gt_field": form_widgets.ENTER_NAME}
    if not form_widgets.check(form, lambda: form_widgets.check_filled(params, needed)):
        return ""
    return str(params.get("gt_field") or default)


def add_model(form: types.Object, dataset: Any, params: Mapping[str, Any]) -> str:
    """Adds the choice of a model; returns the chosen one.

    Without any, an error is shown and the result is empty.

    Args:
        form: the operator's form
        dataset: with the runs
        params: the inputs so far
    """
    model = model_inputs.add_model(form, dataset, params)
    if not model:
        form_widgets.show_error(form, NO_MODEL)
    return model


def has_model(dataset: Any) -> bool:
    """Returns whether there is a detector, trained or published."""
    return bool(run_labels.models(dataset, ranking.detectors(dataset)))
