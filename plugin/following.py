"""Follows a job: by the panel in the App, until it ends when delegated."""

import time
from collections.abc import Callable
from typing import Any

from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from yolov1_fo.jobs import control

RUNS, EVALUATIONS = "yolov1_runs", "model_evaluation_panel_builtin"
"""Panels: ours, and FiftyOne's own."""
LOOK_EVERY = 5.0
"""Seconds between two looks at a delegated operation's state."""


def follow(ctx: Any, start: Callable[[], control.Job]) -> Any:
    """Starts a job, and follows it as far as the caller can.

    In the App it opens the panel of runs, where a bar and the curves move until the job
    has ended; called from Python it returns at once; delegated it waits for the job,
    and stops it when the operation is marked as failed.

    Args:
        ctx: of the operator
        start: starts the job

    Returns:
        what `execute` returns
    """
    if ctx.delegated:
        return _wait(ctx, start())
    job = start()
    open_panel(ctx, RUNS)
    ctx.ops.reload_dataset()  # a panel that is open then looks again
    return said(job)


def is_app(ctx: Any) -> bool:
    """Returns whether the App calls, which always says which fields it shows."""
    return "active_fields" in ctx.request_params


def open_panel(ctx: Any, name: str) -> None:
    """Shows a panel beside the samples, as a tab where another one stands already."""
    beside = None if _is_open(ctx.spaces) else "horizontal"
    ctx.ops.open_panel(name, layout=beside, is_active=True)


def _is_open(space: Any) -> bool:
    """Returns whether the panel of runs is open."""
    if getattr(space, "type", None) == RUNS:
        return True
    return any(_is_open(child) for child in getattr(space, "children", ()))


def said(job: control.Job) -> dict[str, Any]:
    """Returns what an operator tells of a job."""
    return {
        "target": job.target,
        "folder": str(job.folder),
        "state": job.progress.state,
        "label": job.progress.label,
        **(job.progress.result or {}),
    }


def _wait(ctx: Any, job: control.Job) -> dict[str, Any]:
    looked = time.monotonic()
    for now in control.follow(job):
        job = now
        ctx.set_progress(progress=now.progress.done, label=now.progress.label)
        if time.monotonic() - looked >= LOOK_EVERY:
            looked = time.monotonic()
            if now.progress.is_active and _was_failed(ctx):
                control.stop(now)
    if job.progress.state == "failed":
        raise RuntimeError(f"'{job.target}': {job.progress.label}")
    return said(job)


def _was_failed(ctx: Any) -> bool:
    identity = ctx._delegated_operation_id
    if identity is None:
        return False
    operation = DelegatedOperationService().get(identity)
    return operation is None or operation.run_state == ExecutionRunState.FAILED
