"""The panel of a dataset's trainings: status, curves, and what to do with them."""

from datetime import UTC, datetime
from typing import Any, NamedTuple

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import control, status
from yolov1_fo.jobs.status import Row
from yolov1_fo.publishing.model_card import plain

from .. import following

PLUGIN = "@yolov1-fo/yolov1"
REFRESH_MS = 2000
TERMS = ("coord_xy", "coord_wh", "confidence_obj", "confidence_noobj", "class_probs")
HELP = """
Each row is a training of this dataset. **Train** begins one; while it goes on its
curves move. A training lives in a process of its own: close the browser, it goes on.

- *mAP* is VOC07 at IoU 0.5 on the images to measure on.
- *Stop* keeps the last whole epoch; *Resume* goes on as if nothing had happened.
"""
EMPTY = """
**No training yet.**
Train a YOLOv1 on the samples in front of you; its runs and curves will stand here. All
that it needs is a field of Detections.
"""


class RunsPanel(foo.Panel):
    """Shows the runs of a dataset."""

    @property
    def config(self) -> foo.PanelConfig:
        """What the App shows of it."""
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
        """Reads the runs of the other dataset, or of this one when it is reloaded."""
        self.refresh(ctx)

    def on_change_ctx(self, ctx: Any) -> None:
        """Reads the runs again."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the runs again; the timer calls it while one goes on."""
        rows = status.rows(ctx.dataset)
        ctx.panel.set_data("table", [_cells(row) for row in rows])
        going_on = _going_on(ctx.dataset, rows)
        for one in going_on:
            ctx.panel.set_data(one.name, one.done)
        before = ctx.panel.get_state("going_on") or {}
        now = {one.name: [one.task, one.target] for one in going_on}
        ctx.panel.set_state("going_on", now)
        ctx.panel.set_state("seen", datetime.now(UTC).isoformat())
        ended = [one for name, one in before.items() if name not in now]
        for task, target in ended:
            _tell_end(ctx, task, target)
        if ended:
            ctx.ops.reload_dataset()  # new fields and boxes are shown

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
        """Lays it out."""
        panel = types.Object()
        rows = status.rows(ctx.dataset)
        if not rows:
            panel.md(EMPTY, name="empty")
        self._buttons(panel, rows)
        going_on = _going_on(ctx.dataset, rows)
        for one in going_on:
            panel.float(
                one.name, view=types.ProgressView(label=f"{one.target}: {one.says}")
            )
        if rows:
            _table(panel)
            for row in rows:
                if row.status == "failed":
                    line = plain(f"{row.run_key}: {row.says}")
                    panel.view(f"why_{row.run_key}", types.Warning(label=line))
            _curves(panel, rows)
        if going_on:
            panel.view(
                "timer",
                types.TimerView(interval=REFRESH_MS, on_interval=self.refresh),
            )
        return types.Property(
            panel,
            view=types.GridView(
                orientation="vertical", gap=2, pad=1, align_x="stretch"
            ),
        )

    def _buttons(self, panel: types.Object, rows: list[Row]) -> None:
        bar = panel.h_stack("buttons", gap=1)
        bar.btn("train", label="Train", on_click=self.train, variant="contained")
        active = any(row.is_active for row in rows)
        still = any(row.status in ("stopped", "failed") for row in rows)
        trained = any(row.epoch for row in rows)
        for name, wanted in (
            ("stop", active),
            ("resume", still),
            ("apply", trained),
            ("evaluate", trained),
            ("publish", trained),
        ):
            if wanted:
                bar.btn(name, label=name.capitalize(), on_click=getattr(self, name))


def _cells(row: Row) -> dict[str, str]:
    """Returns what the table says of a run, as text."""
    epochs = f"{row.epoch} of {row.epochs}" if row.epochs else ""
    return {
        "run": row.run_key,
        "status": row.status,
        "epochs": epochs,
        "best": "" if row.best is None else f"{row.best:.3f}",
        "age": _age(row.begun),
    }


