"""Gives a training run another name."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import run_edits
from yolov1_fo.runs import registry

from ..forms import form_widgets


class RenameRun(foo.Operator):
    """Renames a run; its folder keeps its name."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="rename_run",
            label="Rename YOLOv1 run",
            description="Give a training run another name",
            icon="edit",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run and its new name."""
        form = types.Object()

        def is_idle(key: str) -> bool:
            return registry.status(ctx.dataset, key) != "running"

        run_key = form_widgets.add_run(
            *(form, ctx.dataset, is_idle, "No run can be renamed"), params=ctx.params
        )
        if run_key:
            form.str(
                "new_key",
                label="New name",
                description=form_widgets.NAME_RULE,
                required=True,
            )
            if new_key := ctx.params.get("new_key"):
                form_widgets.check(
                    form, lambda: run_edits.check_rename(ctx.dataset, run_key, new_key)
                )
        return types.Property(form, view=types.View(label="Rename YOLOv1 run"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Renames the run."""
        run_key, new_key = (ctx.params.get(one, "") for one in ("run_key", "new_key"))
        run_edits.rename(ctx.dataset, run_key, new_key)
        return {"run_key": new_key}

    def __call__(self, dataset: Any, run_key: str, new_key: str) -> Any:
        """Renames a run from Python.

        Args:
            dataset: the dataset with the run
            run_key: name of the run
            new_key: its new name
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"run_key": run_key, "new_key": new_key},
        )
