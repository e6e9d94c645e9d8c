"""The panel with the findings of the dataset check."""

from typing import Any

import fiftyone.operators as foo
import fiftyone.operators.types as types

from yolov1_fo.config.plurals import counted
from yolov1_fo.datasets.inspection_report import LEAVE_OUT_KINDS, InspectionReport
from yolov1_fo.publishing.model_card import plain

from .. import last_checks
from ..names import PLUGIN
from . import widgets

OPERATOR = f"{PLUGIN}/inspect_dataset"
HELP = """
Problems that a training would have with this dataset. In the menu of a row:

- *Show* opens the samples in the grid.
- *Tag* adds a tag to them, such as `inspect:lost`.
- *Leave out* tags them with `inspect:leave_out`; **Train YOLOv1** then leaves them out.
  *Put back* removes that tag. Nothing else is changed.
"""
EMPTY = """
**Not checked yet.**
Find bad files, bad boxes and objects that would be lost, before you train.
"""
NOTHING_FOUND = "No problems found"


class DatasetCheckPanel(foo.Panel):
    """Shows the findings of the last check, with what can be done about them."""

    @property
    def config(self) -> foo.PanelConfig:
        """The panel's name, label and options."""
        return foo.PanelConfig(
            name="yolov1_check",
            label="YOLOv1 dataset check",
            icon="troubleshoot",
            category=foo.Categories.ANALYZE,
            help_markdown=HELP,
            surfaces="grid",
        )

    def on_load(self, ctx: Any) -> None:
        """Reads the last report."""
        self.refresh(ctx)

    def on_change_dataset(self, ctx: Any) -> None:
        """Reads the last report of the other dataset."""
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the last report again."""
        report = last_checks.get(ctx.dataset)
        ctx.panel.set_data("findings", _cells(report) if report else [])
        ctx.panel.set_state("left_out", report.left_out() if report else 0)

    def check(self, ctx: Any) -> None:
        """Opens the form."""
        ctx.prompt(OPERATOR, on_success=self.refresh)

    def show(self, ctx: Any) -> None:
        """Shows the samples of the clicked row."""
        if chosen := _chosen(ctx):
            report, kind = chosen
            ctx.ops.set_view(report.view(kind))

    def show_all(self, ctx: Any) -> None:
        """Shows all samples."""
        ctx.ops.clear_view()

    def tag(self, ctx: Any) -> None:
        """Tags the samples of the clicked row."""
        if chosen := _chosen(ctx):
            report, kind = chosen
            self._say(ctx, f'Tagged "{report.tag_kind(kind)}"')

    def leave_out(self, ctx: Any) -> None:
        """Tags the samples of the clicked row, so that a training leaves them out."""
        if chosen := _chosen(ctx):
            report, kind = chosen
            count = report.leave_out(kind)
            text = counted(count, "sample")
            self._say(ctx, f"Trainings started here leave out {text}")

    def put_back(self, ctx: Any) -> None:
        """Removes the tags of `leave_out`."""
        if report := last_checks.get(ctx.dataset):
            self._say(ctx, f"Put back {counted(report.put_back(), 'sample')}")

    def _say(self, ctx: Any, message: str) -> None:
        ctx.ops.notify(message, variant="success")
        ctx.ops.reload_dataset()  # shows the tags
        self.refresh(ctx)

    def render(self, ctx: Any) -> types.Property:
        """Returns the panel's layout."""
        panel, report = types.Object(), last_checks.get(ctx.dataset)
        if report is None:
            panel.md(EMPTY, name="empty")
        bar = widgets.add_bar(panel, "buttons")
        label = "Check again" if report else "Check dataset"
        widgets.add_button(bar, "check", label, self.check, variant="contained")
        if report:
            widgets.add_button(bar, "show_all", "Show all samples", self.show_all)
            if count := report.left_out():
                label = f"Put back {counted(count, 'sample')}"
                widgets.add_button(bar, "put_back", label, self.put_back)
            facts = "; ".join(report.facts())
            panel.view("facts", types.Notice(label=plain(facts)))
            self._add_findings(panel, report)
            for number, note in enumerate(report.notes):
                panel.view(f"note_{number}", types.Warning(label=plain(note)))
        return types.Property(panel, view=widgets.layout())

    def _add_findings(self, panel: types.Object, report: InspectionReport) -> None:
        """Adds the table; its rows are the findings that have samples."""
        kinds = _kinds(report)
        if not kinds:
            panel.view("nothing", types.Notice(label=NOTHING_FOUND))
            return
        table = widgets.narrow_table(actions_label="Menu")
        table.add_column("finding", label="Finding")
        table.add_column("found", label="Found")
        can_leave_out = [kind in LEAVE_OUT_KINDS for kind in kinds]
        table.add_row_action(
            "show", on_click=self.show, label="Show", icon="visibility"
        )
        table.add_row_action("tag", on_click=self.tag, label="Tag", icon="sell")
        if any(can_leave_out):
            table.add_row_action(
                "leave_out",
                on_click=self.leave_out,
                label="Leave out of training",
                icon="block",
                rows=can_leave_out,
            )
        panel.list("findings", types.Object(), view=table)
        meanings = [
            f"- **{title}**: {plain(text)}"
            for kind, title, _, _, text in report.rows()
            if kind in kinds
        ]
        panel.md("\n".join(meanings), name=f"meanings_{'_'.join(kinds)}")


def _kinds(report: InspectionReport) -> list[str]:
    """Returns the kinds of the table's rows."""
    return [kind for kind, some in report.findings.items() if some]


def _cells(report: InspectionReport) -> list[dict[str, str]]:
    """Returns the rows of the table, as text."""
    return [
        {"finding": title, "found": f"{count} in {counted(images, 'image')}"}
        for _, title, count, images, _ in report.rows()
        if count
    ]


def _chosen(ctx: Any) -> tuple[InspectionReport, str] | None:
    """Returns the report and the kind of the clicked row; None if there is none."""
    report, row = last_checks.get(ctx.dataset), ctx.params.get("row")
    if report is None or not isinstance(row, int):
        return None
    kinds = _kinds(report)
    return (report, kinds[row]) if 0 <= row < len(kinds) else None
