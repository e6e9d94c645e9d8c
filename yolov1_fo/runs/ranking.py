"""Which run of a dataset is the best."""

from typing import Any

import fiftyone as fo

from yolov1_fo.runs import records, registry
from yolov1_fo.runs.run_json import DETECT

METRIC = "val_voc07"


def detectors(dataset: fo.Dataset) -> list[str]:
    """Returns the keys of the runs that a detector can be loaded from, newest first."""
    return [
        key
        for key in registry.newest_first(dataset)
        if is_detector(records.info(dataset, key))
    ]


def is_detector(run: Any) -> bool:
    """Returns whether a run has a checkpoint of a detector."""
    return bool(getattr(run, "epoch", 0)) and getattr(run, "task", DETECT) == DETECT


def best_finished(dataset: fo.Dataset) -> str | None:
    """Returns the finished run with the highest VOC07 mAP on its validation split.

    The newest of equal ones; runs that were not validated come last. None without a
    finished run.
    """
    runs = {key: records.info(dataset, key) for key in detectors(dataset)}
    finished = [
        key for key, run in runs.items() if getattr(run, "status", "") == "finished"
    ]
    return max(finished, key=lambda key: _score(runs[key]), default=None)


def _score(run: Any) -> float:
    best = getattr(run, "best", None)
    value = best.get(METRIC) if isinstance(best, dict) else None
    return value if isinstance(value, int | float) and value == value else -1.0
