"""Follows a job: with a live bar in the App, until it ends when delegated."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import fiftyone.operators.types as types
from fiftyone.operators.delegated import DelegatedOperationService
from fiftyone.operators.executor import ExecutionRunState

from yolov1_fo import jobs

LOOK_EVERY = 5.0
"""Seconds between two looks at a delegated operation's state."""


def follow(ctx: Any, start: Callable[[], jobs.Job]) -> Any:
    """Starts a job and does with it what the caller can show.

    In the App the dialog shows a live bar, and may be closed; called from Python it
    returns at once; delegated it waits for the job, and stops it when the operation is
    marked as failed.

    Args:
        ctx: of the operator
        start: starts the job

    Returns:
        what `execute` returns
    """
    if ctx.delegated:
        return _wait(ctx, start())
    if "active_fields" in ctx.request_params:  # the App always sends them
        return _bar(ctx, start)
    return said(start())


def said(job: jobs.Job) -> dict[str, Any]:
    """Returns what an operator tells of a job."""
    return {
        "target": job.target,
        "folder": str(job.folder),
        "state": job.progress.state,
        "label": job.progress.label,
    }


def _bar(ctx: Any, start: Callable[[], jobs.Job]) -> Iterator[Any]:
    yield ctx.ops.set_progress(progress=0.0, label="starting")
    try:
        job = start()
        yield ctx.ops.reload_dataset()  # the panel of runs then looks again
        for now in jobs.follow(job):
            job = now
            progress = now.progress
            yield ctx.ops.set_progress(progress=progress.done, label=progress.label)
    except Exception as error:  # else the App would only close the dialog
        yield ctx.ops.notify(" ".join(str(error).split()), variant="error")
        return
    if job.progress.state == "failed":
        yield ctx.ops.notify(f"'{job.target}': {job.progress.label}", variant="error")
    yield ctx.ops.reload_dataset()
    yield ctx.ops.show_output(
        outputs=types.Property(outputs()).to_json(), results=said(job)
    )


def outputs() -> types.Object:
    """Returns the form that shows `said`."""
    form = types.Object()
    form.str("target", label="Run or field")
    form.str("state", label="State")
    form.str("label", label="It says")
    form.str("folder", label="Folder")
    return form


def _wait(ctx: Any, job: jobs.Job) -> dict[str, Any]:
    looked = time.monotonic()
    for now in jobs.follow(job):
        job = now
        ctx.set_progress(progress=now.progress.done, label=now.progress.label)
        if time.monotonic() - looked >= LOOK_EVERY:
            looked = time.monotonic()
            if now.progress.is_active and _was_failed(ctx):
                jobs.stop(now)
    if job.progress.state == "failed":
        raise RuntimeError(f"'{job.target}': {job.progress.label}")
    return said(job)


def _was_failed(ctx: Any) -> bool:
    identity = ctx._delegated_operation_id
    if identity is None:
        return False
    operation = DelegatedOperationService().get(identity)
    return operation is None or operation.run_state == ExecutionRunState.FAILED
