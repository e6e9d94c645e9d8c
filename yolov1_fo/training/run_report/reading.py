"""Reads runs for the App, which shows them again and again while they change."""

import functools

import fiftyone as fo

from yolov1_fo.runs import checkpoint, history, records
from yolov1_fo.training.run_report.contents import Contents

MAX_RUNS = 8
"""Number of runs that are kept in memory."""


def read(dataset: fo.Dataset, run_key: str) -> Contents | None:
    """Returns the contents of a run's report, read again only if the run has changed.

    Args:
        dataset: that the run belongs to
        run_key: its name

    Returns:
        None if the run can't be read
    """
    folder, run = records.folder_of(dataset, run_key), records.info(dataset, run_key)
    if folder is None:
        return None
    names = (history.LOG, "best", checkpoint.METADATA)
    times = [
        path.stat().st_mtime_ns if (path := folder / name).is_file() else 0
        for name in names
    ]
    state = (getattr(run, "status", ""), getattr(run, "epoch", 0), *times)
    return _read(dataset.name, run_key, state)


@functools.lru_cache(MAX_RUNS)
def _read(dataset: str, run_key: str, state: tuple[object, ...]) -> Contents | None:
    """Reads a run in this state."""
    loaded = fo.load_dataset(dataset)
    folder = records.folder_of(loaded, run_key)
    try:
        return None if folder is None else Contents(folder, loaded, run_key)
    except (AttributeError, LookupError, TypeError, ValueError, OSError):
        return None  # the record, or a file, came from elsewhere
