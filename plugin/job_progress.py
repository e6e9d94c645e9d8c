"""Starts jobs for operators and reports their progress."""

import time
from collections.abc import Callable
from typing import Any

import fiftyone as fo
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.jobs import monitor, spawn
from yolov1_fo.jobs.job import Job

from . import expected_jobs

RUNS_PANEL, LABELS_PANEL = "yolov1_runs", "yolov1_labels"
EVALUATION_PANEL = fiftyone_private.EVALUATION_PANEL
"""FiftyOne's own panel."""
CHECK_INTERVAL = 5.0
"""Seconds between two checks of a delegated operation's state."""


def run_job(ctx: Any, start: Callable[[], Job], panel: str = RUNS_PANEL) -> Any:
    """Starts a job and reports its progress.

    In the App this opens a panel, which shows the progress until the job has ended.
    Called from Python it returns immediately. A delegated operation waits for the job,
    and stops it if the operation is marked as failed.

    Args:
        ctx: the operator's execution context
        start: starts the job
        panel (that of the runs): its name

    Returns:
        the operator's result
    """
    if ctx.delegated:
        return _wait(ctx, start())
    job = start()
    if not called_from_app(ctx):  # a script may end, and with it the database
        job = spawn.wait_until_connected(job)
    elif panel == RUNS_PANEL:
        expected_jobs.expect(ctx, job)
    open_panel(ctx, panel)  # one that is open refreshes itself
    return job_result(job)


def called_from_app(ctx: Any) -> bool:
    """Returns whether the App made the call: it always sends the visible fields."""
    return "active_fields" in ctx.request_params


def open_panel(ctx: Any, name: str, state: dict[str, Any] | None = None) -> None:
    """Opens a panel next to the samples, or as a tab beside the runs panel.

    The App itself would open it among the tabs of the samples.

    Args:
        ctx: the execution context of an operator or panel
        name: of the panel
        state (None): parts of its state, also if it is open already
    """
    spaces = ctx.spaces
    panel_id = _find(spaces, name)
    neighbors = _space_of(spaces, RUNS_PANEL)
    if panel_id is not None:
        if state is not None:
            ctx.ops.patch_panel_state(state, panel_id=panel_id)
        ctx.ops.open_panel(name, is_active=True)
    elif neighbors is not None:
        panel = fo.Panel(type=name, state={"state": state or {}})
        neighbors.children.append(panel)
        neighbors.active_child = panel.component_id
        ctx.ops.set_spaces(spaces)
    else:
        whole = None if state is None else {"state": state}
        ctx.ops.open_panel(name, layout="horizontal", is_active=True, state=whole)


def is_open(ctx: Any, name: str) -> bool:
    """Returns whether a panel is open."""
    return _find(ctx.spaces, name) is not None


def _find(space: Any, name: str) -> str | None:
    """Returns the id of an open panel; None if it is not open."""
    if getattr(space, "type", None) == name:
        return str(space.component_id)
    found = (_find(child, name) for child in getattr(space, "children", ()))
    return next((one for one in found if one is not None), None)


def _space_of(space: Any, name: str) -> Any:
    """Returns the space whose tabs a panel is among; None if it is not open."""
    children = getattr(space, "children", ())
    if any(getattr(child, "type", None) == name for child in children):
        return space
    found = (_space_of(child, name) for child in children)
    return next((one for one in found if one is not None), None)


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
