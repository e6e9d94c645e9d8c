"""The panel of a dataset's trainings: progress, runs, curves, a page for each run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.jobs import monitor, runs_table
from yolov1_fo.jobs.label_tasks import LABEL_TASKS
from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.publishing.model_card import plain

from .. import expected_jobs, job_end, job_progress, label_results
from . import (
    curves,
    job_bars,
    panel_state,
    run_actions,
    run_cells,
    run_page,
    run_results,
    widgets,
)
from .run_actions import RunActions

REFRESH_MS, IDLE_MS = 2000, 5000
"""Milliseconds between two readings, while a job is running and else."""
HELP = """
Each row is a training run of this dataset. **Train** starts a new one; its curves are
updated while it runs. Training runs in a separate process: it continues when you close
the browser. Trainings on one device wait for each other.

- Click a row for its details and report. The menu at its end applies, evaluates,
  resumes, compares, publishes, exports, renames or deletes it, and keeps a note.
- *VOC07 mAP@0.5* is that of the best epoch, on the validation split.
- Stopping a training keeps its last complete epoch; *Resume* continues from there.
  Runs that were started in Python are resumed there.
  Stopping Apply keeps the predictions so far; stopping Evaluate keeps nothing.
"""
EMPTY = """
**No training runs yet.**
Train a YOLOv1 on the current view; its status and curves will appear here. All you need
is a field of Detections.
"""


class RunsPanel(RunActions, foo.Panel):
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
        """Reads the runs; a new page of the browser has no pictures yet."""
        panel_state.update(ctx, pictures={})
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads the runs again: another dataset, or the same one reloaded."""
        self.refresh(ctx)

    def on_change_ctx(self, ctx: Any) -> None:
        """Reads the runs again."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the runs again; also called by the timer."""
        jobs = monitor.list_jobs(ctx.dataset)
        rows = runs_table.rows(ctx.dataset, jobs)
        ctx.panel.set_data("table", [run_cells.cells(row) for row in rows])
        active = job_bars.active_jobs(jobs, rows)
        for job in active:
            ctx.panel.set_data(f"{job.name}.done", job.done)
        self._send_pictures(ctx, rows)
        before = ctx.panel.get_state("active") or {}
        now = {job.name: [job.task, job.target, job.folder] for job in active}
        runs = [[row.run_key, row.folder] for row in rows]
        panel_state.update(ctx, runs=runs, active=now)
        job_end.show_ended(ctx)
        ended = [job for name, job in before.items() if name not in now]
        for _, _, folder in ended:
            _notify_end(ctx, folder)

    def _send_pictures(self, ctx: Any, rows: Sequence[Row]) -> None:
        """Sends the pictures that the panel shows and that have changed."""
        sent = dict(ctx.panel.get_state("pictures") or {})
        page = _find(rows, ctx.panel.get_state("page"))
        shown = page or next((row for row in rows if row.status == "running"), None)
        stored = {}
        if shown is not None:
            stored[run_page.LIVE] = run_page.live_picture(shown)
        if page is not None:
            stored[run_page.BATCH] = run_page.batch_picture(page)
        for name, (version, path) in stored.items():
            if path and sent.get(name) != version:
                ctx.panel.set_data(name, run_page.read_picture(path))
                sent[name] = version
        version = f"{page.run_key} {page.epoch}" if page else ""
        if page and not page.is_active and sent.get("images") != version:
            found = run_results.validation_pictures(ctx.dataset, page)
            for name, source in found.items():
                ctx.panel.set_data(name, source)
            sent["images"] = version
        panel_state.update(ctx, pictures=sent)

    def train(self, ctx: Any) -> None:
        """Opens the form."""
        self._prompt(ctx, "train_model")

    def resume(self, ctx: Any) -> None:
        """Opens the form."""
        self._prompt(ctx, "resume_training")

    def apply(self, ctx: Any) -> None:
        """Opens the form."""
        self._prompt(ctx, "apply_model")

    def evaluate(self, ctx: Any) -> None:
        """Opens the form."""
        self._prompt(ctx, "evaluate_model")

    def stop(self, ctx: Any) -> None:
        """Stops a job."""
        job_bars.stop(ctx, monitor.list_jobs(ctx.dataset))
        self.refresh(ctx)

    def back(self, ctx: Any) -> None:
        """Returns to the list of runs."""
        self._open(ctx, "", "")

    def choose_other(self, ctx: Any) -> None:
        """Selects the run to compare with."""
        ctx.panel.set_state("other", ctx.params["value"])
        self.refresh(ctx)

    def render(self, ctx: Any) -> types.Property:
        """Returns the panel's layout."""
        panel = types.Object()
        jobs = monitor.list_jobs(ctx.dataset)
        rows = runs_table.rows(ctx.dataset, jobs)
        active = job_bars.active_jobs(jobs, rows)
        page = _find(rows, ctx.panel.get_state("page"))
        other = _find(rows, ctx.panel.get_state("other"))
        if page is not None and other is not None and other != page:
            run_page.add_comparison(panel, ctx, (page, other), rows, self)
        elif page is not None:
            of_run = [one for one in active if one.target == page.run_key]
            job_bars.add(panel, of_run, self.stop)
            run_page.add(panel, ctx, page, rows, self)
        else:
            self._add_list(panel, rows, active)
        interval = REFRESH_MS if active else IDLE_MS
        timer = types.TimerView(interval=interval, on_interval=self.refresh)
        panel.view("timer", timer)
        return types.Property(panel, view=widgets.layout())

    def _add_list(
        self,
        panel: types.Object,
        rows: list[Row],
        active: list[job_bars.ActiveJob],
    ) -> None:
        """Adds the list of runs, with the progress of jobs and the curves."""
        if not rows:
            panel.md(EMPTY, name="empty")
        self._add_buttons(panel, rows)
        job_bars.add(panel, active, self.stop)
        if not rows:
            return
        self._add_table(panel, rows)
        for row in rows:
            if row.status == "failed":
                text = plain(f"{row.run_key}: {row.message}")
                panel.view(f"error_{row.run_key}", types.Warning(label=text))
        running = next((row for row in rows if row.status == "running"), None)
        if running is not None and run_page.live_picture(running)[1]:
            label = f"{running.run_key}: {run_page.LIVE_LABEL.lower()}"
            widgets.add_picture(panel, run_page.LIVE, label, label)
        curves.add_curves(panel, rows)
        learned = [row for row in rows if row.history]
        if learned:
            curves.add_components(panel, learned[0])

    def _add_buttons(self, panel: types.Object, rows: list[Row]) -> None:
        bar = widgets.add_bar(panel, "buttons")
        widgets.add_button(bar, "train", "Train", self.train, variant="contained")
        is_resumable = any(row.is_resumable for row in rows)
        is_trained = any(row.epoch for row in rows)
        for name, is_shown in (
            ("resume", is_resumable),
            ("apply", is_trained),
            ("evaluate", is_trained),
        ):
            if is_shown:
                widgets.add_button(bar, name, name.capitalize(), getattr(self, name))

    def _add_table(self, panel: types.Object, rows: list[Row]) -> None:
        """Adds the table, which fits into a third of a window."""
        table = widgets.narrow_table(
            widgets.NAME_OR_WORDS, on_click_row=self.open_run, actions_label="Menu"
        )
        for key, label in run_cells.COLUMNS.items():
            table.add_column(key, label=label)
        run_actions.add_menu(self, table, rows)
        for number, row in enumerate(rows):
            if row.note:
                table.add_tooltip(number, 0, row.note)
        panel.list("table", types.Object(), view=table)


def _find(rows: Sequence[Row], run_key: Any) -> Row | None:
    """Returns the row of a run; None if it was deleted, or is no run."""
    found = (row for row in rows if row.run_key == run_key and row.number is not None)
    return next(found, None)


def _notify_end(ctx: Any, folder: str) -> None:
    """Shows how a job has ended, unless `job_end.show_ended` does."""
    job = monitor.find(Path(folder)) if folder else None
    if job is None:
        return  # a training in Python
    if job.task in LABEL_TASKS:
        if not job_progress.is_open(ctx, job_progress.LABELS_PANEL):  # it shows the end
            label_results.show(ctx, job)
    elif not expected_jobs.is_expected(ctx, job):
        job_end.notify(ctx, job)
