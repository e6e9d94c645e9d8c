"""Writes what a model finds, in a process of its own."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import PREDICTION_PRECISIONS
from yolov1_fo.datasets import checks, output_fields
from yolov1_fo.jobs import launch
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import registry

from .. import following, forms

FIELD = "predictions"
SETTINGS = ("confidence_thresh", "iou_thresh", "filter_classes", "precision")


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
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which model, where to, and how."""
        form = types.Object()
        samples = forms.target(ctx, form, "Apply to", _check_samples)
        if samples:
            self._ask(ctx, form, samples)
        return types.Property(form, view=types.View(label="Apply YOLOv1"))

    def _ask(self, ctx: Any, form: types.Object, samples: Any) -> None:
        models = _models(ctx.dataset)
        view = types.AutocompleteView(allow_user_input=True)
        for name, label in models.items():
            view.add_choice(name, label=label)
        form.str(
            "model",
            label="Model",
            description="a run, a published model, or a checkpoint's folder",
            default=next(iter(models), None),
            view=view,
        )
        form.str("label_field", label="Field", default=FIELD)
        name = ctx.params.get("model") or next(iter(models), "")
        metadata: dict[str, Any] = {}
        if not name:
            forms.refuse(form, "there is no model yet; train one with Train YOLOv1")
            return
        is_image = samples.media_type == "image"
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

        def look() -> None:
            field = ctx.params.get("label_field", FIELD)
            size = ctx.params.get("batch_size", 16)
            skips = bool(is_image and ctx.params.get("skip_existing"))
            checked = launch.check_apply(
                samples, name, field, size, skip_existing=skips
            )
            metadata.update(checked)

        fits = forms.check(form, look)
        forms.classes(
            form, "filter_classes", metadata.get("classes", []), "all, if none is named"
        )
        forms.dropdown(
            form,
            "precision",
            {"": "what it was trained in"} | {p: p for p in PREDICTION_PRECISIONS},
            label="Precision",
            description="auto is bfloat16 where the device has units for it: faster, "
            "and scores differ a little",
        )
        form.int("batch_size", label="Images a forward pass", default=16, min=1)
        if is_image:
            form.bool("skip_existing", label="Leave samples that have the field")
        if fits:
            field = ctx.params.get("label_field", FIELD)
            known = output_fields.detections(samples, field, replaces=False).exists
            does = "replaces what stands in" if known else "makes"
            kind = "images" if is_image else "videos"
            forms.say(form, "what", f"{does} '{field}' of {len(samples)} {kind}")

    def execute(self, ctx: Any) -> Any:
        """Starts predicting, and follows it."""
        samples = ctx.target_view(require_flat=True)
        params = dict(ctx.params)
        unset: tuple[Any, ...] = (None, "", [])
        settings = {n: params[n] for n in SETTINGS if params.get(n) not in unset}
        return following.follow(
            ctx,
            lambda: launch.apply(
                samples,
                params.get("model", ""),
                params.get("label_field", FIELD),
                batch_size=params.get("batch_size", 16),
                skip_existing=params.get("skip_existing", False),
                settings=settings,
            ),
        )

    def __call__(
        self,
        samples: Any,
        model: str,
        label_field: str = FIELD,
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


def _check_samples(samples: Any) -> None:
    if samples.media_type == "video":
        checks.check_videos(samples)
    else:
        checks.check_images(samples)


def _models(dataset: Any) -> dict[str, str]:
    """Returns what can be applied: runs with a checkpoint, the newest first."""
    trained = {
        key: f"run {key}"
        for key in registry.newest(dataset)
        if registry.info(dataset, key).epoch
    }
    return trained | {name: f"zoo: {name}" for name in local_zoo.names()}
