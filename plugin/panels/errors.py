"""The panel of detection errors, by type and class, of one or two evaluations."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types
from tabulate import tabulate

from yolov1_fo.evaluation import comparison, error_fields
from yolov1_fo.evaluation.error_analysis import ERROR_TYPES

from ..names import PLUGIN
from . import plots, widgets

NONE = "None"
COLORS = ("#009e73", "#56b4e9", "#e69f00", "#cc79a7", "#737373")
"""Of the error types; distinguishable with color blindness (Okabe and Ito)."""
HELP = """
For each class with N objects, the N most confident detections are analyzed.

- *Correct*: correct class, IoU > 0.5
- *Localization*: correct class, but a poor box or a duplicate
- *Similar*: on an object of a similar class
- *Other*: on an object of another class
- *Background*: on no object

Click a bar to show its detections. Source: YOLOv1 paper, section 4.2.
"""
EMPTY = """
**No evaluation with error analysis yet.**
Create one with *Evaluate YOLOv1*.
"""


class ErrorsPanel(foo.Panel):
    """Shows the errors of one evaluation, or compares two."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's name, label and options."""
        return foo.PanelConfig(
            name="yolov1_errors",
            label="YOLOv1 errors",
            icon="bar_chart",
            category=foo.Categories.ANALYZE,
            help_markdown=HELP,
            surfaces="grid",
        )

    def on_load(self, ctx: Any) -> None:
        """Reads the evaluations."""
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads the evaluations of the other dataset."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the evaluations again and counts the errors of the chosen ones."""
        evaluations = _evaluations(ctx.dataset)
        chosen = ctx.panel.get_state("eval_key")
        other = ctx.panel.get_state("other_key")
        if chosen not in evaluations:
            chosen = evaluations[-1] if evaluations else None
        if other not in evaluations or other == chosen:
            other = NONE
        keys = [key for key in (chosen, other) if key not in (None, NONE)]
        compared = comparison.compare(ctx.dataset, *keys) if keys else None
        ctx.panel.set_state("evaluations", evaluations)
        ctx.panel.set_state("eval_key", chosen)
        ctx.panel.set_state("other_key", other)
        ctx.panel.set_state("rows", compared.rows() if compared else [])
        ctx.panel.set_state("errors", compared.errors if compared else {})

    def choose(self, ctx: Any) -> None:
        """Selects an evaluation."""
        ctx.panel.set_state("eval_key", ctx.params["value"])
        self.refresh(ctx)

    def choose_other(self, ctx: Any) -> None:
        """Selects the evaluation to compare with."""
        ctx.panel.set_state("other_key", ctx.params["value"])
        self.refresh(ctx)

    def show_kind(self, ctx: Any) -> None:
        """Shows the detections of an error type, of either evaluation."""
        self._show(ctx, ctx.params["trace"], ctx.params["x"])

    def show_class(self, ctx: Any) -> None:
        """Shows the detections of an error type and class."""
        key = ctx.panel.get_state("eval_key")
        self._show(ctx, key, ctx.params["trace"], ctx.params["x"])

    def _show(self, ctx: Any, key: str, kind: str, label: str | None = None) -> None:
        """Shows the detections of an error type, as it is written in the plots."""
        view = error_fields.view(ctx.dataset, key, kind.lower(), label)
        if not len(view):
            message = f"No detections of type {kind.lower()} in {key}"
            ctx.ops.notify(message, variant="info")
            return
        ctx.ops.set_view(view)
        ctx.ops.open_panel("Samples", is_active=True)  # they may be behind this panel

    def evaluate(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(f"{PLUGIN}/evaluate_model")

    def render(self, ctx: Any) -> types.Property:
        """Returns the panel's layout."""
        panel = types.Object()
        evaluations = ctx.panel.get_state("evaluations") or []
        errors = ctx.panel.get_state("errors") or {}
        if not evaluations or not errors:
            panel.md(EMPTY, name="empty")
            panel.btn("evaluate", label="Evaluate", on_click=self.evaluate)
        else:
            self._add_choices(panel, evaluations, ctx.panel.get_state("eval_key"))
            self._add_plots(panel, errors, ctx.panel.get_state("eval_key"))
            _add_table(panel, ctx.panel.get_state("rows"))
        return types.Property(panel, view=widgets.layout())

    def _add_choices(
        self, panel: types.Object, evaluations: list[str], chosen: str
    ) -> None:
        bar = panel.h_stack("choices", gap=2)
        bar.enum(
            "eval_key",
            values=evaluations,
            default=chosen,
            label="Evaluation",
            on_change=self.choose,
        )
        bar.enum(
            "other_key",
            values=[NONE, *(key for key in evaluations if key != chosen)],
            default=NONE,
            label="Compare with",
            on_change=self.choose_other,
        )

    def _add_plots(
        self, panel: types.Object, errors: dict[str, Any], chosen: str
    ) -> None:
        plots.add_plot(
            panel,
            f"kinds_{'_'.join(errors)}",
            _bars_by_kind(errors),
            "Error types (top detections)",
            on_click=self.show_kind,
            **_layout("group"),
        )
        plots.add_plot(
            panel,
            f"classes_{chosen}",
            _bars_by_class(errors[chosen]),
            f"Top detections by class, {chosen}",
            on_click=self.show_class,
            **_layout("stack"),
        )


def _bars_by_kind(errors: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the bars of each evaluation, one per error type."""
    bars: list[dict[str, Any]] = [
        {
            "type": "bar",
            "name": key,
            "x": [kind.capitalize() for kind in ERROR_TYPES],
            "y": [sum(row[kind] for row in counts.values()) for kind in ERROR_TYPES],
        }
        for key, counts in errors.items()
    ]
    if len(bars) == 1:
        bars[0]["marker"] = {"color": list(COLORS)}
    return bars


def _bars_by_class(counts: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the bars of each error type, one per class."""
    return [
        {
            "type": "bar",
            "name": kind.capitalize(),
            "x": list(counts),
            "y": [row[kind] for row in counts.values()],
            "marker": {"color": color},
        }
        for kind, color in zip(ERROR_TYPES, COLORS, strict=True)
    ]


def _layout(mode: str) -> dict[str, Any]:
    """Returns the layout of a bar chart."""
    axis = {"title": {"text": "Detections"}, "rangemode": "tozero"}
    return {"barmode": mode, "yaxis": axis}


def _evaluations(dataset: Any) -> list[str]:
    """Returns the evaluations that store error types, the newest last."""
    keys = [
        key
        for key in dataset.list_evaluations(type="detection")
        if error_fields.has_errors(dataset, key)
    ]
    return sorted(keys, key=lambda key: dataset.get_evaluation_info(key).timestamp)


def _add_table(panel: types.Object, rows: list[dict[str, str]]) -> None:
    """Adds the metrics, one evaluation per column: a panel is narrow."""
    names = [name for name in rows[0] if name != "evaluation"]
    columns = {row["evaluation"]: [row[name] for name in names] for row in rows}
    table = tabulate(
        {"": names, **columns}, headers="keys", tablefmt="github", disable_numparse=True
    )
    panel.md(table, name="metrics")
