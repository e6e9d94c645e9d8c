"""A run as a few short tables: what it is, and how two runs differ."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from yolov1_fo.config.plurals import counted
from yolov1_fo.runs import folders
from yolov1_fo.training.run_report import summary, tables
from yolov1_fo.training.run_report.contents import Contents
from yolov1_fo.training.run_report.summary import Fact

UNKNOWN = "-"


class Difference(NamedTuple):
    """A value that may differ between two runs, as text.

    Attributes:
        name: what it is
        first: of the first run
        second: of the second run
    """

    name: str
    first: str
    second: str


def facts(contents: Contents) -> list[Fact]:
    """Returns what a run is: status, network, scores, splits, origin, versions."""
    status = summary.status(contents)
    return [
        *([status] if status else []),
        Fact("Network", summary.subtitle(contents)),
        *summary.headline(contents),
        *(
            Fact(f"{row.name} split", _split_text(row))
            for row in tables.split_rows(contents)
        ),
        *summary.origin(contents),
    ]


def _split_text(row: tables.SplitRow) -> str:
    parts = [counted(row.images or 0, "image")]
    if row.objects is not None:
        parts.append(counted(row.objects, "object"))
    if row.without_objects:
        parts.append(f"{counted(row.without_objects, 'image')} without objects")
    return ", ".join(parts)


def changed_settings(contents: Contents) -> list[Difference]:
    """Returns the settings that differ from the recipe: its value, and that used."""
    return [
        Difference(row.name, row.usual, row.value)
        for row in tables.setting_rows(contents)
        if row.usual
    ]


def compare(first: Contents, second: Contents) -> list[Difference]:
    """Returns the facts of two runs side by side, then the settings that differ."""
    rows = [
        Difference(one.name, one.first, one.second)
        for one in _side_by_side(facts(first), facts(second))
    ]
    names = sorted({*first.settings, *second.settings})
    changed = [
        Difference(name, *(_text(run.settings.get(name)) for run in (first, second)))
        for name in names
        if first.settings.get(name) != second.settings.get(name)
    ]
    return rows + changed


def _side_by_side(first: Sequence[Fact], second: Sequence[Fact]) -> list[Difference]:
    values = [{one.name: one.value for one in some} for some in (first, second)]
    names = dict.fromkeys([*values[0], *values[1]])
    return [
        Difference(name, *(some.get(name, UNKNOWN) for some in values))
        for name in names
    ]


def _text(value: object) -> str:
    return UNKNOWN if value is None else json.dumps(value).strip('"')


def report_path(contents: Contents) -> Path | None:
    """Returns the path of the run's `report.html`; None if there is none."""
    path = contents.folder / folders.REPORT
    return path if path.is_file() else None
