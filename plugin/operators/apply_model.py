"""Applies a model in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import PREDICTION_PRECISIONS
from yolov1_fo.datasets import checks, output_fields
from yolov1_fo.jobs import launch
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import records, registry

from .. import dataset_values, form_widgets, job_progress

LABEL_FIELD, BATCH_SIZE = "predictions", 16
SETTINGS = ("confidence_thresh", "iou_thresh", "filter_classes", "precision")


class ApplyModel(foo.Operator):
    """Writes a model's predictions to a field."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="apply_model",
            label="Apply YOLOv1",
            description="Write the predictions of a trained model to a field",
            icon="visibility",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: model, field, and prediction settings."""
        form = types.Object()
        samples = form_widgets.add_target(
            ctx, form, "Apply to", checks.check_images_or_videos
        )
        if samples:
            self._add_inputs(ctx, form, samples)
        return types.Property(form, view=types.View(label="Apply YOLOv1"))

    def _add_inputs(self, ctx: Any, form: types.Object, samples: Any) -> None:
        # 1. Model and field.
        models = _models(ctx.dataset)
        view = types.AutocompleteView(allow_user_input=True)
        for name, label in models.items():
            view.add_choice(name, label=label)
        form.str(
            "model",
            label="Model",
            description="A run, a published model, or the path of a checkpoint folder",
            default=next(iter(models), None),
            view=view,
        )
        form.str("label_field", label="Predictions field", default=LABEL_FIELD)
        model = ctx.params.get("model") or next(iter(models), "")
        if not model:
            form_widgets.show_error(
                form, "No trained model yet; run 'Train YOLOv1' first"
            )
            return

        # 2. Settings; the classes are those of the model, if it is valid.
        _add_thresholds(form)
        metadata: dict[str, Any] = {}
        is_valid = form_widgets.check(
            form, lambda: metadata.update(_check(samples, model, ctx.params))
        )
        _add_settings(form, metadata.get("classes", []))
        if samples.media_type == "image":
            form.bool("skip_existing", label="Skip samples that have predictions")

        # 3. Summary.
        if is_valid:
            form_widgets.add_notice(form, "what", _summary(samples, ctx.params))

    def execute(self, ctx: Any) -> Any:
        """Starts the job and reports its progress."""
        samples = ctx.target_view(require_flat=True)
        params = dict(ctx.params)
        unset: tuple[Any, ...] = (None, "", [])
        settings = {n: params[n] for n in SETTINGS if params.get(n) not in unset}
        return job_progress.run_job(
            ctx,
            lambda: launch.apply(
                samples,
                params.get("model", ""),
                params.get("label_field", LABEL_FIELD),
                batch_size=params.get("batch_size", BATCH_SIZE),
                skip_existing=params.get("skip_existing", False),
                settings=settings,
            ),
        )

    def __call__(
        self,
        samples: Any,
        model: str,
        label_field: str = LABEL_FIELD,
        *,
        delegate: bool = False,
        **settings: Any,
    ) -> Any:
        """Starts the job from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            model: run key, checkpoint folder, or name of a published model
            label_field ("predictions"): created if it does not exist
            delegate (False): whether to queue a delegated operation
            **settings: other inputs of the form
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"model": model, "label_field": label_field, **settings},
            request_delegation=delegate,
        )


def _models(dataset: Any) -> dict[str, str]:
    """Returns the models with their labels: runs, newest first, then the local zoo."""
    trained = {
        key: f"run {key}"
        for key in registry.newest_first(dataset)
        if records.info(dataset, key).epoch
    }
    return trained | {name: f"zoo: {name}" for name in local_zoo.names()}


def _add_thresholds(form: types.Object) -> None:
    form.float(
        "confidence_thresh",
        label="Confidence threshold",
        description="Keep it low for a correct mAP; the sidebar can hide detections",
        default=0.01,
        min=0.0,
        max=1.0,
    )
    form.float(
        "iou_thresh",
        label="NMS IoU threshold",
        description="Removes detections that overlap a more confident one by more",
        default=0.5,
        min=0.0,
        max=1.0,
    )


def _add_settings(form: types.Object, classes: list[str]) -> None:
    form_widgets.add_classes(
        form, "filter_classes", classes, "Classes to detect; all by default"
    )
    form_widgets.add_dropdown(
        form,
        "precision",
        {"": "as in training"} | {name: name for name in PREDICTION_PRECISIONS},
        label="Precision",
        description="auto is bfloat16 on devices that support it: faster, with "
        "slightly different scores",
    )
    form.int("batch_size", label="Batch size", default=BATCH_SIZE, min=1)


def _skips_existing(samples: Any, params: dict[str, Any]) -> bool:
    return samples.media_type == "image" and bool(params.get("skip_existing"))


def _check(samples: Any, model: str, params: dict[str, Any]) -> dict[str, Any]:
    """Checks the inputs; returns the model's metadata."""
    field = params.get("label_field", LABEL_FIELD)
    skips = _skips_existing(samples, params)
    metadata = launch.check_apply(
        samples,
        model,
        field,
        params.get("batch_size", BATCH_SIZE),
        skip_existing=skips,
        documents=False,
    )
    if not skips:
        dataset_values.check_replaceable(samples, field)
    return metadata


def _summary(samples: Any, params: dict[str, Any]) -> str:
    field = params.get("label_field", LABEL_FIELD)
    images = f"{len(samples)} {samples.media_type}s"
    if not output_fields.predictions_field(samples, field, replaces=False).exists:
        return f"Creates the field '{field}' on {images}"
    if _skips_existing(samples, params):
        return f"Fills the field '{field}' where it is empty, on {images}"
    return f"Replaces the predictions in '{field}' on {images}"
