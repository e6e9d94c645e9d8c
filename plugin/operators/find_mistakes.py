"""Finds mistakes in labels in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config.plurals import counted
from yolov1_fo.curation import label_status, mistake_search, trained_on
from yolov1_fo.curation.mistake_fields import MISTAKE_FIELD
from yolov1_fo.datasets import fiftyone_private, predicted_by
from yolov1_fo.jobs import label_launch

from .. import dataset_values, job_progress
from ..forms import devices, form_widgets, label_inputs
from ..names import GT_FIELD

METHODS = {
    "predictions": "From predictions in a field",
    "folds": "Cross-validation (trains new models)",
}
FOLDS, MAX_MINUTES = 3, 10.0
NEEDED = {
    "mistake_field": form_widgets.ENTER_NAME,
    **dict.fromkeys(("min_score", "folds", "max_minutes"), form_widgets.ENTER_NUMBER),
}
"""Inputs that must not be empty, and what to do with them."""


class FindMistakes(foo.Operator):
    """Finds labels that a model's predictions contradict."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="find_mistakes",
            label="Find label mistakes with YOLOv1",
            description="Find missing and spurious objects, wrong classes, loose boxes",
            icon="rule",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: field, predictions or trainings, and what is kept."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Find mistakes in")
        field = samples and label_inputs.add_gt_field(form, samples, ctx.params)
        if field:
            self._add_inputs(ctx, form, samples, field)
        return types.Property(form, view=types.View(label="Find label mistakes"))

    def _add_inputs(
        self, ctx: Any, form: types.Object, samples: Any, gt_field: str
    ) -> None:
        # 1. Predictions, or trainings.
        fields = label_status.prediction_fields(samples, gt_field)
        methods = METHODS if fields else {"folds": METHODS["folds"]}
        method = form_widgets.add_dropdown(form, "method", methods, label="Method")
        params = {"method": method, **ctx.params, "gt_field": gt_field}
        if params["method"] == "predictions":
            default = form_widgets.add_dropdown(
                form, "pred_field", fields, label="Predictions field"
            )
            params["pred_field"] = params.get("pred_field") or default
        else:
            _add_trainings(form)

        # 2. What is kept.
        form.float(
            "min_score",
            label="Minimum score",
            description="Less likely mistakes are left out",
            default=mistake_search.MIN_SCORE,
            min=0.0,
            max=1.0,
        )
        form.str(
            "mistake_field",
            label="Result name",
            description="Name of the attributes and saved views",
            default=MISTAKE_FIELD,
        )
        if form_widgets.check(form, lambda: _check(samples, params)):
            _add_summary(form, samples, params)

    def execute(self, ctx: Any) -> Any:
        """Starts the search and reports its progress."""
        samples, params = ctx.target_view(require_flat=True), dict(ctx.params)
        return job_progress.run_job(
            ctx,
            lambda: label_launch.find_mistakes(samples, **_arguments(params)),
            job_progress.LABELS_PANEL,
        )

    def __call__(
        self,
        samples: Any,
        pred_field: str | None = None,
        gt_field: str = GT_FIELD,
        *,
        folds: int | None = None,
        delegate: bool = False,
        **more: Any,
    ) -> Any:
        """Starts the search from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            pred_field (None): field of predictions; not with `folds`
            gt_field ("ground_truth"): the labels
            folds (None): number of trainings
            delegate (False): whether to queue a delegated operation
            **more: max_minutes, device, min_score, mistake_field
        """
        method = "predictions" if folds is None else "folds"
        given = {"pred_field": pred_field, "folds": folds}
        params = {name: value for name, value in given.items() if value is not None}
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={"gt_field": gt_field, "method": method, **params, **more},
            request_delegation=delegate,
        )


def _add_trainings(form: types.Object) -> None:
    form.int(
        "folds",
        label="Number of folds",
        description="One training each; each sample is predicted by a model that "
        "has not seen it",
        default=FOLDS,
        min=2,
        max=20,
    )
    form.float(
        "max_minutes",
        label="Time limit of each training (minutes)",
        default=MAX_MINUTES,
        min=0.1,
    )
    devices.add_input(form)


def _arguments(params: dict[str, Any]) -> dict[str, Any]:
    """Returns the arguments of `label_launch.find_mistakes`."""
    shared = {
        "gt_field": params.get("gt_field") or GT_FIELD,
        "mistake_field": params.get("mistake_field") or MISTAKE_FIELD,
        "min_score": params.get("min_score", mistake_search.MIN_SCORE),
    }
    if params.get("method", "predictions") == "predictions":
        return {"pred_field": params.get("pred_field") or "predictions", **shared}
    return {
        "pred_field": None,
        **shared,
        "folds": params.get("folds", FOLDS),
        "settings": {"max_minutes": params.get("max_minutes", MAX_MINUTES)},
        "device": devices.chosen(params),
    }


def _check(samples: Any, params: dict[str, Any]) -> None:
    """Checks the inputs.

    Raises:
        ValueError: if one is empty or not valid
    """
    form_widgets.check_filled(params, NEEDED)
    if params["method"] == "folds":
        devices.check(params)
    label_launch.check_mistakes(samples, **_arguments(params))


def _add_summary(form: types.Object, samples: Any, params: dict[str, Any]) -> None:
    """Tells what is compared; warns of samples that were trained on."""
    gt_field = params["gt_field"]
    labeled = samples.exists(gt_field)
    where = counted(len(labeled), "labeled sample")
    labels = counted(labeled.count(f"{gt_field}.detections"), "label")
    if params["method"] == "predictions":
        text = f"Compares the {labels} of {where} with {params['pred_field']!r}"
        form_widgets.add_notice(form, "what", text)
        _add_warning(form, labeled, params["pred_field"])
        return
    folds = params.get("folds", FOLDS)
    minutes = params.get("max_minutes", MAX_MINUTES)
    text = (
        f"{folds} trainings of up to {minutes:g} minutes each, {folds * minutes:g} "
        f"minutes in total. Predicts {where} into '{label_launch.OUT_OF_FOLD}' and "
        f"compares their {labels}"
    )
    form_widgets.add_notice(form, "what", text)


def _add_warning(form: types.Object, samples: Any, pred_field: str) -> None:
    models = predicted_by.read(fiftyone_private.root_dataset(samples), pred_field)
    learned = dataset_values.computed(
        samples,
        ("trained_on", pred_field, str(models)),
        lambda: trained_on.count(samples, pred_field),
    )
    if learned == 0:
        return
    if learned is None:
        text = f"It is not known what the model of '{pred_field}' was trained on. "
    else:
        text = (
            f"The model of '{pred_field}' was trained on {learned:,} of these "
            f"{counted(len(samples), 'labeled sample')}. "
        )
    text += (
        "A model tends to agree with labels that it was trained on, right or wrong; "
        "cross-validation predicts each sample with a model that has not seen it"
    )
    form_widgets.add_notice(form, "trained_on", text, is_warning=True)
