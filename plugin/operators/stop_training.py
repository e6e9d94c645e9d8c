"""Stops a training; its last whole epoch stays."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import control

from .. import following, forms


class StopTraining(foo.Operator):
    """Stops a job that goes on."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="stop_training",
            label="Stop YOLOv1 training",
            description="Stop a training; its last whole epoch stays",
            icon="stop_circle",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which job."""
        form = types.Object()
        active = [job.target for job in _active(ctx.dataset)]
        if active:
            forms.dropdown(form, "target", active, label="Run or field")
        else:
            forms.refuse(form, "nothing goes on for this dataset")
        return types.Property(form, view=types.View(label="Stop YOLOv1 training"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Stops it."""
        target = ctx.params.get("target", "")
        for job in _active(ctx.dataset):
            if job.target == target:
                control.stop(job)
                return following.said(job)
        raise ValueError(f"no job of '{target}' goes on")

    def __call__(self, dataset: Any, target: str) -> Any:
        """Stops a job from Python; returns the operator's result.

        Args:
            dataset: that it works on
            target: run key, or field that is written
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"target": target}
        )


def _active(dataset: Any) -> list[control.Job]:
    return [job for job in control.all_of(dataset) if job.progress.is_active]
