"""The App's view of the predictions from a confidence on."""

from typing import Any

import fiftyone as fo

from yolov1_fo.boxes import Array
from yolov1_fo.curation import suggestion_field
from yolov1_fo.datasets import checks, predicted_by, schema
from yolov1_fo.evaluation import confidence_filter, shown_predictions
from yolov1_fo.evaluation.shown_predictions import Advice

from . import dataset_values

PATCHES = (
    "the current view has no field '{}' of whole samples; close the patches or clips "
    "to filter it"
)


def current(ctx: Any) -> Any:
    """Returns the App's view, with the filters of the sidebar as stages.

    The App resets these filters whenever it gets another view.
    """
    return ctx.view


def has_field(view: Any, field: str) -> bool:
    """Returns whether a view has a field of Detections, and not its patches."""
    try:
        checks.check_detections(view, field, "field")
    except ValueError:
        return False
    return True


def show(ctx: Any, field: str, lowest: float) -> None:
    """Restricts the App's view to the predictions of at least a confidence.

    Raises:
        ValueError: if the view shows no whole samples
    """
    ctx.ops.set_view(restricted(current(ctx), field, lowest))


def restricted(view: Any, field: str, lowest: float) -> Any:
    """Returns a view of the predictions of at least a confidence.

    Raises:
        ValueError: if the view shows no whole samples
    """
    if not has_field(view, field):
        raise ValueError(PATCHES.format(field))
    return confidence_filter.replace(view, field, lowest)


def show_all(ctx: Any, field: str) -> None:
    """Restores what the App showed before `show`."""
    view = confidence_filter.without(current(ctx), field)
    if view == ctx.dataset.view():
        ctx.ops.clear_view()
    else:
        ctx.ops.set_view(view)


def fields(dataset: fo.Dataset) -> list[str]:
    """Returns the fields of predictions; of videos, their frames'.

    They have confidences, or a model of ours has written them and found nothing.
    Suggestions are the last.
    """
    found = sorted(
        schema.detections_fields(dataset),
        key=lambda field: suggestion_field.gt_field_of(field) is not None,
    )
    counts = dataset_values.counts(
        dataset, [f"{field}.detections.confidence" for field in found]
    )
    return [
        field
        for field, count in zip(found, counts, strict=True)
        if count or predicted_by.read(dataset, field)
    ]


def confidences(view: Any, field: str) -> Array:
    """Returns the confidences of a field in ascending order, shown or not: (K,)."""
    whole = confidence_filter.without(view, field)
    return shown_predictions.confidences(whole, field)


def line(view: Any, field: str, advice: Advice, scores: Array) -> str:
    """Returns in one line how many predictions a view shows, and why.

    Args:
        view: the App's
        field: of predictions
        advice: of the field
        scores: of `confidences`
    """
    lowest = confidence_filter.lowest(view, field)
    shown = len(scores) if lowest is None else shown_predictions.count(scores, lowest)
    return shown_predictions.describe(shown, len(scores), lowest, advice)
