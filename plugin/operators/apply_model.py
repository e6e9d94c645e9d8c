"""Applies a model in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import PREDICTION_PRECISIONS, arguments
from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.jobs import launch
from yolov1_fo.runs import run_json

from .. import dataset_values, job_progress, placements
from ..forms import form_widgets, model_inputs, run_labels
from ..names import NO_MODEL

LABEL_FIELD, BATCH_SIZE = "predictions", 16
DEFAULTS = {
    "label_field": LABEL_FIELD,
    "batch_size": BATCH_SIZE,
    "confidence_thresh": 0.01,
    "iou_thresh": 0.5,
}
NEEDED = {
    "model": "choose one",
    "label_field": form_widgets.ENTER_NAME,
    "confidence_thresh": form_widgets.ENTER_NUMBER,
    "iou_thresh": form_widgets.ENTER_NUMBER,
    "batch_size": form_widgets.ENTER_NUMBER,
}
"""Inputs that must not be empty, and what to do with them."""
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
        tasks = (run_json.DETECT, run_json.KERAS)
        included = run_labels.included()
        model = model_inputs.add_model(
            form, ctx.dataset, ctx.params, tasks, others=included
        )
        form.str(
            "label_field",
            label="Predictions field",
            description=form_widgets.NAME_RULE,
            default=LABEL_FIELD,
        )
        if not model and "model" not in ctx.params:
            form_widgets.show_error(form, f"{NO_MODEL}, or choose an included one")
            return
        params = {**DEFAULTS, **ctx.params, "model": model}

        # 2. Settings; the classes are those of the model, if it is valid. A Keras
        #    model of somebody else decodes its output itself, to a new field.
        metadata, error = form_widgets.attempt(lambda: _check(samples, params))
        if _is_keras(ctx.dataset, model):
            _add_batch_size(form)
        else:
            _add_thresholds(form)
            _add_settings(form, (metadata or {}).get("classes", []))
            _add_batch_size(form)
            if samples.media_type == "image":
                form.bool("skip_existing", label="Skip samples already predicted")

        # 3. The first error, or a summary.
        if error:
            form_widgets.show_error(form, error)
        else:
            form_widgets.add_notice(form, "what", _summary(samples, params))

    def execute(self, ctx: Any) -> Any:
        """Starts the job and reports its progress."""
        samples = ctx.target_view(require_flat=True)
        params = {**DEFAULTS, **ctx.params}
        unset: tuple[Any, ...] = (None, "", [])
        settings = {n: params[n] for n in SETTINGS if params.get(n) not in unset}
        if _is_keras(ctx.dataset, params.get("model")):  # others may be left over
            settings, params["skip_existing"] = {}, False
        return job_progress.run_job(
            ctx,
            lambda: launch.apply(
                samples,
                params.get("model", ""),
                params["label_field"],
                batch_size=params["batch_size"],
                skip_existing=params.get("skip_existing", False),
                settings=settings,
            ),
        )

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """Returns the button above the samples."""
        return placements.button("Apply YOLOv1", self.config.icon)

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


def _add_thresholds(form: types.Object) -> None:
    form.float(
        "confidence_thresh",
        label="Minimum confidence",
        description="Keep it low for a correct mAP; the App shows the confident ones",
        default=DEFAULTS["confidence_thresh"],
        min=0.0,
        max=1.0,
    )
    form.float(
        "iou_thresh",
        label="NMS IoU threshold",
        description="Removes detections that overlap a more confident one by more",
        default=DEFAULTS["iou_thresh"],
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
        {"": "As in training"} | {name: name for name in PREDICTION_PRECISIONS},
        label="Precision",
        description="auto is bfloat16 on devices that support it: faster, with "
        "slightly different scores; int8 needs a calibrated export",
    )


def _add_batch_size(form: types.Object) -> None:
    form.int("batch_size", label="Batch size", default=BATCH_SIZE, min=1)


def _is_keras(samples: Any, model: Any) -> bool:
    """Returns whether a model is a Keras network of somebody else."""
    dataset = fiftyone_private.root_dataset(samples)
    tasks = (run_json.DETECT, run_json.KERAS)
    metadata, _ = form_widgets.attempt(
        lambda: launch.read_metadata(dataset, model, tasks)
    )
    return run_json.task_of(metadata or {}) == run_json.KERAS


def _skips_existing(samples: Any, params: dict[str, Any]) -> bool:
    return samples.media_type == "image" and bool(params.get("skip_existing"))


def _check(samples: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Checks the inputs; returns the model's metadata."""
    form_widgets.check_filled(params, NEEDED)
    for name in ("confidence_thresh", "iou_thresh"):
        arguments.check_number(name, params[name], 0, 1)
    is_keras = _is_keras(samples, params["model"])
    skips = _skips_existing(samples, params) and not is_keras
    metadata = launch.check_apply(
        *(samples, params["model"], params["label_field"], params["batch_size"]),
        skip_existing=skips,
        documents=False,
    )
    if not (skips or is_keras):
        dataset_values.check_replaceable(samples, params["label_field"])
    return metadata


def _summary(samples: Any, params: dict[str, Any]) -> str:
    field, count = params["label_field"], len(samples)
    images = f"{count:,} {samples.media_type}{'' if count == 1 else 's'}"
    if not PredictionsField(samples, field, replaces=False).exists:
        return f'Will add "{field}" to {images}'
    if _skips_existing(samples, params):
        return f'Will fill "{field}" where it is empty, on {images}'
    return f'Will replace the predictions in "{field}" on {images}'
