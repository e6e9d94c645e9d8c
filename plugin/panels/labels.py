"""The panel of the circle of labels: its steps in order, and what they have found."""

from pathlib import Path
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.curation import label_status, mistake_fields
from yolov1_fo.curation.candidates import TAG
from yolov1_fo.curation.mistake_kinds import KINDS, MISTAKE_KINDS
from yolov1_fo.jobs import monitor
from yolov1_fo.jobs.job import Job
from yolov1_fo.jobs.label_tasks import LABEL_TASKS

from .. import label_results
from ..forms import continued_run
from ..names import PLUGIN
from . import job_bars, panel_state, widgets
from .job_bars import ActiveJob

REFRESH_MS = 2000
STEPS = {
    "find_mistakes": "1. Find mistakes",
    "suggest_labels": "2. Suggest labels",
    "accept_labels": "3. Accept",
    "undo_accept": "Undo",
    "next_to_label": "4. Choose next",
    "train_again": "5. Train again",
}
"""The buttons: operators, with their labels."""
HELP = """
A detector is trained in a loop: train, look, fix labels, train again.

1. *Find mistakes* compares labels with predictions. Show a kind, and correct its labels
   in the App or in an annotation tool.
2. *Suggest labels* predicts labels for samples without.
3. *Accept* adds suggestions, or missing objects, to the labels. *Undo* takes them back.
4. *Choose next* tags the samples whose labels would help most.
5. *Train again* starts from the last run.

No label is ever changed or deleted by these steps.
"""


