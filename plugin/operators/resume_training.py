"""Resumes a training that was stopped or has failed."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import launch

from .. import job_progress
from ..forms import form_widgets


class ResumeTraining(foo.Operator):
    """Resumes a run; the result is the same as without the interruption."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="resume_training",
            label="Resume YOLOv1 training",
            description="Continue a training that was stopped or has failed",
            icon="play_circle",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run."""
        form = types.Object()

        def is_resumable(key: str) -> bool:
            return launch.is_resumable(ctx.dataset, key)

        form_widgets.add_run(
            *(form, ctx.dataset, is_resumable, "No stopped or failed run of the App"),
            params=ctx.params,
        )
        return types.Property(form, view=types.View(label="Resume YOLOv1 training"))

    def execute(self, ctx: Any) -> Any:
        """Resumes the training and reports its progress."""
        dataset, run_key = ctx.dataset, ctx.params.get("run_key", "")
        return job_progress.run_job(ctx, lambda: launch.resume(dataset, run_key))

    def __call__(self, dataset: Any, run_key: str, *, delegate: bool = False) -> Any:
        """Resumes a run from Python; returns the operator's result.

        Args:
            dataset: the dataset with the run
            run_key: name of the run
            delegate (False): whether to queue a delegated operation
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"run_key": run_key},
            request_delegation=delegate,
        )
