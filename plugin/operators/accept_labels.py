"""Accepts suggestions, and predictions of missing objects, as labels."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import arguments
from yolov1_fo.config.plurals import counted
from yolov1_fo.curation import acceptance

from ..forms import acceptance_choice, form_widgets
from ..forms.acceptance_choice import Origin

NOTHING = (
    "Nothing to accept; run 'Suggest labels with YOLOv1' or 'Find label mistakes with "
    "YOLOv1' first"
)


class AcceptLabels(foo.Operator):
    """Moves suggestions into the labels; existing labels are never changed."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="accept_labels",
            label="Accept YOLOv1 labels",
            description="Add suggestions or missing objects to the ground truth",
            icon="task_alt",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: from which field, and which labels."""
        form = types.Object()
        found = acceptance_choice.origins(ctx.dataset)
        if found:
            self._add_inputs(ctx, form, found)
        else:
            form_widgets.show_error(form, NOTHING)
        return types.Property(form, view=types.View(label="Accept YOLOv1 labels"))

    def _add_inputs(
        self, ctx: Any, form: types.Object, found: dict[str, Origin]
    ) -> None:
        field = form_widgets.add_dropdown(
            form,
            "field",
            {name: one.label for name, one in found.items()},
            label="Accept",
            default=acceptance_choice.default_field(ctx, found),
        )
        origin = found[ctx.params.get("field") or field]
        choices = acceptance_choice.choices(ctx, origin.field)
        default = form_widgets.add_dropdown(
            form, "chosen", choices, label="Labels to accept"
        )
        form.float(
            "min_confidence",
            label="Minimum confidence",
            default=0.0,
            min=0.0,
            max=1.0,
        )
        if not form_widgets.check(form, lambda: _check(ctx.params)):
            return
        chosen = ctx.params.get("chosen")
        labels = acceptance_choice.find(
            ctx,
            origin,
            chosen if chosen in choices else default,
            ctx.params.get("min_confidence") or 0.0,
        )
        if not labels.label_ids:
            text = f"{origin.label}: nothing to accept in this selection"
            form_widgets.show_error(form, text)
            return
        text = (
            f"Will add {counted(len(labels.label_ids), 'label')} to "
            f"{counted(labels.samples, 'sample')}, in '{origin.gt_field}'. No label is "
            "changed; 'Undo accepted YOLOv1 labels' takes them back"
        )
        form_widgets.add_notice(form, "what", text)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Accepts the labels."""
        found = acceptance_choice.origins(ctx.dataset)
        if not found:
            raise ValueError(NOTHING)
        field = ctx.params.get("field") or acceptance_choice.default_field(ctx, found)
        origin = found[field]
        chosen = ctx.params.get("chosen")
        if not chosen:
            chosen = next(iter(acceptance_choice.choices(ctx, field)))
        labels = acceptance_choice.find(
            ctx, origin, chosen, ctx.params.get("min_confidence") or 0.0
        )
        is_new = not ctx.dataset.has_field(origin.gt_field)
        accepted = acceptance.accept(
            ctx.dataset, origin.gt_field, label_ids=labels.label_ids, field=field
        )
        ctx.ops.clear_selected_labels()
        _show(ctx, str(accepted), is_new=is_new)
        return {**accepted._asdict(), "line": str(accepted)}

    def __call__(self, dataset: Any, field: str, chosen: str = "dataset") -> Any:
        """Accepts labels from Python; returns the operator's result.

        `yolov1_fo.accept` does the same with more choices.

        Args:
            dataset: the dataset
            field: that holds the labels to accept
            chosen ("dataset"): or view, samples or labels, of the context
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"field": field, "chosen": chosen},
        )


def _check(params: dict[str, Any]) -> None:
    """Raises a ValueError if the minimum confidence is empty or out of range."""
    form_widgets.check_filled(params, {"min_confidence": form_widgets.ENTER_NUMBER})
    arguments.check_number("min_confidence", params.get("min_confidence", 0.0), 0, 1)


def _show(ctx: Any, line: str, *, is_new: bool) -> None:
    """Shows a message, and the labels as they are now."""
    ctx.ops.notify(line, variant="success")
    if is_new:
        ctx.ops.reload_dataset()
    else:
        ctx.ops.reload_samples()
