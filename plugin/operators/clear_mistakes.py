"""Deletes what Find label mistakes has written; labels are not changed."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.curation import label_status, mistake_fields
from yolov1_fo.curation.mistake_fields import MISTAKE_FIELD

from ..forms import form_widgets


class ClearMistakes(foo.Operator):
    """Deletes the attributes, fields and saved views of a search for mistakes."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="clear_mistakes",
            label="Clear YOLOv1 label mistakes",
            description="Delete the attributes and views of found mistakes",
            icon="layers_clear",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: which search."""
        form = types.Object()
        names = [found.name for found in label_status.mistakes(ctx.dataset)]
        if not names:
            form_widgets.show_error(form, "No mistakes to clear")
        else:
            default = form_widgets.add_dropdown(
                form, "mistake_field", names, label="Name"
            )
            name = ctx.params.get("mistake_field") or default
            text = (
                f"Deletes the attributes '{name}' and '{name}_score', and the saved "
                f"views '{name}:...'. Labels are not changed"
            )
            form_widgets.add_notice(form, "what", text)
        return types.Property(form, view=types.View(label="Clear label mistakes"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Deletes them; a view that shows them is left."""
        name = ctx.params.get("mistake_field") or MISTAKE_FIELD
        mistake_fields.clear(ctx.dataset, name)
        ctx.ops.set_view(ctx.dataset.view())
        ctx.ops.reload_dataset()
        return {"mistake_field": name}

    def __call__(self, dataset: Any, mistake_field: str = MISTAKE_FIELD) -> Any:
        """Deletes them from Python; returns the operator's result.

        Args:
            dataset: the dataset
            mistake_field ("mistake"): name of the search
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"mistake_field": mistake_field},
        )
