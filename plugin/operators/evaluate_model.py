"""Measures predictions against the truth, and shows FiftyOne's panel of it."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.evaluation import evaluation_keys, evaluator
from yolov1_fo.jobs import launch

from .. import facts, following, forms


class EvaluateModel(foo.Operator):
    """Evaluates a field of predictions."""

    @property
    def config(self) -> foo.OperatorConfig:
        """What the App shows of it."""
        return foo.OperatorConfig(
            name="evaluate_model",
            label="Evaluate YOLOv1",
            description="VOC07, VOC10 and COCO mAP of a field of predictions",
            icon="analytics",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Asks which predictions, which truth, and under which name."""
        form = types.Object()
        samples = forms.target(ctx, form, "Evaluate")
        fields = samples and forms.detection_fields(samples, form, least=2)
        if fields:
            self._ask(ctx, form, samples, fields)
        return types.Property(form, view=types.View(label="Evaluate YOLOv1"))

    def _ask(
        self, ctx: Any, form: types.Object, samples: Any, fields: list[str]
    ) -> None:
        truth = "ground_truth" if "ground_truth" in fields else fields[0]
        guesses = [
            field for field in fields if field != ctx.params.get("gt_field", truth)
        ]
        forms.dropdown(form, "pred_field", guesses, label="Predictions")
        forms.dropdown(form, "gt_field", fields, label="Ground truth", default=truth)
        key = _free_key(ctx.dataset, ctx.params.get("pred_field", guesses[0]))
        form.str("eval_key", label="Name of the evaluation", default=key)
        form.float(
            "iou_thresh",
            label="Least overlap",
            description="of a match, in FiftyOne's evaluation and in VOC's",
            default=0.5,
            min=0.05,
            max=1.0,
        )
        forms.check(form, lambda: _look(ctx, form, samples, truth))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Evaluates: at once for Python, else in a process of its own."""
        samples, params = ctx.target_view(require_flat=True), ctx.params
        iou_thresh, classes = params.get("iou_thresh", 0.5), params.get("classes")
        pred_field = params.get("pred_field", "")
        fields = (
            pred_field,
            params.get("gt_field", "ground_truth"),
            params.get("eval_key") or _free_key(ctx.dataset, pred_field),
        )
        if ctx.delegated or following.is_app(ctx):
            return following.follow(
                ctx,
                lambda: launch.evaluate(
                    samples, *fields, classes or None, iou_thresh=iou_thresh
                ),
            )
        report = evaluator.evaluate(
            samples, *fields, classes or None, iou_thresh=iou_thresh, progress=False
        )
        ctx.ops.reload_dataset()
        following.open_panel(ctx, following.EVALUATIONS)
        return {"eval_key": fields[2], **report.numbers()}

    def __call__(
        self,
        samples: Any,
        pred_field: str,
        gt_field: str = "ground_truth",
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
            eval_key (None): name of the evaluation on the dataset; made up if None
            delegate (False): queues it for a delegated process
            **more: iou_thresh, classes
        """
        params = {"pred_field": pred_field, "gt_field": gt_field, "eval_key": eval_key}
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={**params, **more},
            request_delegation=delegate,
        )


def _look(ctx: Any, form: types.Object, samples: Any, truth: str) -> None:
    """Asks which classes, of those that are there.

    Raises:
        ValueError: if there is none, or the name is taken
    """
    there = facts.classes(samples, ctx.params.get("gt_field") or truth)
    forms.classes(form, "classes", there, "all, if none is named")
    pred_field, key = ctx.params.get("pred_field"), ctx.params.get("eval_key")
    if pred_field and key:
        gt_field = ctx.params.get("gt_field") or truth
        evaluation_keys.check(samples, pred_field, gt_field, key, documents=False)


def _free_key(dataset: Any, field: str) -> str:
    taken, number = set(dataset.list_evaluations()), 1
    while (key := f"{field}_eval_{number}") in taken:
        number += 1
    return key
