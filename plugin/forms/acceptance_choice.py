"""What the form of Accept labels offers: selected labels, selected samples, a view."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import fiftyone.core.patches as fop

from yolov1_fo.curation import acceptable, label_status
from yolov1_fo.curation.acceptable import Acceptable

LABELS, SAMPLES, VIEW, DATASET = "labels", "samples", "view", "dataset"


class Origin(NamedTuple):
    """A field that labels can be accepted from.

    Attributes:
        gt_field: that they are accepted into
        field: that holds them
        label: its name in the form
        mistake_field: attribute of missing objects; None for suggestions
    """

    gt_field: str
    field: str
    label: str
    mistake_field: str | None = None


def origins(dataset: Any, gt_field: str | None = None) -> dict[str, Origin]:
    """Returns the fields that labels can be accepted from, by name.

    Args:
        dataset: with the suggestions and mistakes
        gt_field (None): only those for this field of labels
    """
    found = {
        one.field: Origin(one.gt_field, one.field, f"Suggestions in '{one.field}'")
        for one in label_status.suggestions(dataset)
    }
    for one in label_status.mistakes(dataset):
        label = f"Missing objects in '{one.pred_field}'"
        origin = Origin(one.gt_field, one.pred_field, label, one.name)
        found.setdefault(one.pred_field, origin)
    return {
        name: one for name, one in found.items() if gt_field in (None, one.gt_field)
    }


def default_field(ctx: Any, found: Mapping[str, Origin]) -> str:
    """Returns the field of the selected labels, else the first."""
    selected = [one["field"] for one in ctx.selected_labels if one["field"] in found]
    return selected[0] if selected else next(iter(found))


def choices(ctx: Any, field: str) -> dict[str, str]:
    """Returns what can be accepted, the narrowest first, each with its label."""
    labels, samples = _selected_labels(ctx, field), ctx.selected
    found = {}
    if labels:
        found[LABELS] = f"Selected labels ({len(labels)})"
    if samples and not _is_patches(ctx.view):
        found[SAMPLES] = f"Selected samples ({len(samples)})"
    if ctx.has_custom_view:
        found[VIEW] = "Current view"
    return {**found, DATASET: "All samples"}


def find(
    ctx: Any, origin: Origin, chosen: str, min_confidence: float = 0.0
) -> Acceptable:
    """Returns the labels that will be accepted.

    Args:
        ctx: the operator's execution context
        origin: where they come from
        chosen: one of `choices`
        min_confidence (0.0): only those of at least this confidence
    """
    samples, label_ids = ctx.dataset, None
    if chosen == LABELS:
        label_ids = _selected_labels(ctx, origin.field)
    elif chosen == SAMPLES:
        samples = ctx.dataset.select(ctx.selected)
    elif chosen == VIEW and _is_patches(ctx.view):
        label_ids = ctx.view.values(f"{origin.field}.id")
    elif chosen == VIEW:
        samples = ctx.view
    return acceptable.find(
        samples,
        origin.gt_field,
        origin.field,
        mistake_field=None if chosen == LABELS else origin.mistake_field,
        label_ids=label_ids,
        min_confidence=min_confidence,
    )


def _selected_labels(ctx: Any, field: str) -> list[str]:
    """Returns the ids of the selected labels of a field; patches are labels too."""
    found = [one["label_id"] for one in ctx.selected_labels if one["field"] == field]
    if not found and _is_patches(ctx.view) and ctx.view.has_field(field):
        found = list(ctx.selected)
    return found


def _is_patches(view: Any) -> bool:
    return isinstance(view, fop.PatchesView)
