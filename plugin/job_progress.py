"""Starts jobs for operators and reports their progress."""

import time
from collections.abc import Callable
from typing import Any

from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.jobs import monitor, spawn
from yolov1_fo.jobs.job import Job

RUNS_PANEL, EVALUATION_PANEL = "yolov1_runs", "model_evaluation_panel_builtin"
"""The panel of this plugin, and FiftyOne's own."""
CHECK_INTERVAL = 5.0
"""Seconds between two checks of a delegated operation's state."""


def run_job(ctx: Any, start: Callable[[], Job]) -> Any:
    """Starts a job and reports its progress.

    In the App this opens the runs panel, which shows the progress until the job has
    ended. Called from Python it returns immediately. A delegated operation waits for
    the job, and stops it if the operation is marked as failed.

    Args:
        ctx: the operator's execution context
        start: starts the job

    Returns:
        the operator's result
    """
    if ctx.delegated:
        return _wait(ctx, start())
    job = start()
    if not called_from_app(ctx):  # a script may end, and with it the database
        job = spawn.wait_until_connected(job)
    open_panel(ctx, RUNS_PANEL)  # one that is open refreshes itself
    return job_result(job)


def called_from_app(ctx: Any) -> bool:
    """Returns whether the App made the call: it always sends the visible fields."""
    return "active_fields" in ctx.request_params


def open_panel(ctx: Any, name: str) -> None:
    """Opens a panel next to the samples, or as a tab if the runs panel is open."""
    layout = None if _is_open(ctx.spaces) else "horizontal"
    ctx.ops.open_panel(name, layout=layout, is_active=True)


def _is_open(space: Any) -> bool:
    """Returns whether the runs panel is open."""
    if getattr(space, "type", None) == RUNS_PANEL:
        return True
    return any(_is_open(child) for child in getattr(space, "children", ()))


def job_result(job: Job) -> dict[str, Any]:
    """Returns a job's state and result as an operator's result."""
    return {
        "target": job.target,
        "folder": str(job.folder),
        "state": job.progress.state,
        "label": job.progress.label,
        **(job.progress.result or {}),
    }


def _wait(ctx: Any, job: Job) -> dict[str, Any]:
    checked = time.monotonic()
    for now in monitor.updates(job):
        job = now
        ctx.set_progress(progress=now.progress.done, label=now.progress.label)
        if time.monotonic() - checked >= CHECK_INTERVAL:
            checked = time.monotonic()
            if now.progress.is_active and _is_marked_failed(ctx):
                monitor.stop(now)
    if job.progress.state == "failed":
        raise RuntimeError(f"'{job.target}': {job.progress.label}")
    return job_result(job)


def _is_marked_failed(ctx: Any) -> bool:
    operation_id = fiftyone_private.delegated_operation_id(ctx)
    if operation_id is None:
        return False
    operation = DelegatedOperationService().get(operation_id)
    return operation is None or operation.run_state == ExecutionRunState.FAILED
