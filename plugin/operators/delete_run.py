"""Deletes a run with the files that are its own."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.runs import registry

from .. import forms


class DeleteRun(foo.Operator):
    """Deletes a training run with its checkpoints."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="delete_run",
            label="Delete YOLOv1 run",
            description="Delete a training run with its checkpoints",
            icon="delete",
            dynamic=True,
            risk_level=types.RiskLevel.DANGEROUS,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which run."""
        form = types.Object()

        def stands_still(key: str) -> bool:
            return registry.status(ctx.dataset, key) != "running"

        forms.run(
            form, ctx.dataset, stands_still, "no run of this dataset stands still"
        )
        return types.Property(form, view=types.View(label="Delete YOLOv1 run"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Deletes it."""
        run_key = ctx.params.get("run_key", "")
        return {"run_key": run_key, "said": registry.delete(ctx.dataset, run_key)}

    def resolve_output(self, ctx: Any) -> types.Property:
        """Says what is gone, and what stays."""
        form = types.Object()
        form.str("run_key", label="Deleted")
        form.str("said", label="What became of its files")
        return types.Property(form)

    def __call__(self, dataset: Any, run_key: str) -> Any:
        """Deletes a run from Python.

        Args:
            dataset: that it belongs to
            run_key: its name
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"run_key": run_key}
        )
