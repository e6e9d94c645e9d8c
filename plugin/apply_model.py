"""Writes what a model finds, in a process of its own."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo import jobs, launching, runs, zoo
from yolov1_fo import samples as fo_samples

from . import following, forms


class ApplyModel(foo.Operator):
    """Writes predictions into a field."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="apply_model",
            label="Apply YOLOv1",
            description="Write what a trained model finds into a field",
            icon="visibility",
            dynamic=True,
            execute_as_generator=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which model, where to, and how."""
        form = types.Object()
        form.view_target(ctx, action_description="Apply to")
        samples = ctx.target_view(require_flat=True)
        models = _models(ctx.dataset)
        if not models:
            forms.refuse(form, "there is no model yet; train one with Train YOLOv1")
            return types.Property(form)
        forms.dropdown(form, "model", models, label="Model")
        form.str("label_field", label="Field", default="predictions", required=True)
        form.float(
            "confidence_thresh",
            label="Lowest confidence",
            description="keep it low: mAP needs the weak ones, the slider hides them",
            default=0.01,
            min=0.0,
            max=1.0,
        )
        form.float(
            "iou_thresh",
            label="Suppression",
            description="boxes that overlap more are one object",
            default=0.5,
            min=0.0,
            max=1.0,
        )
        form.int("batch_size", label="Images a forward pass", default=16, min=1)
        form.bool("skip_existing", label="Leave samples that have the field")

        def look() -> None:
            jobs.check_persistent(ctx.dataset)
            fo_samples.check_images(samples)
            fo_samples.check_output(samples, ctx.params.get("label_field", ""))

        forms.check(form, look)
        return types.Property(form, view=types.View(label="Apply YOLOv1"))

    def execute(self, ctx: Any) -> Any:
        """Starts predicting, and follows it."""
        samples = ctx.target_view(require_flat=True)
        params = dict(ctx.params)
        names = ("confidence_thresh", "iou_thresh", "filter_classes")
        settings = {n: params[n] for n in names if params.get(n) is not None}
        return following.follow(
            ctx,
            lambda: launching.apply(
                samples,
                params["model"],
                params["label_field"],
                batch_size=params.get("batch_size", 16),
                skip_existing=params.get("skip_existing", False),
                settings=settings,
            ),
        )

    def resolve_output(self, ctx: Any) -> types.Property:
        """Shows what was started."""
        return types.Property(following.outputs())

    def __call__(
        self,
        samples: Any,
        model: str,
        label_field: str = "predictions",
        *,
        delegate: bool = False,
        **settings: Any,
    ) -> Any:
        """Starts predicting from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            model: run key, checkpoint's folder, or name of a published model
            label_field ("predictions"): is made if it does not exist
            delegate (False): queues it for a delegated process
            **settings: of the form
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"model": model, "label_field": label_field, **settings},
            request_delegation=delegate,
        )


def _models(dataset: Any) -> dict[str, str]:
    """Returns what can be applied: runs with a checkpoint, the newest first."""
    trained = {
        key: f"run {key}"
        for key in reversed(runs.keys(dataset))
        if runs.info(dataset, key).epoch
    }
    return trained | {name: f"zoo: {name}" for name in zoo.names()}
