"""Suggests labels for samples without, in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config.plurals import counted
from yolov1_fo.curation import label_status, suggestion_field, suggestion_search
from yolov1_fo.curation.suggestion_search import Suggestions, SuggestionSearch
from yolov1_fo.evaluation import thresholds
from yolov1_fo.jobs import label_launch

from .. import dataset_values, job_progress
from ..forms import form_widgets, label_inputs
from ..names import GT_FIELD

METHODS = {
    "model": "From a model",
    "predictions": "From predictions in a field",
}
NO_SOURCE = (
    "No predictions and no trained model yet; run 'Train YOLOv1' or 'Apply YOLOv1' "
    "first"
)


class SuggestLabels(foo.Operator):
    """Writes a model's detections at its operating point as suggestions."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="suggest_labels",
            label="Suggest labels with YOLOv1",
            description="Suggest labels for samples without, to accept or delete",
            icon="auto_fix_high",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: field, model or predictions, and threshold."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Suggest labels for")
        if samples:
            field = label_inputs.add_gt_field(form, samples, ctx.params, exists=False)
            if field:
                self._add_inputs(ctx, form, samples, field)
        return types.Property(form, view=types.View(label="Suggest labels"))

    def _add_inputs(
        self, ctx: Any, form: types.Object, samples: Any, gt_field: str
    ) -> None:
        # 1. Model or predictions.
        fields = label_status.prediction_fields(samples, gt_field)
        has = {"model": label_inputs.has_model(ctx.dataset), "predictions": fields}
        methods = {name: label for name, label in METHODS.items() if has[name]}
        if not methods:
            form_widgets.show_error(form, NO_SOURCE)
            return
        method = form_widgets.add_dropdown(form, "method", methods, label="Method")
        params = {"method": method, **ctx.params, "gt_field": gt_field}
        if params["method"] == "predictions":
            default = form_widgets.add_dropdown(
                form, "pred_field", fields, label="Predictions field"
            )
            params["pred_field"] = params.get("pred_field") or default
        else:
            params["model"] = label_inputs.add_model(form, ctx.dataset, params)

        # 2. Settings.
        form.float(
            "thresh",
            label="Minimum confidence",
            description="Empty: the confidence of each class's best F1",
            min=0.0,
            max=1.0,
        )
        form.bool("include_labeled", label="Include labeled samples")
        if form_widgets.check(form, lambda: _check(samples, params)):
            _add_summary(form, samples, params)

    def execute(self, ctx: Any) -> Any:
        """Starts the search and reports its progress."""
        samples, params = ctx.target_view(require_flat=True), dict(ctx.params)
        uses_model = params.get("method", "model") == "model"
        return job_progress.run_job(
            ctx,
            lambda: label_launch.suggest(
                samples,
                params.get("gt_field") or GT_FIELD,
                pred_field=None if uses_model else params.get("pred_field"),
                model=params.get("model") if uses_model else None,
                thresh=params.get("thresh"),
                include_labeled=params.get("include_labeled", False),
            ),
            job_progress.LABELS_PANEL,
        )

    def __call__(
        self,
        samples: Any,
        model: str | None = None,
        gt_field: str = GT_FIELD,
        *,
        pred_field: str | None = None,
        delegate: bool = False,
        **more: Any,
    ) -> Any:
        """Starts the search from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            model (None): run key, or name of a published model
            gt_field ("ground_truth"): the labels
            pred_field (None): field of predictions, instead of a model
            delegate (False): whether to queue a delegated operation
            **more: thresh, include_labeled
        """
        method = "model" if pred_field is None else "predictions"
        given = {"model": model, "pred_field": pred_field}
        params = {name: value for name, value in given.items() if value is not None}
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"gt_field": gt_field, "method": method, **params, **more},
            request_delegation=delegate,
        )


def already_labeled(number: int) -> str:
    """Returns how many predictions are left out, since objects are labeled there."""
    verb = "matches" if number == 1 else "match"
    return f"{counted(number, 'prediction')} {verb} existing labels and will be skipped"


def _search(samples: Any, params: dict[str, Any]) -> SuggestionSearch:
    return SuggestionSearch(
        samples,
        params["gt_field"],
        params.get("thresh"),
        suggestion_search.IOU_THRESH,
        include_labeled=bool(params.get("include_labeled")),
    )


def _check(samples: Any, params: dict[str, Any]) -> None:
    """Checks the inputs.

    Raises:
        ValueError: if one is not valid, or there is no sample to suggest for
    """
    is_field = params["method"] == "predictions"
    pred_field = params["pred_field"] if is_field else None
    if pred_field and params.get("thresh") is None:
        known = thresholds.known(samples, pred_field)
        if known is None:
            raise ValueError(
                f"Enter a minimum confidence: '{pred_field}' was not evaluated yet, "
                "and its model is not known"
            )
    found = _search(samples, params)
    found = label_launch.check_suggest(found, pred_field, params.get("model"))
    if not len(found.chosen):
        raise ValueError(
            f"All samples have labels in '{params['gt_field']}'; samples without have "
            "an empty value there"
        )


def _add_summary(form: types.Object, samples: Any, params: dict[str, Any]) -> None:
    """Tells how many suggestions there will be, and how many are replaced."""
    search = _search(samples, params).check()
    name = suggestion_field.name_of(params["gt_field"])
    if params["method"] == "predictions":
        limits = search.thresholds(params["pred_field"])
        key = ("suggestions", *map(str, [*search[1:], limits]), params["pred_field"])
        found: Suggestions = dataset_values.computed(
            samples, key, lambda: search.find(search.read(params["pred_field"]))[1]
        )
        text = (
            f"Will add {counted(found.labels, 'suggestion')} to "
            f"{counted(found.samples, 'sample')}, in '{name}'"
        )
        if found.duplicates:
            text += f"; {already_labeled(found.duplicates)}"
    else:
        text = (
            f"Will write suggestions for {counted(len(search.chosen), 'sample')} to "
            f"'{name}'"
        )
    before = 0
    if search.output.output.exists:
        before = search.chosen.count(f"{name}.detections")
    if before:
        text += f". Replaces {counted(before, 'earlier suggestion')}"
    form_widgets.add_notice(form, "what", text)