class _GoingOn(NamedTuple):
    """A job that goes on.

    Attributes:
        task: of the job
        target: run, field or evaluation
        says: what it does now
        done: how far it is, in [0, 1]
    """

    task: str
    target: str
    says: str
    done: float

    @property
    def name(self) -> str:
        """Of its bar."""
        return f"bar_{self.task}_{self.target}"


def _going_on(dataset: Any, rows: list[Row]) -> list[_GoingOn]:
    trainings = [
        _GoingOn("train", row.run_key, row.says, row.done)
        for row in rows
        if row.is_active
    ]
    others = [
        _GoingOn(job.task, job.target, job.progress.label, job.progress.done)
        for job in control.all_of(dataset)
        if job.task in control.OTHERS and job.progress.is_active
    ]
    return trainings + others


def _tell_end(ctx: Any, task: str, target: str) -> None:
    """Tells how a job has ended; an evaluation is shown."""
    job = control.find(control.folder(ctx.dataset, task, target))
    if job is None:
        return  # it was begun elsewhere
    variants = {"finished": "success", "failed": "error"}
    line = state = job.progress.state
    if state == "failed" and task in control.OTHERS:  # the panel says it of a training
        line = f"failed: {job.progress.label}"
    ctx.ops.notify(f"{target}: {line}", variant=variants.get(state, "info"))
    if job.task == "evaluate" and state == "finished":
        following.open_panel(ctx, following.EVALUATIONS)


def _age(begun: datetime | None) -> str:
    """Returns how long ago something was, as a person says it."""
    if begun is None:
        return ""
    begun = begun if begun.tzinfo else begun.replace(tzinfo=UTC)
    seconds = (datetime.now(UTC) - begun).total_seconds()
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return "now"


def _table(panel: types.Object) -> None:
    narrow = {"table": {"sx": {"minWidth": 0}}}  # else it is wider than half a window
    table = types.TableView(size="small", componentsProps=narrow)
    for key, label in (
        ("run", "Run"),
        ("status", "Status"),
        ("epochs", "Epochs"),
        ("best", "Best mAP"),
        ("age", "Age"),
    ):
        table.add_column(key, label=label)
    panel.list("table", types.Object(), view=table)


def _curves(panel: types.Object, rows: list[Row]) -> None:
    """Adds two plots: mAP and loss of all runs, and the terms of the newest.

    The App merges a plot's data point by point into what it showed before, so that a
    plot of other runs needs another name.
    """
    shown = [row for row in rows if row.history.get("loss")]
    if not shown:
        return
    names = "_".join(row.run_key for row in shown)
    scores = [
        _line(row.history[name], row.run_key)
        for row in shown
        for name in ("val_voc07", "val_top1")
        if name in row.history
    ]
    if scores:
        _plot(panel, f"score_{names}", scores, "mAP on the images to measure on")
    losses = [_line(row.history["loss"], row.run_key) for row in shown]
    _plot(panel, f"loss_{names}", losses, "Loss")
    newest = shown[0]
    terms = [
        _line(newest.history[term], term.replace("_", " "))
        for term in TERMS
        if term in newest.history
    ]
    if terms:
        title = f"Terms of the loss of {newest.run_key}"
        _plot(panel, f"terms_{newest.run_key}", terms, title)


def _line(values: list[float | None], name: str) -> dict[str, Any]:
    points = [
        (n, value) for n, value in enumerate(values, start=1) if value is not None
    ]
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [n for n, _ in points],
        "y": [value for _, value in points],
    }


def _plot(
    panel: types.Object, name: str, data: list[dict[str, Any]], title: str
) -> None:
    above = 20 * -(-len(data) // 3)  # rows of the legend
    layout = {
        "title": {"text": title, "font": {"size": 14}, "x": 0.01, "y": 0.98},
        "height": 280 + above,
        "margin": {"l": 50, "r": 10, "t": 40 + above, "b": 40},
        "xaxis": {"title": {"text": "epoch"}, "rangemode": "tozero"},
        "yaxis": {"rangemode": "tozero"},
        "showlegend": len(data) > 1,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    }
    panel.plot(name, data=data, layout=layout)
