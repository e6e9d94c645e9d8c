"""Applies a model in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import arguments
from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.inference.apply_options import ApplyOptions
from yolov1_fo.jobs import apply_job, launch
from yolov1_fo.runs import run_json

from .. import dataset_values, job_progress, placements
from ..forms import form_widgets, model_inputs, prediction_inputs, run_labels
from ..names import NO_MODEL

LABEL_FIELD = "predictions"
DEFAULTS = {"label_field": LABEL_FIELD, **prediction_inputs.DEFAULTS}
NEEDED = {
    "model": "choose one",
    "label_field": form_widgets.ENTER_NAME,
    "confidence_thresh": form_widgets.ENTER_NUMBER,
    "iou_thresh": form_widgets.ENTER_NUMBER,
    "batch_size": form_widgets.ENTER_NUMBER,
}
"""Inputs that must not be empty, and what to do with them."""


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
        included = run_labels.included()
        model = model_inputs.add_model(
            form, ctx.dataset, ctx.params, apply_job.TASKS, others=included
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
        is_keras = _is_keras(ctx.dataset, model)
        if not is_keras:
            prediction_inputs.add(form, (metadata or {}).get("classes", []))
        prediction_inputs.add_batch_size(form)
        if not is_keras:
            if samples.media_type == "image":
                form.bool("skip_existing", label="Skip samples already predicted")
            prediction_inputs.add_advanced(form, samples, ctx.params)

        # 3. The first error, or a summary.
        if error:
            hidden = prediction_inputs.hidden(ctx.params)
            form_widgets.show_error(form, error, hidden)
        else:
            form_widgets.add_notice(form, "what", _summary(samples, params))

    def execute(self, ctx: Any) -> Any:
        """Starts the job and reports its progress."""
        samples = ctx.target_view(require_flat=True)
        params = {**DEFAULTS, **ctx.params}
        options = prediction_inputs.options(params)
        settings = prediction_inputs.settings(params)
        if _is_keras(ctx.dataset, params.get("model")):  # others may be left over
            options, settings = ApplyOptions(options.batch_size), {}
        return job_progress.run_job(
            ctx,
            lambda: apply_job.start(
                samples,
                params.get("model", ""),
                params["label_field"],
                options,
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


def _is_keras(samples: Any, model: Any) -> bool:
    """Returns whether a model is a Keras network of somebody else."""
    dataset = fiftyone_private.root_dataset(samples)
    metadata, _ = form_widgets.attempt(
        lambda: launch.read_metadata(dataset, model, apply_job.TASKS)
    )
    return run_json.task_of(metadata or {}) == run_json.KERAS


def _check(samples: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Checks the inputs; returns the model's metadata."""
    form_widgets.check_filled(params, NEEDED)
    for name in ("confidence_thresh", "iou_thresh"):
        arguments.check_number(name, params[name], 0, 1)
    is_keras = _is_keras(samples, params["model"])
    options = prediction_inputs.options(params)
    if is_keras:  # others are hidden
        options = ApplyOptions(options.batch_size)
    settings = {} if is_keras else prediction_inputs.settings(params)
    model, field = params["model"], params["label_field"]
    metadata = apply_job.check(
        samples, model, field, options, settings, documents=False
    )
    if not (options.skip_existing or is_keras):
        dataset_values.check_replaceable(samples, field)
    return metadata


def _summary(samples: Any, params: dict[str, Any]) -> str:
    field, count = params["label_field"], len(samples)
    images = f"{count:,} {samples.media_type}{'' if count == 1 else 's'}"
    if not PredictionsField(samples, field, replaces=False).exists:
        return f'Will add "{field}" to {images}'
    if samples.media_type == "image" and params.get("skip_existing"):
        return f'Will fill "{field}" where it is empty, on {images}'
    return f'Will replace the predictions in "{field}" on {images}'
