"""The page of a run in the runs panel: what it is, how it learns, its report."""

import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.jobs import runs_table
from yolov1_fo.jobs.runs_table import Row
from yolov1_fo.publishing.model_card import plain
from yolov1_fo.runs import folders
from yolov1_fo.training.run_report import overview, reading
from yolov1_fo.training.run_report.contents import Contents
from yolov1_fo.visualize import sheets

from . import curves, run_actions, run_results, widgets

MAX_URI = 300_000
"""Longest picture that is sent to the browser, in characters."""
LIVE = "live"
"""Name of the picture of validation images with current predictions."""
LIVE_LABEL = "Validation images with the predictions after the last validation"
BATCH = "batch"
"""Name of the picture of the first batch."""
BATCH_LABEL = "Training images as augmented, with the grid cells that learn each object"


def live_picture(row: Row) -> tuple[str, str]:
    """Returns the version and the path of a run's picture; empty without one."""
    return _stored_picture(row, folders.VAL_PREDICTIONS)


def batch_picture(row: Row) -> tuple[str, str]:
    """Returns the version and the path of the first batch; empty without one."""
    return _stored_picture(row, folders.TRAIN_BATCH)


def _stored_picture(row: Row, name: str) -> tuple[str, str]:
    path = Path(row.folder) / name
    if not row.folder or not path.is_file():
        return "", ""
    return f"{row.run_key} {path.stat().st_mtime_ns}", str(path)


def read_picture(path: str) -> str:
    """Returns a picture as a `data:` URI; empty if it can't be read."""
    try:
        return sheets.small_uri(sheets.read(path), MAX_URI)
    except (OSError, ValueError, SyntaxError):  # Pillow raises all of them
        return ""


def add(
    panel: types.Object, ctx: Any, row: Row, rows: Sequence[Row], handlers: Any
) -> None:
    """Adds the page.

    Args:
        panel: the panel's layout
        ctx: the panel's execution context
        row: the run
        rows: all runs of the dataset
        handlers: the panel, with the methods of `RunActions`
    """
    contents = reading.read(ctx.dataset, row.run_key)
    _add_buttons(panel, row, rows, handlers)
    if row.note:
        panel.md("\n\n".join(map(plain, row.note.splitlines())), name="note")
    if row.status == "failed":
        panel.view("failed", types.Warning(label=plain(row.message)))
    if live_picture(row)[1]:
        widgets.add_picture(panel, LIVE, LIVE_LABEL, LIVE_LABEL)
    if contents:
        _add_facts(panel, contents, row)
    curves.add_curves(panel, [row])
    curves.add_components(panel, row)
    curves.add_learning_rate(panel, row)
    if batch_picture(row)[1]:
        widgets.add_picture(panel, BATCH, BATCH_LABEL, BATCH_LABEL)
    if contents and not row.is_active:
        run_results.add(panel, contents, row)
        _add_next_steps(panel, contents)


def _add_buttons(
    panel: types.Object, row: Row, rows: Sequence[Row], handlers: Any
) -> None:
    bar = widgets.add_bar(panel, "page_buttons")
    widgets.add_button(bar, "back", "Back", handlers.back, variant="contained")
    allowed = run_actions.possible(row, rows) - {"open_run", "forget_run"}
    for action in run_actions.ACTIONS:
        if action.name in allowed:
            method = getattr(handlers, action.name)
            widgets.add_button(bar, action.name, action.label, method)
    path = Path(row.folder) / folders.REPORT
    if path.is_file():
        address = f"/media?filepath={urllib.parse.quote(str(path))}"  # of the App
        widgets.add_link(bar, "report", "Open report", address)
    panel.md(f"**{plain(row.run_key)}**", name=f"title_{row.run_key}")


def _add_facts(panel: types.Object, contents: Contents, row: Row) -> None:
    """Adds the tables of the run; a table of other content needs another name."""
    version = f"{row.run_key}_{row.epoch}_{row.status}"
    facts = [
        (fact.name, f"{fact.value} ({fact.note})" if fact.note else fact.value)
        for fact in overview.facts(contents)
    ]
    size = runs_table.folder_size(row.folder)
    facts += [("Disk space", size), ("Folder", row.folder)]
    if path := overview.report_path(contents):
        facts.append(("Report", str(path)))
    widgets.add_table(panel, f"facts_{version}", ("Run", row.run_key), facts)
    changed = overview.changed_settings(contents)
    if changed:
        columns = ("Setting", "Recipe", "This run")
        widgets.add_table(panel, f"settings_{version}", columns, changed)


def _add_next_steps(panel: types.Object, contents: Contents) -> None:
    """Adds what to type next in a shell."""
    rows = [(step.text, step.command) for step in contents.commands]
    columns = ("Step", "Command")
    widgets.add_table(panel, f"next_{contents.run_key}", columns, rows, "Next steps")


def add_comparison(
    panel: types.Object,
    ctx: Any,
    pair: tuple[Row, Row],
    rows: Sequence[Row],
    handlers: Any,
) -> None:
    """Adds two runs side by side.

    Args:
        panel: the panel's layout
        ctx: the panel's execution context
        pair: the two runs
        rows: all runs of the dataset
        handlers: the panel
    """
    first, second = pair
    bar = widgets.add_bar(panel, "compare_buttons")
    widgets.add_button(bar, "back", "Back", handlers.back, variant="contained")
    others = [row.run_key for row in rows if row.number is not None and row != first]
    panel.enum(
        f"other_{first.run_key}",
        values=others,
        default=second.run_key,
        label=f"Compare {first.run_key} with",
        on_change=handlers.choose_other,
    )
    read = [reading.read(ctx.dataset, row.run_key) for row in pair]
    name = f"comparison_{first.run_key}_{second.run_key}_{first.epoch}_{second.epoch}"
    if read[0] and read[1]:
        table = overview.compare(read[0], read[1])
        columns = ("", first.run_key, second.run_key)
        widgets.add_table(panel, name, columns, table)
    newest_first = sorted(pair, key=lambda row: -(row.number or 0))
    curves.add_curves(panel, newest_first)
