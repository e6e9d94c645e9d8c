"""`log.csv` in a run's folder: the metrics of each epoch, one row per epoch."""

import csv
from pathlib import Path

from yolov1_fo import files

LOG = "log.csv"

History = dict[str, list[float | None]]
"""A list of numbers, one per epoch, for each metric; None where it has no value."""


def write(folder: Path, history: History) -> None:
    """Writes the metrics of all epochs so far; `read(folder)` returns them.

    Raises:
        OSError: if the file can't be written
    """
    epochs = range(1, 1 + max(map(len, history.values()), default=0))
    with (
        files.atomic_file(folder / LOG) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(["epoch", *history])
        writer.writerows(zip(epochs, *history.values(), strict=True))


def read(folder: Path) -> History:
    """Returns what `write` wrote; empty if there is no readable file.

    The file is in a folder that the user may have edited, so nothing in it is trusted.
    """
    path = folder / LOG
    try:
        if not path.is_file():  # it could be a pipe, which would block
            return {}
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        names = [name for name in rows[0] if name != "epoch"] if rows else []
        return {
            name: [float(row[name]) if row[name] else None for row in rows]
            for name in names
        }
    except (OSError, ValueError, TypeError, csv.Error):
        return {}
