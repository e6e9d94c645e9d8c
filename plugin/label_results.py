"""What the App shows when a job of the circle of labels has ended."""

from typing import Any

from fiftyone import ViewField as F

from yolov1_fo.config.plurals import counted
from yolov1_fo.curation import mistake_fields, suggestion_field
from yolov1_fo.jobs.job import Job

TITLES = {
    "find_mistakes": "Find label mistakes",
    "suggest": "Suggest labels",
    "next_to_label": "Choose samples to label next",
}


def show(ctx: Any, job: Job) -> None:
    """Shows the samples that a job has found, and a line about them.

    Args:
        ctx: the execution context of a panel
        job: that has ended
    """
    title, progress = TITLES[job.task], job.progress
    if progress.state != "finished":
        variant = "error" if progress.state == "failed" else "info"
        line = progress.label if progress.state == "failed" else "stopped"
        ctx.ops.notify(f"{title}: {line}", variant=variant)
        return
    result = progress.result or {}
    ctx.dataset.reload()
    ctx.ops.reload_dataset()  # shows new fields
    if job.task == "find_mistakes":
        show_view(ctx, f"{job.target}:{mistake_fields.ALL}")
    elif job.task == "suggest":
        show_suggestions(ctx, suggestion_field.name_of(job.target))
    else:
        ids = result.get("sample_ids", [])
        ctx.ops.set_view(ctx.dataset.select(ids, ordered=True))
    ctx.ops.notify(f"{title}: {line_of(job)}", variant="success")


def line_of(job: Job) -> str:
    """Returns what a finished job has found, in one line."""
    result = job.progress.result or {}
    if job.task == "find_mistakes":
        counts = [counted(n, kind) for kind, n in result.get("counts", {}).items()]
        return f"{', '.join(counts)}, in {result.get('samples', 0):,} samples"
    if job.task == "suggest":
        return str(result.get("line", ""))
    chosen = len(result.get("sample_ids", []))
    return f"{chosen:,} samples have the tag '{job.target}'"


def show_view(ctx: Any, name: str) -> None:
    """Shows a saved view, unless it was deleted or has no samples."""
    if not ctx.dataset.has_saved_view(name):
        ctx.ops.notify(f"The saved view '{name}' was deleted", variant="warning")
        return
    view = ctx.dataset.load_saved_view(name)
    if len(view):
        ctx.ops.set_view(view)
    else:
        ctx.ops.notify("No samples", variant="info")


def show_suggestions(ctx: Any, field: str) -> None:
    """Shows the samples with suggestions."""
    is_suggestion = F("tags").contains(suggestion_field.TAG)
    ctx.ops.set_view(ctx.dataset.filter_labels(field, is_suggestion))
