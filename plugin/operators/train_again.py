"""Opens the form of Train YOLOv1, filled in to continue from the newest run."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from ..forms import continued_run


class TrainAgain(foo.Operator):
    """Trains from the newest run, on its splits, with the labels as they are now.

    The form of Train YOLOv1 says what has changed since, and leaves out samples without
    labels.
    """

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="train_again",
            label="Train YOLOv1 again",
            description="Train again from a run, with the labels as they are now",
            icon="replay",
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Opens the form of Train YOLOv1."""
        params = continued_run.inputs(ctx.dataset, ctx.params.get("run_key"))
        ctx.prompt(continued_run.TRAIN, params=params)
        return params

    def __call__(self, dataset: Any, run_key: str | None = None) -> Any:
        """Returns the inputs of Train YOLOv1 that continue from a run.

        `yolov1_fo.train(..., weights=run_key)` trains from Python.

        Args:
            dataset: the dataset
            run_key (None): of the run; the newest if None
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"run_key": run_key}
        )
