"""What the App shows when a job has ended."""

from typing import Any

from yolov1_fo.datasets import fiftyone_private, schema
from yolov1_fo.evaluation import shown_predictions
from yolov1_fo.jobs.job import OTHER_TASKS, Job

from . import confidence_view, expected_jobs, job_progress

PREDICTIONS_PANEL = "yolov1_predictions"
WRITING_TASKS = ("apply", "evaluate")
"""Tasks that write fields and labels."""
VARIANTS = {"finished": "success", "failed": "error"}


def show_ended(ctx: Any) -> None:
    """Shows the ends of jobs that the App has started; panels call it repeatedly."""
    for job in expected_jobs.take_ended(ctx):
        notify(ctx, job)


def notify(ctx: Any, job: Job) -> None:
    """Says how a job has ended, and shows its result."""
    line = state = job.progress.state
    if state == "failed" and job.task in OTHER_TASKS:  # the panel shows those of runs
        line = f"failed: {job.progress.label}"
    ctx.ops.notify(f"{job.target}: {line}", variant=VARIANTS.get(state, "info"))
    if state == "finished":
        show(ctx, job)
    if job.task in WRITING_TASKS:
        ctx.ops.reload_dataset()  # shows new fields and labels


def show(ctx: Any, job: Job) -> None:
    """Shows the result of a finished job: the predictions, or the evaluation.

    Args:
        ctx: of the operator or panel that has noticed the end
        job: that has finished
    """
    if job.task == "apply":
        _show_predictions(ctx, job.target)
    elif job.task == "evaluate":
        show_evaluation(ctx, job.target)


def _show_predictions(ctx: Any, field: str) -> None:
    """Restricts the view to the predictions that count, and says how many those are."""
    dataset = ctx.dataset
    path = f"frames.{field}" if dataset.media_type == "video" else field
    if schema.current_field(dataset, path) is None:  # reloads the dataset
        return
    if not confidence_view.has_field(dataset, path):  # labels of another kind
        ctx.ops.notify(f"'{field}' is in the sidebar", variant="info")
        return
    advice = shown_predictions.advise(dataset, path)
    view = confidence_view.current(ctx)
    thresh = advice.thresh
    if thresh is not None and confidence_view.has_field(view, path):
        confidence_view.show(ctx, path, thresh)
        view = confidence_view.restricted(view, path, thresh)
    elif not confidence_view.has_field(view, path):
        view = dataset.view()
    scores = confidence_view.confidences(view, path)
    line = confidence_view.line(view, path, advice, scores)
    ctx.ops.notify(line, variant="info")
    state = {"field": path, "thresh": None}
    job_progress.open_panel(ctx, PREDICTIONS_PANEL, state)


def show_evaluation(ctx: Any, eval_key: str) -> None:
    """Opens FiftyOne's Model Evaluation panel at an evaluation."""
    dataset = ctx.dataset
    if eval_key not in dataset.list_evaluations():
        dataset.reload()  # another process has stored it
    state = fiftyone_private.opened_evaluation(dataset, eval_key)
    job_progress.open_panel(ctx, job_progress.EVALUATION_PANEL, state)
