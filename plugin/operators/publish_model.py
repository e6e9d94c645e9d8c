"""Puts a run's best checkpoint into the local model zoo."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import registry

from .. import forms


class PublishModel(foo.Operator):
    """Publishes a trained model."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="publish_model",
            label="Publish YOLOv1 model",
            description="Put a trained model into FiftyOne's local model zoo",
            icon="publish",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which run, and for its name in the zoo."""
        form = types.Object()

        def is_trained(key: str) -> bool:
            return bool(registry.info(ctx.dataset, key).epoch)

        if forms.run(form, ctx.dataset, is_trained, "no run has a checkpoint yet"):
            form.str(
                "name",
                label="Name in the zoo",
                description="letters, digits, dots, dashes and underscores",
                required=True,
            )
            forms.check(form, lambda: _look(ctx.dataset, ctx.params))
        return types.Property(form, view=types.View(label="Publish YOLOv1 model"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Publishes it."""
        source = registry.checkpoint_dir(ctx.dataset, ctx.params.get("run_key", ""))
        folder = local_zoo.publish(source, ctx.params["name"])
        name = ctx.params["name"]
        return {"use": f'foz.load_zoo_model("{name}")', "folder": str(folder)}

    def resolve_output(self, ctx: Any) -> types.Property:
        """Says how to use it."""
        form = types.Object()
        form.str("use", label="In any process")
        form.str("folder", label="Folder")
        return types.Property(form, view=types.View(label="Published"))

    def __call__(self, dataset: Any, run_key: str, name: str) -> Any:
        """Publishes from Python; returns the operator's result.

        Args:
            dataset: that the run belongs to
            run_key: its name
            name: in the zoo
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"run_key": run_key, "name": name},
        )


def _look(dataset: Any, params: dict[str, Any]) -> None:
    if key := params.get("run_key"):
        registry.checkpoint_dir(dataset, key)
    if name := params.get("name"):
        local_zoo.check_name(name)
