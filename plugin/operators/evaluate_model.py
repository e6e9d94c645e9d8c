"""Evaluates predictions and opens FiftyOne's Model Evaluation panel."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config import arguments
from yolov1_fo.curation import label_status
from yolov1_fo.evaluation import confidence_filter, evaluation_keys, evaluator
from yolov1_fo.jobs import launch

from .. import dataset_values, job_end, job_progress
from ..forms import form_widgets
from ..names import GT_FIELD

IOU_THRESH = 0.5
NEEDED = {
    "eval_key": form_widgets.ENTER_NAME,
    "iou_thresh": form_widgets.ENTER_NUMBER,
}
"""Inputs that must not be empty, and what to do with them."""
VAL, ALL = "val", "all"
"""Samples that are evaluated: the model's validation split, or the whole target."""


class EvaluateModel(foo.Operator):
    """Evaluates a field of predictions."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="evaluate_model",
            label="Evaluate YOLOv1",
            description="Compute mAP, precision, recall and errors of predictions",
            icon="analytics",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: fields, evaluation key, IoU threshold, and classes."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Evaluate")
        fields = samples and form_widgets.detection_fields(samples, form, least=2)
        if fields:
            self._add_inputs(ctx, form, samples, fields)
        return types.Property(form, view=types.View(label="Evaluate YOLOv1"))

    def _add_inputs(
        self, ctx: Any, form: types.Object, samples: Any, fields: list[str]
    ) -> None:
        gt_default = GT_FIELD if GT_FIELD in fields else fields[0]
        gt_field = ctx.params.get("gt_field") or gt_default
        others = _prediction_fields(samples, fields, gt_field)
        pred_field = form_widgets.add_dropdown(
            form, "pred_field", others, label="Predictions field", params=ctx.params
        )
        form_widgets.add_dropdown(
            form, "gt_field", fields, label="Ground truth field", default=gt_default
        )
        samples = confidence_filter.without(samples, pred_field)
        _add_samples(ctx, form, samples, pred_field)
        key = _free_key(ctx.dataset, pred_field)
        form.str("eval_key", label="Evaluation key", default=key)
        form.float(
            "iou_thresh",
            label="IoU threshold",
            description="Minimum IoU of a match",
            default=IOU_THRESH,
            min=0.05,
            max=1.0,
        )
        form.float(
            "confidence_thresh",
            label="Minimum confidence",
            description="Of precision, recall, F1, counts and confusion matrix; mAP "
            "takes all predictions into account. Empty: the one of the best F1",
            min=0.0,
            max=1.0,
        )
        params = {**ctx.params, "pred_field": pred_field}
        form_widgets.check(form, lambda: _add_classes(params, form, samples, gt_field))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Evaluates; in a child process if called from the App or delegated."""
        params = ctx.params
        settings = {
            "iou_thresh": params.get("iou_thresh", IOU_THRESH),
            "confidence_thresh": params.get("confidence_thresh"),
        }
        classes = params.get("classes") or None
        pred_field = params.get("pred_field", "")
        samples = confidence_filter.without(
            ctx.target_view(require_flat=True), pred_field
        )
        if params.get("split", ALL) == VAL:
            samples = _validation_split(ctx.dataset, samples, pred_field)
        fields = (
            pred_field,
            params.get("gt_field", GT_FIELD),
            params.get("eval_key") or _free_key(ctx.dataset, pred_field),
        )
        if ctx.delegated or job_progress.called_from_app(ctx):
            return job_progress.run_job(
                ctx,
                lambda: launch.evaluate(samples, *fields, classes, **settings),
            )
        report = evaluator.evaluate(
            samples, *fields, classes, **settings, progress=False
        )
        ctx.ops.reload_dataset()
        job_end.show_evaluation(ctx, fields[2])
        return {"eval_key": fields[2], **report.numbers()}

    def __call__(
        self,
        samples: Any,
        pred_field: str,
        gt_field: str = GT_FIELD,
        eval_key: str | None = None,
        *,
        delegate: bool = False,
        **more: Any,
    ) -> Any:
        """Evaluates from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            pred_field: field of Detections with confidences
            gt_field ("ground_truth"): field of Detections
            eval_key (None): name of the evaluation; `<pred_field>_eval_<n>` if None
            delegate (False): whether to queue a delegated operation
            **more: iou_thresh, confidence_thresh, classes; split, "all" or "val"
        """
        fields = {"pred_field": pred_field, "gt_field": gt_field}
        params = {**fields, "eval_key": eval_key, **more}
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={k: value for k, value in params.items() if value is not None},
            request_delegation=delegate,
        )


def _add_samples(ctx: Any, form: types.Object, samples: Any, pred_field: str) -> None:
    """Adds the choice between the model's validation split and all samples."""
    splits = dataset_values.model_splits(ctx.dataset, pred_field)
    chosen = ctx.params.get("split")
    ids = dataset_values.ids(samples)
    in_val = len(ids & splits.val_ids)
    learned = None if splits.train_ids is None else len(ids & splits.train_ids)
    trained_on = f"; {learned:,} of them were trained on" if learned else ""
    choices = {ALL: f"All {len(ids):,} samples{trained_on}"}
    if in_val:
        val = f"Validation split of run '{splits.model}' ({in_val:,} samples)"
        choices = {VAL: val, **choices}
    default = form_widgets.add_dropdown(form, "split", choices, label="Samples")
    if learned and (chosen or default) == ALL:
        line = f"{learned:,} of these {len(ids):,} samples were trained on"
        form_widgets.add_notice(
            *(form, "learned", f"{line}: the metrics will be too high"),
            is_warning=True,
        )


def _prediction_fields(samples: Any, fields: list[str], gt_field: str) -> list[str]:
    """Returns the fields that may be predictions, the best guess first."""
    likely = label_status.prediction_fields(samples, gt_field)
    others = [field for field in fields if field != gt_field]
    return [field for field in likely if field in others] or others


def _validation_split(dataset: Any, samples: Any, pred_field: str) -> Any:
    """Returns the samples that the model of a field was validated on.

    Raises:
        ValueError: if there are none
    """
    splits = dataset_values.model_splits(dataset, pred_field)
    ids = dataset_values.ids(samples) & splits.val_ids
    if not ids:
        raise ValueError(
            f"the validation split of the model of '{pred_field}' is not among these "
            "samples; choose all samples"
        )
    return samples.select(sorted(ids))


def _add_classes(
    params: dict[str, Any], form: types.Object, samples: Any, gt_field: str
) -> None:
    """Adds the choice of classes, and checks the other inputs.

    Raises:
        ValueError: if there are no classes, the key is invalid or taken, or another
            input is empty or out of range
    """
    form_widgets.check_filled(params, NEEDED)
    for name in ("iou_thresh", "confidence_thresh"):
        if (value := params.get(name)) is not None:
            arguments.check_number(name, value, 0, 1)
    classes = dataset_values.classes(samples, gt_field)
    form_widgets.add_classes(
        form, "classes", classes, "Classes to evaluate; all by default"
    )
    pred_field, key = params["pred_field"], params.get("eval_key")
    if key:
        evaluation_keys.check(samples, pred_field, gt_field, key, documents=False)


def _free_key(dataset: Any, field: str) -> str:
    taken, number = set(dataset.list_evaluations()), 1
    while (key := f"{field}_eval_{number}") in taken:
        number += 1
    return key
