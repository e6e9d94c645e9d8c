"""Deletes a run and the files that belong to it."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.runs import deletion, registry

from .. import form_widgets


class DeleteRun(foo.Operator):
    """Deletes a training run and its checkpoints."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="delete_run",
            label="Delete YOLOv1 run",
            description="Delete a training run and its checkpoints",
            icon="delete",
            dynamic=True,
            risk_level=types.RiskLevel.DANGEROUS,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run."""
        form = types.Object()

        def is_idle(key: str) -> bool:
            return registry.status(ctx.dataset, key) != "running"

        form_widgets.add_run(form, ctx.dataset, is_idle, "No run that can be deleted")
        return types.Property(form, view=types.View(label="Delete YOLOv1 run"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Deletes the run."""
        run_key = ctx.params.get("run_key", "")
        return {
            "run_key": run_key,
            "message": deletion.delete_run(ctx.dataset, run_key),
        }

    def resolve_output(self, ctx: Any) -> types.Property:
        """Returns the output: the run's name and what happened to its files."""
        form = types.Object()
        form.str("run_key", label="Deleted run")
        form.str("message", label="Files")
        return types.Property(form)

    def __call__(self, dataset: Any, run_key: str) -> Any:
        """Deletes a run from Python.

        Args:
            dataset: the dataset with the run
            run_key: name of the run
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"run_key": run_key}
        )
