"""Keeps a note on a training run."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import run_edits
from yolov1_fo.runs import records, registry

from ..forms import form_widgets

LINES = 4
"""Height of the input."""


class EditNote(foo.Operator):
    """Keeps a note on a run, which the runs panel shows."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="edit_note",
            label="Edit note of YOLOv1 run",
            description="Keep a note on a training run",
            icon="sticky_note_2",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run and its note."""
        form = types.Object()

        def is_any(key: str) -> bool:
            return True

        run_key = form_widgets.add_run(
            *(form, ctx.dataset, is_any, "No training runs yet"), params=ctx.params
        )
        if run_key:
            form.str(
                "note",
                label="Note",
                description="An empty note removes it",
                default=_note(ctx.dataset, run_key),
                view=types.FieldView(multiline=True, rows=LINES),
            )
        return types.Property(form, view=types.View(label="Note of YOLOv1 run"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Keeps the note."""
        run_key, note = ctx.params.get("run_key", ""), ctx.params.get("note") or ""
        run_edits.set_note(ctx.dataset, run_key, note)
        return {"run_key": run_key, "note": note}

    def __call__(self, dataset: Any, run_key: str, note: str) -> Any:
        """Keeps a note from Python.

        Args:
            dataset: the dataset with the run
            run_key: name of the run
            note: its text; empty removes it
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"run_key": run_key, "note": note},
        )


def _note(dataset: Any, run_key: str | None) -> str:
    """Returns the note of a run; empty without one."""
    if not run_key or not registry.exists(dataset, run_key):
        return ""
    return records.note(dataset, run_key)
