"""What can be done with a run: the menu of its row, and the buttons of its page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone.operators.types as types

from yolov1_fo.datasets import predicted_by
from yolov1_fo.jobs import monitor, run_edits
from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.runs import folders
from yolov1_fo.runs.run_json import DETECT

from ..names import PLUGIN


class Action(NamedTuple):
    """An action.

    Attributes:
        name: of the method of `RunActions`
        label: in the menu
        icon: in the menu
    """

    name: str
    label: str
    icon: str


ACTIONS = (
    Action("open_run", "Details", "info"),
    Action("apply_run", "Apply", "visibility"),
    Action("evaluate_run", "Evaluate", "analytics"),
    Action("resume_run", "Resume", "play_circle"),
    Action("compare_run", "Compare", "compare_arrows"),
    Action("publish_run", "Publish", "publish"),
    Action("export_run", "Export", "ios_share"),
    Action("rename_run", "Rename", "edit"),
    Action("note_run", "Note", "sticky_note_2"),
    Action("delete_run", "Delete", "delete"),
    Action("forget_run", "Remove from this list", "close"),
)


def possible(row: Row, rows: Sequence[Row]) -> set[str]:
    """Returns the names of the actions that a run allows.

    Args:
        row: of the run
        rows: of all runs of the dataset
    """
    if row.number is None:  # a job that never became a run
        return set() if row.is_active else {"forget_run"}
    found = {"open_run", "note_run"}
    if row.epoch and row.task == DETECT:
        found |= {"apply_run", "evaluate_run", "publish_run", "export_run"}
    if sum(one.number is not None for one in rows) > 1:
        found.add("compare_run")
    if not row.is_active:
        found |= {"rename_run", "delete_run"}
        found |= {"resume_run"} if row.is_resumable else set()
    return found


class RunActions:
    """The methods of the runs panel that act on a run.

    The run is that of the clicked row, or else that of the open page.
    """

    def open_run(self, ctx: Any) -> None:
        """Opens the page of the run."""
        self._open(ctx, _chosen(ctx), "")

    def apply_run(self, ctx: Any) -> None:
        """Opens the form of Apply, with the run chosen."""
        self._prompt(ctx, "apply_model", model=_chosen(ctx))

    def evaluate_run(self, ctx: Any) -> None:
        """Opens the form of Evaluate, with the latest predictions of the run chosen."""
        run_key = _chosen(ctx)
        folder = folders_of(ctx).get(run_key)
        fields = predicted_by.fields_of(ctx.dataset, Path(folder)) if folder else []
        if fields:
            self._prompt(ctx, "evaluate_model", pred_field=fields[-1])
        else:
            line = f"No predictions of '{run_key}' yet: choose Apply first"
            ctx.ops.notify(line, variant="warning")

    def resume_run(self, ctx: Any) -> None:
        """Opens the form of Resume, with the run chosen."""
        self._prompt(ctx, "resume_training", run_key=_chosen(ctx))

    def compare_run(self, ctx: Any) -> None:
        """Opens the page of the run, compared with another one."""
        run_key = _chosen(ctx)
        others = [key for key in folders_of(ctx) if key != run_key]
        self._open(ctx, run_key, others[0] if others else "")

    def publish_run(self, ctx: Any) -> None:
        """Opens the form of Publish, with the run chosen."""
        self._prompt(ctx, "publish_model", run_key=_chosen(ctx))

    def export_run(self, ctx: Any) -> None:
        """Opens the form of Export, with the run chosen."""
        self._prompt(ctx, "export_model", model=_chosen(ctx))

    def rename_run(self, ctx: Any) -> None:
        """Opens the form of Rename, with the run chosen."""
        self._prompt(ctx, "rename_run", run_key=_chosen(ctx))

    def note_run(self, ctx: Any) -> None:
        """Opens the form of Note, with the run chosen."""
        self._prompt(ctx, "edit_note", run_key=_chosen(ctx))

    def delete_run(self, ctx: Any) -> None:
        """Opens the form of Delete, with the run chosen."""
        self._prompt(ctx, "delete_run", run_key=_chosen(ctx))

    def forget_run(self, ctx: Any) -> None:
        """Removes a job that never became a run from the list."""
        folder = folders_of(ctx).get(_chosen(ctx))
        job = monitor.find(Path(folder) / folders.JOB) if folder else None
        if job is not None:
            run_edits.forget(job)
        self.refresh(ctx)

    def refresh(self, ctx: Any) -> None:
        """Reads the runs again."""
        raise NotImplementedError

    def _open(self, ctx: Any, run_key: str, other_key: str) -> None:
        """Opens the page of a run."""
        ctx.panel.set_state("page", run_key)
        ctx.panel.set_state("other", other_key)
        self.refresh(ctx)

    def _prompt(self, ctx: Any, operator: str, **params: Any) -> None:
        """Opens a form with inputs filled in."""
        ctx.prompt(f"{PLUGIN}/{operator}", params=params, on_success=self.refresh)


def folders_of(ctx: Any) -> dict[str, str]:
    """Returns the shown runs with their folders, in the order of the rows."""
    return dict(ctx.panel.get_state("runs") or [])


def _chosen(ctx: Any) -> str:
    """Returns the key of the run of the clicked row, or else of the open page."""
    row = ctx.params.get("row")
    shown = [*folders_of(ctx)]
    if isinstance(row, int) and 0 <= row < len(shown):
        return shown[row]
    return ctx.panel.get_state("page") or ""


def add_menu(panel: RunActions, table: types.TableView, rows: Sequence[Row]) -> None:
    """Adds the menu of each row."""
    for action in ACTIONS:
        shown = [action.name in possible(row, rows) for row in rows]
        if any(shown):
            table.add_row_action(
                action.name,
                on_click=getattr(panel, action.name),
                label=action.label,
                icon=action.icon,
                rows=shown,
            )
