"""Evaluates predictions and opens FiftyOne's Model Evaluation panel."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.evaluation import evaluation_keys, evaluator
from yolov1_fo.jobs import launch

from .. import dataset_values, form_widgets, job_progress

GT_FIELD, IOU_THRESH = "ground_truth", 0.5


class EvaluateModel(foo.Operator):
    """Evaluates a field of predictions."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="evaluate_model",
            label="Evaluate YOLOv1",
            description="Compute VOC07, VOC10 and COCO mAP of a field of predictions",
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
        others = [field for field in fields if field != gt_field]
        form_widgets.add_dropdown(form, "pred_field", others, label="Predictions field")
        form_widgets.add_dropdown(
            form, "gt_field", fields, label="Ground truth field", default=gt_default
        )
        key = _free_key(ctx.dataset, ctx.params.get("pred_field", others[0]))
        form.str("eval_key", label="Evaluation key", default=key)
        form.float(
            "iou_thresh",
            label="IoU threshold",
            description="Minimum IoU of a match, for both COCO and VOC evaluation",
            default=IOU_THRESH,
            min=0.05,
            max=1.0,
        )
        form_widgets.check(
            form, lambda: _add_classes(ctx.params, form, samples, gt_field)
        )

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Evaluates; in a child process if called from the App or delegated."""
        samples, params = ctx.target_view(require_flat=True), ctx.params
        iou_thresh = params.get("iou_thresh", IOU_THRESH)
        classes = params.get("classes") or None
        pred_field = params.get("pred_field", "")
        fields = (
            pred_field,
            params.get("gt_field", GT_FIELD),
            params.get("eval_key") or _free_key(ctx.dataset, pred_field),
        )
        if ctx.delegated or job_progress.called_from_app(ctx):
            return job_progress.run_job(
                ctx,
                lambda: launch.evaluate(
                    samples, *fields, classes, iou_thresh=iou_thresh
                ),
            )
        report = evaluator.evaluate(
            samples, *fields, classes, iou_thresh=iou_thresh, progress=False
        )
        ctx.ops.reload_dataset()
        job_progress.open_panel(ctx, job_progress.EVALUATION_PANEL)
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
            **more: iou_thresh, classes
        """
        params = {"pred_field": pred_field, "gt_field": gt_field, "eval_key": eval_key}
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={**params, **more},
            request_delegation=delegate,
        )


def _add_classes(
    params: dict[str, Any], form: types.Object, samples: Any, gt_field: str
) -> None:
    """Adds the choice of classes, and checks the evaluation key.

    Raises:
        ValueError: if there are no classes, or the key is invalid or taken
    """
    classes = dataset_values.classes(samples, gt_field)
    form_widgets.add_classes(
        form, "classes", classes, "Classes to evaluate; all by default"
    )
    pred_field, key = params.get("pred_field"), params.get("eval_key")
    if pred_field and key:
        evaluation_keys.check(samples, pred_field, gt_field, key, documents=False)


def _free_key(dataset: Any, field: str) -> str:
    taken, number = set(dataset.list_evaluations()), 1
    while (key := f"{field}_eval_{number}") in taken:
        number += 1
    return key
