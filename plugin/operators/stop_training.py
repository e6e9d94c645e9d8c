"""Stops a training, or another job of the dataset."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import Job

from .. import job_progress
from ..forms import form_widgets


class StopTraining(foo.Operator):
    """Stops a running job; a training keeps its last complete epoch."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="stop_training",
            label="Stop YOLOv1 job",
            description="Stop a job; a training keeps its last complete epoch",
            icon="stop_circle",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the job."""
        form = types.Object()
        targets = [job.target for job in _active(ctx.dataset)]
        if targets:
            form_widgets.add_dropdown(
                form,
                "target",
                targets,
                label="Job",
                description="A run, a predictions field, or an evaluation key",
                params=ctx.params,
            )
        else:
            form_widgets.show_error(form, "No jobs are running")
        return types.Property(form, view=types.View(label="Stop YOLOv1 job"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Stops the job."""
        target = ctx.params.get("target", "")
        for job in _active(ctx.dataset):
            if job.target == target:
                monitor.stop(job)
                return job_progress.job_result(job)
        raise ValueError(f"no running job '{target}'")

    def __call__(self, dataset: Any, target: str) -> Any:
        """Stops a job from Python; returns the operator's result.

        Args:
            dataset: the dataset of the job
            target: run key, predictions field, or evaluation key
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"target": target}
        )


def _active(dataset: Any) -> list[Job]:
    return [job for job in monitor.list_jobs(dataset) if job.progress.is_active]
