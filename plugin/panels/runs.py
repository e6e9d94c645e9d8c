"""The panel of a dataset's trainings: status, curves, and actions."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import fiftyone.operators as foo
import fiftyone.operators.types as types
import humanize

from yolov1_fo.jobs import monitor, runs_table
from yolov1_fo.jobs.job import OTHER_TASKS, Job
from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.publishing.model_card import plain

from .. import job_end
from . import curves

PLUGIN = "@yolov1-fo/yolov1"
REFRESH_MS = 2000
HELP = """
Each row is a training run of this dataset. **Train** starts a new one; its curves are
updated while it runs. Training runs in a separate process: it continues when you close
the browser.

- *Best mAP* is the VOC07 mAP at IoU 0.5 on the validation split.
- *Threshold* is the confidence threshold of the best F1 there.
- *Stop* keeps the last complete epoch; *Resume* continues from there.
"""
EMPTY = """
**No training runs yet.**
Train a YOLOv1 on the current view; its status and curves will appear here. All you need
is a field of Detections.
"""


class RunsPanel(foo.Panel):
    """Shows the runs of a dataset."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's name, label and options."""
        return foo.PanelConfig(
            name="yolov1_runs",
            label="YOLOv1 runs",
            icon="model_training",
            category=foo.Categories.ANALYZE,
            help_markdown=HELP,
            surfaces="grid",
        )

    def on_load(self, ctx: Any) -> None:
        """Reads the runs."""
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads the runs again: another dataset, or the same one reloaded."""
        self.refresh(ctx)

    def on_change_ctx(self, ctx: Any) -> None:
        """Reads the runs again."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the runs again; also called by the timer while a job is running."""
        jobs = monitor.list_jobs(ctx.dataset)
        rows = runs_table.rows(ctx.dataset, jobs)
        ctx.panel.set_data("table", [_cells(row) for row in rows])
        active = _active_jobs(jobs, rows)
        for job in active:
            ctx.panel.set_data(job.name, job.done)
        before = ctx.panel.get_state("active") or {}
        now = {job.name: [job.task, job.target] for job in active}
        ctx.panel.set_state("active", now)
        ctx.panel.set_state("refreshed", datetime.now(UTC).isoformat())
        ended = [job for name, job in before.items() if name not in now]
        for task, target in ended:
            _notify_end(ctx, task, target)
        if ended:
            ctx.ops.reload_dataset()  # shows new fields and labels

    def train(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/train_model")

    def stop(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/stop_training")

    def resume(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/resume_training")

    def apply(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/apply_model")

    def evaluate(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/evaluate_model")

    def publish(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/publish_model")

    def render(self, ctx: Any) -> types.Property:
        """Returns the panel's layout."""
        panel = types.Object()
        jobs = monitor.list_jobs(ctx.dataset)
        rows = runs_table.rows(ctx.dataset, jobs)
        if not rows:
            panel.md(EMPTY, name="empty")
        self._add_buttons(panel, rows)
        active = _active_jobs(jobs, rows)
        for job in active:
            label = f"{job.target}: {job.label}"
            panel.float(job.name, view=types.ProgressView(label=label))
        if rows:
            _add_table(panel, rows)
            for row in rows:
                if row.status == "failed":
                    line = plain(f"{row.run_key}: {row.message}")
                    panel.view(f"error_{row.run_key}", types.Warning(label=line))
            curves.add_curves(panel, rows)
        if active:
            panel.view(
                "timer",
                types.TimerView(interval=REFRESH_MS, on_interval=self.refresh),
            )
        layout = types.GridView(orientation="vertical", gap=2, pad=1, align_x="stretch")
        return types.Property(panel, view=layout)

    def _add_buttons(self, panel: types.Object, rows: list[Row]) -> None:
        bar = panel.h_stack("buttons", gap=1)
        bar.btn("train", label="Train", on_click=self.train, variant="contained")
        is_active = any(row.is_active for row in rows)
        is_resumable = any(row.status in ("stopped", "failed") for row in rows)
        is_trained = any(row.epoch for row in rows)
        for name, is_shown in (
            ("stop", is_active),
            ("resume", is_resumable),
            ("apply", is_trained),
            ("evaluate", is_trained),
            ("publish", is_trained),
        ):
            if is_shown:
                bar.btn(name, label=name.capitalize(), on_click=getattr(self, name))


def _cells(row: Row) -> dict[str, str]:
    """Returns a row of the table, as text."""
    return {
        "run": row.run_key,
        "status": row.status,
        "epochs": row.epochs_text,
        "best": row.best_text,
        "thresh": row.thresh_text,
        "parent": row.parent,
        "started": _age(row.started),
    }


class _ActiveJob(NamedTuple):
    """A running job.

    Attributes:
        task: of the job
        target: run, field or evaluation
        label: what it does now
        done: part of the work that is done, in [0, 1]
    """

    task: str
    target: str
    label: str
    done: float

    @property
    def name(self) -> str:
        """The name of its progress bar."""
        return f"bar_{self.task}_{self.target}"


def _active_jobs(jobs: list[Job], rows: list[Row]) -> list[_ActiveJob]:
    trainings = [
        _ActiveJob("train", row.run_key, row.message, row.done)
        for row in rows
        if row.is_active
    ]
    others = [
        _ActiveJob(job.task, job.target, job.progress.label, job.progress.done)
        for job in jobs
        if job.task in OTHER_TASKS and job.progress.is_active
    ]
    return trainings + others


def _notify_end(ctx: Any, task: str, target: str) -> None:
    """Shows how a job has ended, and the results of an evaluation."""
    job = monitor.find(monitor.job_folder(ctx.dataset, task, target))
    if job is None:
        return  # started outside the App
    variants = {"finished": "success", "failed": "error"}
    line = state = job.progress.state
    if state == "failed" and task in OTHER_TASKS:  # the panel shows those of runs
        line = f"failed: {job.progress.label}"
    ctx.ops.notify(f"{target}: {line}", variant=variants.get(state, "info"))
    if state == "finished":
        job_end.show(ctx, job)


def _age(started: datetime | None) -> str:
    """Returns how long ago a run was started, such as "2 hours ago"."""
    if started is None:
        return ""
    started = started if started.tzinfo else started.replace(tzinfo=UTC)
    return humanize.naturaltime(started, when=datetime.now(UTC))


def _add_table(panel: types.Object, rows: list[Row]) -> None:
    """Adds the table; a column that would be empty takes no space."""
    narrow = {"table": {"sx": {"minWidth": 0}}}  # else wider than half a window
    table = types.TableView(size="small", componentsProps=narrow)
    for key, label, is_shown in (
        ("run", "Run", True),
        ("status", "Status", True),
        ("epochs", "Epochs", True),
        ("best", "Best mAP", True),
        ("thresh", "Threshold", any(row.thresh_text for row in rows)),
        ("parent", "Started from", any(row.parent for row in rows)),
        ("started", "Started", True),
    ):
        if is_shown:
            table.add_column(key, label=label)
    panel.list("table", types.Object(), view=table)