class LabelsPanel(foo.Panel):
    """Shows the steps of mending labels, and their results."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's name, label and options."""
        return foo.PanelConfig(
            name="yolov1_labels",
            label="YOLOv1 labels",
            icon="fact_check",
            category=foo.Categories.CURATE,
            help_markdown=HELP,
            surfaces="grid",
        )

    def on_load(self, ctx: Any) -> None:
        """Reads what was found."""
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads it again: another dataset, or the same one reloaded."""
        self.refresh(ctx)

    def on_change_view(self, ctx: Any) -> None:
        """Reads it again: labels may have been edited."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads mistakes, suggestions and jobs."""
        found = [one._asdict() for one in label_status.mistakes(ctx.dataset)]
        suggested = [one._asdict() for one in label_status.suggestions(ctx.dataset)]
        chosen = len(ctx.dataset.match_tags(TAG))
        panel_state.update(ctx, mistakes=found, suggestions=suggested, chosen=chosen)
        for number, one in enumerate(found):
            rows = [_row(kind, one["counts"][kind]) for kind in KINDS]
            ctx.panel.set_data(f"mistakes_{number}", rows)
        rows = [{k: str(v) for k, v in one.items()} for one in suggested]
        ctx.panel.set_data("suggestions_table", rows)
        self.follow(ctx)

    def follow(self, ctx: Any) -> None:
        """Follows the jobs; called by the timer."""
        active = _active(ctx.dataset)
        for job in active:
            ctx.panel.set_data(f"{job.name}.done", job.done)
        before = ctx.panel.get_state("active") or []
        now = [job.folder for job in active]
        ended = [folder for folder in before if folder not in now]
        panel_state.update(ctx, active=now)
        for found in map(monitor.find, map(Path, ended)):
            if found is not None:
                label_results.show(ctx, found)
        if ended:
            self.refresh(ctx)

    def open_step(self, ctx: Any) -> None:
        """Opens the form of a step."""
        step = ctx.params["step"]
        whole = {"view_target": "DATASET"}  # not the mistakes that are shown
        if step == "train_again":
            _open_training(ctx)
        else:
            ctx.prompt(f"{PLUGIN}/{step}", params=whole, on_success=self.refresh)

    def stop(self, ctx: Any) -> None:
        """Stops a job."""
        job_bars.stop(ctx, _jobs(ctx.dataset))

    def show_kind(self, ctx: Any) -> None:
        """Shows the mistakes of a row of the table."""
        name = ctx.params["path"].rpartition("_")[2]
        found = ctx.panel.get_state("mistakes")[int(name)]
        label_results.show_view(ctx, f"{found['name']}:{KINDS[ctx.params['row']]}")

    def show_all(self, ctx: Any) -> None:
        """Shows the mistakes of all kinds."""
        label_results.show_view(ctx, f"{ctx.params['name']}:{mistake_fields.ALL}")

    def clear(self, ctx: Any) -> None:
        """Opens the form that deletes the mistakes that were found."""
        params = {"mistake_field": ctx.params["name"]}
        uri = f"{PLUGIN}/clear_mistakes"
        ctx.prompt(uri, params=params, on_success=self.refresh)

    def show_suggestions(self, ctx: Any) -> None:
        """Shows the suggestions of a row of the table."""
        found = ctx.panel.get_state("suggestions")[ctx.params["row"]]
        label_results.show_suggestions(ctx, found["field"])

    def show_chosen(self, ctx: Any) -> None:
        """Shows the samples to label next."""
        ctx.ops.set_view(ctx.dataset.match_tags(TAG))

    def render(self, ctx: Any) -> types.Property:
        """Returns the panel's layout."""
        panel = types.Object()
        self._add_steps(panel)
        job_bars.add(panel, _active(ctx.dataset), self.stop)
        for number, found in enumerate(ctx.panel.get_state("mistakes") or []):
            self._add_mistakes(panel, number, found)
        if ctx.panel.get_state("suggestions"):
            self._add_suggestions(panel)
        if chosen := ctx.panel.get_state("chosen"):
            bar = widgets.add_bar(panel, "next")
            label = f"Show {chosen:,} to label next"
            widgets.add_button(bar, "show_chosen", label, self.show_chosen)
        panel.view(
            "timer", types.TimerView(interval=REFRESH_MS, on_interval=self.follow)
        )
        return types.Property(panel, view=widgets.layout())

    def _add_steps(self, panel: types.Object) -> None:
        bar = widgets.add_bar(panel, "steps")
        for step, label in STEPS.items():
            widgets.add_button(bar, step, label, self.open_step, params={"step": step})

    def _add_mistakes(
        self, panel: types.Object, number: int, found: dict[str, Any]
    ) -> None:
        total, name = sum(found["counts"].values()), found["name"]
        title = (
            f"**{total:,} possible mistakes** in '{found['gt_field']}', compared with "
            f"'{found['pred_field']}'"
        )
        panel.md(title, name=f"title_{number}")
        table = widgets.narrow_table(actions_label="Show")
        for key, label in (("kind", "Kind"), ("count", "Count"), ("meaning", "")):
            table.add_column(key, label=label)
        table.add_row_action(
            "show", self.show_kind, icon="visibility", tooltip="Show these samples"
        )
        panel.list(f"mistakes_{number}", types.Object(), view=table)
        bar = widgets.add_bar(panel, f"all_{number}")
        for key, label, click in (
            ("show_all", "Show all", self.show_all),
            ("clear", "Clear", self.clear),
        ):
            widgets.add_button(bar, key, label, click, params={"name": name})

    def _add_suggestions(self, panel: types.Object) -> None:
        panel.md("**Suggestions** to accept or delete", name="title_suggestions")
        table = widgets.narrow_table(actions_label="Show")
        for key, label in (
            ("field", "Field"),
            ("labels", "Labels"),
            ("samples", "Samples"),
        ):
            table.add_column(key, label=label)
        table.add_row_action(
            "show",
            self.show_suggestions,
            icon="visibility",
            tooltip="Show these samples",
        )
        panel.list("suggestions_table", types.Object(), view=table)


def _open_training(ctx: Any) -> None:
    """Opens the form of Train, filled in to continue from the newest run."""
    try:
        ctx.prompt(continued_run.TRAIN, params=continued_run.inputs(ctx.dataset))
    except ValueError as error:
        ctx.ops.notify(str(error), variant="warning")


def _row(kind: str, count: int) -> dict[str, str]:
    meaning = MISTAKE_KINDS[kind]
    return {
        "kind": kind.capitalize(),
        "count": f"{count:,}",
        "meaning": f"{meaning[0].upper()}{meaning[1:]}",
    }


def _jobs(dataset: Any) -> list[Job]:
    """Returns the jobs of the circle of labels."""
    return [job for job in monitor.list_jobs(dataset) if job.task in LABEL_TASKS]


def _active(dataset: Any) -> list[ActiveJob]:
    return job_bars.active_jobs(_jobs(dataset), [])
