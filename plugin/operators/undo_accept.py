"""Takes back the labels that were accepted last."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config.plurals import counted
from yolov1_fo.curation import label_status, undoing
from yolov1_fo.curation.acceptance_updates import ACCEPTED_AT

from ..forms import form_widgets
from ..names import GT_FIELD


class UndoAccept(foo.Operator):
    """Takes back the labels of the last Accept; called again, those before."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="undo_accept",
            label="Undo accepted YOLOv1 labels",
            description="Take back the labels that were accepted last",
            icon="undo",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the field, and what is taken back."""
        form = types.Object()
        fields = _fields(ctx.dataset)
        if not fields:
            form_widgets.show_error(form, "No accepted labels")
        else:
            default = form_widgets.add_dropdown(
                form,
                "gt_field",
                fields,
                label="Ground truth field",
                default=GT_FIELD,
            )
            field = ctx.params.get("gt_field") or default
            form_widgets.check(form, lambda: _add_summary(form, ctx.dataset, field))
        return types.Property(form, view=types.View(label="Undo accepted labels"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Takes the labels back."""
        field = ctx.params.get("gt_field") or GT_FIELD
        undone = undoing.undo_accept(ctx.dataset, field)
        ctx.ops.notify(str(undone), variant="success")
        ctx.ops.reload_samples()
        return {**undone._asdict(), "line": str(undone)}

    def __call__(self, dataset: Any, gt_field: str = GT_FIELD) -> Any:
        """Takes the labels back from Python; returns the operator's result.

        Args:
            dataset: the dataset
            gt_field ("ground_truth"): the labels
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"gt_field": gt_field}
        )


def _fields(dataset: Any) -> list[str]:
    """Returns the fields of labels in which some were accepted."""
    return [
        field
        for field in label_status.label_fields(dataset)
        if dataset.has_field(f"{field}.detections.{ACCEPTED_AT}")
        and dataset.count(f"{field}.detections.{ACCEPTED_AT}")
    ]


def _add_summary(form: types.Object, dataset: Any, field: str) -> None:
    last = undoing.last_accepted(dataset, field)
    time = last.accepted_at.partition(".")[0]
    text = f"Takes back {counted(last.labels, 'label')} accepted at {time} UTC"
    if last.kept:
        verb = "is" if last.kept == 1 else "are"
        text += f". {counted(last.kept, 'edited label')} {verb} kept"
    form_widgets.add_notice(form, "what", text)
