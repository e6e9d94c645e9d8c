"""The panel of errors: of which kind they are, by class, beside another evaluation."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.evaluation import comparison, error_fields
from yolov1_fo.evaluation.error_analysis import KINDS

NONE = "none"
COLOURS = ("#009e73", "#56b4e9", "#e69f00", "#cc79a7", "#737373")
"""Of the kinds; told apart by the colour-blind too (Okabe and Ito)."""
HELP = """
Of each class the N strongest detections are looked at, N being its number of objects.

- *correct*: finds an object of its class
- *localization*: the right class, but a poor box, or a second one
- *similar*: on an object of a class that is easily taken for it
- *other*: on an object of any other class
- *background*: on nothing

A click on a bar shows its detections. Source: the paper's section 4.2.
"""
EMPTY = """
**No evaluation that keeps its errors yet.**
*Evaluate YOLOv1* makes one, and so does `yolov1_fo.evaluate(..., eval_key=...)`.
"""


class ErrorsPanel(foo.Panel):
    """Shows the errors of one evaluation, or of two."""

    @property
    def config(self) -> foo.PanelConfig:
        """What the App shows of it."""
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
        """Reads those of the other dataset."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the evaluations again, and counts the errors of the chosen ones."""
        there = _evaluations(ctx.dataset)
        chosen = ctx.panel.get_state("eval_key")
        beside = ctx.panel.get_state("beside")
        chosen = chosen if chosen in there else (there[-1] if there else None)
        beside = beside if beside in there and beside != chosen else NONE
        keys = [key for key in (chosen, beside) if key not in (None, NONE)]
        said = comparison.compare(ctx.dataset, *keys) if keys else None
        ctx.panel.set_state("there", there)
        ctx.panel.set_state("eval_key", chosen)
        ctx.panel.set_state("beside", beside)
        ctx.panel.set_state("rows", said.rows() if said else [])
        ctx.panel.set_state("errors", said.errors if said else {})

    def choose(self, ctx: Any) -> None:
        """Takes another evaluation."""
        ctx.panel.set_state("eval_key", ctx.params["value"])
        self.refresh(ctx)

    def choose_beside(self, ctx: Any) -> None:
        """Takes another evaluation to compare with."""
        ctx.panel.set_state("beside", ctx.params["value"])
        self.refresh(ctx)

    def show_kind(self, ctx: Any) -> None:
        """Shows the detections of a kind of either evaluation."""
        self._show(ctx, ctx.params["trace"], ctx.params["x"])

    def show_class(self, ctx: Any) -> None:
        """Shows the detections of a kind of one class."""
        key = ctx.panel.get_state("eval_key")
        self._show(ctx, key, ctx.params["trace"], ctx.params["x"])

    def _show(self, ctx: Any, key: str, kind: str, label: str | None = None) -> None:
        view = error_fields.view(ctx.dataset, key, kind, label)
        if not len(view):
            ctx.ops.notify(f"{key} has no {kind} detection there", variant="info")
            return
        ctx.ops.set_view(view)

    def evaluate(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt("@yolov1-fo/yolov1/evaluate_model")

    def render(self, ctx: Any) -> types.Property:
        """Lays it out."""
        panel = types.Object()
        there = ctx.panel.get_state("there") or []
        errors = ctx.panel.get_state("errors") or {}
        if not there or not errors:
            panel.md(EMPTY, name="empty")
            panel.btn("evaluate", label="Evaluate", on_click=self.evaluate)
        else:
            self._choices(panel, there, ctx.panel.get_state("eval_key"))
            self._plots(panel, errors, ctx.panel.get_state("eval_key"))
            _table(panel, ctx.panel.get_state("rows"))
        layout = types.GridView(orientation="vertical", gap=2, pad=1, align_x="stretch")
        return types.Property(panel, view=layout)

    def _choices(self, panel: types.Object, there: list[str], chosen: str) -> None:
        bar = panel.h_stack("choices", gap=2)
        others = [NONE, *(key for key in there if key != chosen)]
        bar.enum(
            "eval_key",
            values=there,
            default=chosen,
            label="Evaluation",
            on_change=self.choose,
        )
        bar.enum(
            "beside",
            values=others,
            default=NONE,
            label="Compare with",
            on_change=self.choose_beside,
        )

    def _plots(self, panel: types.Object, errors: dict[str, Any], chosen: str) -> None:
        name = "_".join(errors)
        totals: list[dict[str, Any]] = [
            {
                "type": "bar",
                "name": key,
                "x": list(KINDS),
                "y": [sum(row[kind] for row in counts.values()) for kind in KINDS],
            }
            for key, counts in errors.items()
        ]
        if len(totals) == 1:
            totals[0]["marker"] = {"color": list(COLOURS)}
        title = "The best detections, by kind"
        _plot(panel, f"kinds_{name}", totals, title, self.show_kind, "group")
        counts = errors[chosen]
        by_class = [
            {
                "type": "bar",
                "name": kind,
                "x": list(counts),
                "y": [row[kind] for row in counts.values()],
                "marker": {"color": colour},
            }
            for kind, colour in zip(KINDS, COLOURS, strict=True)
        ]
        title = f"Of each class, {chosen}"
        _plot(panel, f"classes_{chosen}", by_class, title, self.show_class, "stack")


def _evaluations(dataset: Any) -> list[str]:
    """Returns the evaluations that keep errors, the newest last."""
    kept = [
        key
        for key in dataset.list_evaluations(type="detection")
        if error_fields.are_kept(dataset, key)
    ]
    return sorted(kept, key=lambda key: dataset.get_evaluation_info(key).timestamp)


def _table(panel: types.Object, rows: list[dict[str, str]]) -> None:
    """Adds the numbers; evaluations stand in the columns, for a panel is narrow."""
    names = [name for name in rows[0] if name != "evaluation"]
    head = ["", *(row["evaluation"] for row in rows)]
    lines = [head, ["---"] * len(head)]
    lines += [[name, *(row[name] for row in rows)] for name in names]
    text = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    panel.md(text, name="numbers")


def _plot(
    panel: types.Object,
    name: str,
    data: list[dict[str, Any]],
    title: str,
    on_click: Any,
    mode: str,
) -> None:
    layout = {
        "title": {"text": title, "font": {"size": 14}, "x": 0.01, "y": 0.98},
        "height": 280,
        "barmode": mode,
        "margin": {
            "l": 50,
            "r": 10,
            "t": 40 + 20 * -(-len(data) // 3) * (len(data) > 1),
            "b": 40,
        },
        "yaxis": {"title": {"text": "detections"}, "rangemode": "tozero"},
        "showlegend": len(data) > 1,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    }
    panel.plot(name, data=data, layout=layout, on_click=on_click)
