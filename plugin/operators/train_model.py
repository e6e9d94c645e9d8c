"""Trains a detector in a child process."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo import architectures
from yolov1_fo.config import recipes
from yolov1_fo.jobs import launch
from yolov1_fo.runs import registry
from yolov1_fo.training.starting_weights import Source

from .. import job_progress, placements
from ..forms import (
    devices,
    form_widgets,
    same_settings,
    setting_inputs,
    splits,
    start_from,
    training_summary,
)
from ..forms.training_summary import Training
from ..names import GT_FIELD


class TrainModel(foo.Operator):
    """Trains a YOLOv1 on a dataset or view."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="train_model",
            label="Train YOLOv1",
            description="Train a detector on the current view",
            icon="model_training",
            dynamic=True,
            allow_immediate_execution=True,
            allow_delegated_execution=True,
            risk_level=types.RiskLevel.MEDIUM,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: field, split, run name, and settings."""
        form = types.Object()
        samples = form_widgets.add_target(ctx, form, "Train on")
        fields = samples and form_widgets.detection_fields(samples, form)
        if fields:
            self._add_inputs(ctx, form, samples, fields)
        return types.Property(form, view=types.View(label="Train YOLOv1"))

    def _add_inputs(
        self, ctx: Any, form: types.Object, samples: Any, fields: list[str]
    ) -> None:
        # 1. Data.
        field = form_widgets.add_dropdown(
            *(form, "gt_field", fields),
            label="Ground truth field",
            default=GT_FIELD,
            params=ctx.params,
        )
        params = splits.add_inputs(form, samples, {**ctx.params, "gt_field": field})

        # 2. Run, and what it starts from; then all checks.
        _add_run_key(form, ctx.dataset)
        weights = start_from.choices(ctx.dataset)
        start_from.add_input(form, weights)
        same_settings.add_input(form, ctx.dataset)
        chosen, error = form_widgets.attempt(
            lambda: (
                start_from.chosen(ctx.dataset, ctx.params, weights),
                setting_inputs.of_run(ctx.dataset, ctx.params),
            )
        )
        source, of_run = chosen or (None, {})
        settings = setting_inputs.given(ctx.params, of_run)
        training = None
        if not error:
            training, error = form_widgets.attempt(
                lambda: training_summary.check(samples, params, source, settings)
            )

        # 3. Settings; their descriptions show the values of empty inputs.
        self._add_settings(ctx, form, samples, source, training, of_run)
        devices.add_input(form)

        # 4. The first error, or a summary.
        if training is None:
            form_widgets.show_error(form, error, setting_inputs.hidden(ctx.params))
        else:
            same_settings.add_notice(form, ctx.params, of_run)
            training_summary.add(form, samples, params, source, training)

    def _add_settings(
        self,
        ctx: Any,
        form: types.Object,
        samples: Any,
        source: Source | None,
        training: Training | None,
        of_run: dict[str, Any],
    ) -> None:
        if not ctx.params.get("weights"):
            _add_network(form, of_run.get("network", recipes.DEFAULT_NETWORK))
        given = setting_inputs.given(ctx.params, of_run)
        checked = training and training.config

        def add(name: str, choices: tuple[str, ...] = ()) -> None:
            setting_inputs.add_setting(
                form, name, given, source, checked, choices, of_run
            )

        for name in setting_inputs.BASIC:
            add(name)
        form.bool("advanced", label="Advanced settings", default=False)
        if not ctx.params.get("advanced"):
            same_settings.add_hidden_notice(form, ctx.params)
            return
        for name in setting_inputs.ADVANCED:
            is_weights = name == "sample_weights"
            add(name, setting_inputs.sample_weights(samples) if is_weights else ())

    def execute(self, ctx: Any) -> Any:
        """Starts the training and reports its progress."""
        samples = ctx.target_view(require_flat=True)
        params = {"gt_field": GT_FIELD, **ctx.params}
        dataset = ctx.dataset

        def start() -> Any:
            train, val = splits.split(samples, params)
            of_run = setting_inputs.of_run(dataset, params)
            return launch.train(
                train,
                params["gt_field"],
                val,
                params.get("run_key"),
                setting_inputs.given(params, of_run),
                weights=params.get("weights") or None,
                device=devices.chosen(params),
            )

        return job_progress.run_job(ctx, start)

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """Returns the button above the samples."""
        return placements.button("Train YOLOv1", self.config.icon)

    def __call__(
        self,
        samples: Any,
        gt_field: str = GT_FIELD,
        *,
        run_key: str | None = None,
        split: str = "auto",
        delegate: bool = False,
        **settings: Any,
    ) -> Any:
        """Starts a training from Python; returns the operator's result.

        Args:
            samples: a FiftyOne dataset or view
            gt_field ("ground_truth"): field of Detections
            run_key (None): name of the run; generated if None
            split ("auto"): tags, views, auto, percent or none; its other inputs have
                the same names as in the form
            delegate (False): whether to queue a delegated operation
            **settings: other inputs of the form, `weights` for "Start from",
                `settings_of` for "Same settings as", `leave_out_unlabeled=False` to
                train on samples without labels
        """
        return foo.execute_operator(
            self.uri,
            ctx={"view": samples.view()},
            params={
                "gt_field": gt_field,
                "run_key": run_key,
                "split": split,
                **settings,
            },
            request_delegation=delegate,
        )


def _add_run_key(form: types.Object, dataset: Any) -> None:
    form.str(
        "run_key",
        label="Run name",
        description=f"{form_widgets.NAME_RULE}. Empty: an unused name",
        default=registry.new_key(dataset, "yolov1"),
    )


def _add_network(form: types.Object, default: str) -> None:
    """Adds the choice of the network, the recommended one first."""
    first = recipes.DEFAULT_NETWORK
    found = {first: architectures.NETWORKS[first], **architectures.NETWORKS}
    form_widgets.add_dropdown(
        form,
        "network",
        {name: f"{name}: {one.description}" for name, one in found.items()},
        label="Network",
        default=default,
    )
