"""Goes on with a training that was stopped or has failed."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import launch
from yolov1_fo.runs import registry

from .. import following, forms


class ResumeTraining(foo.Operator):
    """Goes on with a run, as if it had never stopped."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="resume_training",
            label="Resume YOLOv1 training",
            description="Go on with a training that was stopped or has failed",
            icon="play_circle",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which run."""
        form = types.Object()

        def can_go_on(key: str) -> bool:
            return registry.status(ctx.dataset, key) in ("stopped", "failed")

        forms.run(form, ctx.dataset, can_go_on, "no run of this dataset has stopped")
        return types.Property(form, view=types.View(label="Resume YOLOv1 training"))

    def execute(self, ctx: Any) -> Any:
        """Starts the training again, and follows it."""
        dataset, run_key = ctx.dataset, ctx.params.get("run_key", "")
        return following.follow(ctx, lambda: launch.resume(dataset, run_key))

    def __call__(self, dataset: Any, run_key: str, *, delegate: bool = False) -> Any:
        """Goes on with a run from Python; returns the operator's result.

        Args:
            dataset: that the run belongs to
            run_key: its name
            delegate (False): queues it for a delegated process
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"run_key": run_key},
            request_delegation=delegate,
        )
