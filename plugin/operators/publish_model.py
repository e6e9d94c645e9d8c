"""Publishes the best checkpoint of a run to the local model zoo."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import ranking, records, registry

from ..forms import form_widgets

CREDITS = (
    ("author", "Author", "Unknown"),
    ("license", "License", "Not specified"),
    ("data_url", "URL of the training data", ""),
)
"""Inputs of the form with their defaults."""


class PublishModel(foo.Operator):
    """Publishes a trained model."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="publish_model",
            label="Publish YOLOv1 model",
            description="Publish a trained model to the local FiftyOne model zoo",
            icon="publish",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run and the model's name."""
        form = types.Object()

        def is_trained(key: str) -> bool:
            return ranking.is_detector(records.info(ctx.dataset, key))

        run_key = form_widgets.add_run(
            *(form, ctx.dataset, is_trained, "No run has a checkpoint yet"),
            params=ctx.params,
            default=ranking.best_finished(ctx.dataset),
        )
        if run_key:
            form.str(
                "name",
                label="Model name",
                description="Use letters, digits, dots, hyphens and underscores",
                required=True,
            )
            name = ctx.params.get("name")
            for argument, label, default in CREDITS:
                form.str(argument, label=label, default=default)
            form_widgets.check(form, lambda: _check(ctx.dataset, run_key, name))
        return types.Property(form, view=types.View(label="Publish YOLOv1 model"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Publishes the model."""
        source = registry.existing_folder(ctx.dataset, ctx.params.get("run_key", ""))
        name = ctx.params["name"]
        credits = {one: ctx.params[one] for one, *_ in CREDITS if ctx.params.get(one)}
        folder = local_zoo.publish(source, name, **credits)
        return {"use": f'foz.load_zoo_model("{name}")', "folder": str(folder)}

    def resolve_output(self, ctx: Any) -> types.Property:
        """Returns the output: how to load the model, and its folder."""
        form = types.Object()
        form.str("use", label="Load with")
        form.str("folder", label="Folder")
        return types.Property(form, view=types.View(label="Published model"))

    def __call__(self, dataset: Any, run_key: str, name: str, **credits: str) -> Any:
        """Publishes from Python; returns the operator's result.

        Args:
            dataset: the dataset with the run
            run_key: name of the run
            name: name of the model in the zoo
            **credits: author, license, data_url
        """
        return foo.execute_operator(
            self.uri,
            ctx={"dataset": dataset},
            params={"run_key": run_key, "name": name, **credits},
        )


def _check(dataset: Any, run_key: str, name: str | None) -> None:
    registry.existing_folder(dataset, run_key)
    if name:
        local_zoo.check_name(name)
