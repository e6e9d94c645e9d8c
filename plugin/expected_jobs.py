"""The jobs that the App has started, and whether it has shown how they ended.

They are in a store of the dataset, so that the first panel that notices an end shows
it, once, even if no panel saw the job while it ran.
"""

from pathlib import Path
from typing import Any

from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import Job

STORE = "yolov1_fo_jobs"
SECONDS = 24 * 60 * 60
"""After this time an end is not shown any more."""


def expect(ctx: Any, job: Job) -> None:
    """Remembers a job that was started in the App."""
    _write(ctx, job, is_shown=False)


def are_running(ctx: Any) -> bool:
    """Returns whether the end of a job is still to be shown."""
    return any(not one["is_shown"] for one in _entries(ctx).values())


def take_ended(ctx: Any) -> list[Job]:
    """Returns the jobs that have ended; the next call does not return them again."""
    ended = []
    for key, entry in _entries(ctx).items():
        if entry["is_shown"]:
            continue
        job = monitor.find(Path(entry["folder"]))
        if job is None:
            ctx.store(STORE).delete(key)
        elif not job.progress.is_active:
            _write(ctx, job, is_shown=True)
            ended.append(job)
    return ended


def is_expected(ctx: Any, job: Job) -> bool:
    """Returns whether `take_ended` returns a job, or has done so."""
    entry = ctx.store(STORE).get(_key(job))
    return entry is not None and entry["pid"] == job.pid


def _entries(ctx: Any) -> dict[str, Any]:
    store = ctx.store(STORE)
    found = {key: store.get(key) for key in store.list_keys()}
    return {key: entry for key, entry in found.items() if entry is not None}


def _write(ctx: Any, job: Job, *, is_shown: bool) -> None:
    entry = {"folder": str(job.folder), "pid": job.pid, "is_shown": is_shown}
    ctx.store(STORE).set(_key(job), entry, ttl=SECONDS)


def _key(job: Job) -> str:
    return f"{job.task} {job.target}"
