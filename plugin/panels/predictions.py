"""The panel of predictions: how many are shown, and how good those are."""

import uuid
from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.evaluation import confidence_filter, shown_predictions
from yolov1_fo.evaluation.shown_predictions import Advice
from yolov1_fo.jobs import monitor
from yolov1_fo.publishing.model_card import plain

from .. import confidence_view, expected_jobs, job_end
from ..names import PLUGIN
from . import confidence_numbers, panel_state, widgets
from .confidence_numbers import Numbers

REFRESH_MS = 2000
HELP = """
A model writes predictions of all confidences, since mAP needs them. Look at those that
count: **Apply filter** restricts the current view to predictions of at least the
minimum confidence, and **Show all** restores it.

The slider starts at the threshold of the best F1. Precision, recall and F1 are those of
the latest evaluation of the field.
"""
EMPTY = """
**No predictions yet.**
Apply a model to the current view; how many of its predictions to show is chosen here.
"""
DEFAULT_THRESH = 0.2
"""Where the slider starts if no threshold is known."""


class PredictionsPanel(foo.Panel):
    """Chooses the predictions that are shown."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's name, label and options."""
        return foo.PanelConfig(
            name="yolov1_predictions",
            label="YOLOv1 predictions",
            icon="tune",
            category=foo.Categories.ANALYZE,
            help_markdown=HELP,
            surfaces="grid",
        )

    def on_load(self, ctx: Any) -> None:
        """Chooses the field that was written last, and the recommended threshold."""
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads the fields of the other dataset, or of the same one reloaded."""
        self.refresh(ctx)

    def on_change_view(self, ctx: Any) -> None:
        """Counts the predictions in the other view, when it is rendered."""

    def refresh(self, ctx: Any) -> None:
        """Reads the fields again; another field starts at its own threshold."""
        fields = confidence_view.fields(ctx.dataset)
        field = ctx.panel.get_state("field")
        if field not in fields:
            field = _last_applied(ctx.dataset, fields)
            panel_state.update(ctx, field=field, thresh=None)
        panel_state.update(ctx, fields=fields)
        self._renew(ctx)

    def _renew(self, ctx: Any) -> None:
        """Counts again; between two of these, moving the slider reads no sample."""
        if field := ctx.panel.get_state("field"):
            advice = shown_predictions.advise(ctx.dataset, field)
            ctx.panel.set_state("advice", list(advice))
            if ctx.panel.get_state("thresh") is None:
                ctx.panel.set_state("thresh", _start(ctx, field, advice))
        ctx.panel.set_state("version", f"{ctx.dataset.name} {uuid.uuid4()}")

    def choose(self, ctx: Any) -> None:
        """Chooses a field."""
        ctx.panel.set_state("field", ctx.params["value"])
        ctx.panel.set_state("thresh", None)
        self._renew(ctx)

    def move(self, ctx: Any) -> None:
        """Chooses the minimum confidence."""
        ctx.panel.set_state("thresh", ctx.params["value"])

    def filter(self, ctx: Any) -> None:
        """Restricts the view to the predictions of at least the minimum confidence."""
        field, thresh = _chosen(ctx)
        try:
            confidence_view.show(ctx, field, thresh)
        except ValueError as error:
            ctx.ops.notify(str(error), variant="error")

    def show_all(self, ctx: Any) -> None:
        """Restores the view as it was before the filter."""
        confidence_view.show_all(ctx, _chosen(ctx)[0])

    def save_view(self, ctx: Any) -> None:
        """Saves the filtered view under a new name."""
        field, thresh = _chosen(ctx)
        name = str(ctx.panel.get_state("save.name") or "").strip()
        view = confidence_view.current(ctx)
        if not name:
            error = "Enter a name for the view"
        elif name in ctx.dataset.list_saved_views():
            error = f"A saved view '{name}' exists; choose another name"
        elif not confidence_view.has_field(view, field):
            error = confidence_view.PATCHES.format(field)
        else:
            restricted = confidence_view.restricted(view, field, thresh)
            ctx.dataset.save_view(name, restricted)
            ctx.ops.notify(f"Saved view '{name}'", variant="success")
            ctx.ops.reload_dataset()  # its list of saved views
            return
        ctx.ops.notify(error, variant="error")

    def evaluate(self, ctx: Any) -> None:
        """Opens the form."""
        field = _chosen(ctx)[0]
        ctx.prompt(f"{PLUGIN}/evaluate_model", params={"pred_field": field})

    def apply(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/apply_model")

    def refresh_jobs(self, ctx: Any) -> None:
        """Shows the end of a job; called by the timer while one is running."""
        job_end.show_ended(ctx)

    def render(self, ctx: Any) -> types.Property:
        """Returns the panel's layout."""
        panel = types.Object()
        fields = ctx.panel.get_state("fields") or []
        field, thresh = ctx.panel.get_state("field"), ctx.panel.get_state("thresh")
        if field not in fields or thresh is None:
            panel.md(EMPTY, name="empty")
            panel.btn("apply", label="Apply", on_click=self.apply, variant="contained")
        else:
            advice = Advice(*ctx.panel.get_state("advice"))
            numbers = confidence_numbers.read(
                ctx, field, thresh, advice, ctx.panel.get_state("version")
            )
            self._add_inputs(panel, fields, field, thresh, numbers)
            self._add_buttons(panel)
            confidence_numbers.add_plot(panel, field, thresh, numbers)
        if expected_jobs.are_running(ctx):
            timer = types.TimerView(interval=REFRESH_MS, on_interval=self.refresh_jobs)
            panel.view("timer", timer)
        return types.Property(panel, view=widgets.layout())

    def _add_inputs(
        self,
        panel: types.Object,
        fields: list[str],
        field: str,
        thresh: float,
        numbers: Numbers,
    ) -> None:
        panel.enum(
            "field",
            values=fields,
            default=field,
            label="Predictions field",
            on_change=self.choose,
        )
        panel.md(plain(numbers.line), name="line")
        panel.float(
            "thresh",
            label="Minimum confidence",
            default=thresh,
            min=0.0,
            max=1.0,
            view=types.SliderView(label_position="top", value_label_display="auto"),
            on_change=self.move,
        )
        panel.md(confidence_numbers.table(thresh, numbers), name="numbers")

    def _add_buttons(self, panel: types.Object) -> None:
        bar = widgets.add_bar(panel, "buttons")
        widgets.add_button(
            *(bar, "filter", "Apply filter", self.filter), variant="contained"
        )
        widgets.add_button(bar, "all", "Show all", self.show_all)
        widgets.add_button(bar, "evaluate", "Evaluate", self.evaluate)
        bar = panel.h_stack("save", gap=1, align_y="center")
        bar.str("name", label="Name of the view")
        bar.btn("save_view", "Save as view", on_click=self.save_view)


def _chosen(ctx: Any) -> tuple[str, float]:
    """Returns the field and the minimum confidence."""
    return ctx.panel.get_state("field"), float(ctx.panel.get_state("thresh"))


def _last_applied(dataset: Any, fields: list[str]) -> str | None:
    """Returns the field that a job has written last, or else the first."""
    jobs = [job for job in monitor.list_jobs(dataset) if job.task == "apply"]
    newest_first = sorted(
        jobs, key=lambda job: job.folder.stat().st_mtime, reverse=True
    )
    names = [
        name for job in newest_first for name in (job.target, f"frames.{job.target}")
    ]
    return next((name for name in (*names, *fields) if name in fields), None)


def _start(ctx: Any, field: str, advice: Advice) -> float:
    """Returns the confidence at which the slider starts."""
    now = confidence_filter.lowest(confidence_view.current(ctx), field)
    found = (now, advice.thresh, DEFAULT_THRESH)
    return next(float(one) for one in found if one is not None)
