"""The cells of a run in the table of the runs panel."""

from datetime import UTC, datetime

import humanize

from yolov1_fo.jobs.runs_table import Row

COLUMNS = {
    "run": "Run",
    "status": "Status",
    "epochs": "Epochs",
    "best": "VOC07 mAP@0.5",
    "started": "Started",
}
"""Columns of the table; the others are on the page of a run."""


def cells(row: Row) -> dict[str, str]:
    """Returns a row of the table, as text."""
    return {
        "run": f"{row.run_key} *" if row.note else row.run_key,
        "status": row.status.capitalize(),
        "epochs": row.epochs_text,
        "best": row.best_text,
        "started": _age(row.started),
    }


def _age(started: datetime | None) -> str:
    """Returns how long ago a run was started, such as "2 hours ago"."""
    if started is None:
        return ""
    started = started if started.tzinfo else started.replace(tzinfo=UTC)
    return humanize.naturaltime(started, when=datetime.now(UTC))
