"""Opens the form of Train YOLOv1, filled in to continue from the last run."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.curation import run_splits
from yolov1_fo.runs import records, registry
from yolov1_fo.training.tasks import DETECT

from ..forms import form_widgets, label_changes, start_from

TRAIN = "@yolov1-fo/yolov1/train_model"
NO_RUN = "No training has ended yet; run 'Train YOLOv1' first"


class TrainAgain(foo.Operator):
    """Trains from the last run, on its splits, with the labels as they are now."""

    @property
    def config(self) -> foo.OperatorConfig:
        """The operator's name, label and options."""
        return foo.OperatorConfig(
            name="train_again",
            label="Train YOLOv1 again",
            description="Train again from a run, with the labels as they are now",
            icon="replay",
            dynamic=True,
            risk_level=types.RiskLevel.MEDIUM,
            view_target=False,
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Returns the form: the run, and what has changed since."""
        form = types.Object()
        runs = ended_runs(ctx.dataset)
        if not runs:
            form_widgets.show_error(form, NO_RUN)
        else:
            default = form_widgets.add_dropdown(form, "run_key", runs, label="Run")
            key = ctx.params.get("run_key") or default
            form_widgets.check(form, lambda: _add_summary(form, ctx.dataset, key))
        view = types.PromptView(label="Train YOLOv1 again", submit_button_label="Next")
        return types.Property(form, view=view)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Shows the labeled samples, and opens the form for them."""
        runs = ended_runs(ctx.dataset)
        key = ctx.params.get("run_key") or next(iter(runs), "")
        if key not in runs:
            raise ValueError(
                f"'{key}' is not a training that has ended" if key else NO_RUN
            )
        params = prefilled(ctx.dataset, key)
        ctx.ops.set_view(labelled(ctx.dataset, params["gt_field"]))
        ctx.prompt(TRAIN, params=params)
        return params

    def __call__(self, dataset: Any, run_key: str | None = None) -> Any:
        """Returns the inputs of Train YOLOv1 that continue from a run.

        `yolov1_fo.train(..., weights=run_key)` trains from Python.

        Args:
            dataset: the dataset
            run_key (None): of the run; the newest if None
        """
        return foo.execute_operator(
            self.uri, ctx={"dataset": dataset}, params={"run_key": run_key}
        )


def ended_runs(dataset: Any) -> dict[str, str]:
    """Returns the runs of detectors that a training can start from, newest first."""
    return {
        key: label
        for key, label in start_from.choices(dataset).items()
        if registry.exists(dataset, key)
        and getattr(records.info(dataset, key), "task", DETECT.name) == DETECT.name
    }


def labelled(dataset: Any, gt_field: str) -> Any:
    """Returns the samples that have labels: all, if none lacks them."""
    view = dataset.exists(gt_field)
    return dataset.view() if len(view) == len(dataset) else view


def prefilled(dataset: Any, run_key: str) -> dict[str, Any]:
    """Returns the inputs of Train YOLOv1: the run, its field and its splits."""
    params = {"weights": run_key, "gt_field": _gt_field(dataset, run_key)}
    splits = run_splits.find(dataset, run_key)
    if splits.is_put_aside:
        return {**params, "split": "auto"}
    if not splits.has_val:
        return {**params, "split": "none"}
    if not splits.val_tag:
        return params
    tags = {"train_tag": splits.train_tag, "val_tag": splits.val_tag}
    return {**params, "split": "tags", **tags}


def _gt_field(dataset: Any, run_key: str) -> str:
    return str(records.info(dataset, run_key).gt_field)


def _add_summary(form: types.Object, dataset: Any, run_key: str) -> None:
    field = _gt_field(dataset, run_key)
    samples = labelled(dataset, field)
    text = label_changes.line(samples, run_key, field)
    form_widgets.add_notice(form, "label_changes", text)
    missing = len(dataset) - len(samples)
    if missing:
        text = f"{missing:,} samples without labels in '{field}' are left out"
        form_widgets.add_notice(form, "unlabelled", text)
    splits = run_splits.find(dataset, run_key)
    if splits.has_val and not splits.is_put_aside and not splits.val_tag:
        text = (
            f"The splits of run '{run_key}' are no tags; choose them in the next form"
        )
        form_widgets.add_notice(form, "splits", text, is_warning=True)
