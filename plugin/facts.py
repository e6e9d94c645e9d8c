"""What forms ask of a dataset at each key press, counted once while it is unchanged."""

import json
from collections import OrderedDict
from typing import Any

from yolov1_fo.datasets import class_lists
from yolov1_fo.datasets import samples as fo_samples

MOST = 64
"""So many answers are kept."""
_known: OrderedDict[tuple[Any, ...], list[str]] = OrderedDict()


def tags(samples: Any) -> list[str]:
    """Returns the tags of a dataset or view."""
    return distinct(samples, "tags")


def classes(samples: Any, field: str) -> list[str]:
    """Returns the classes of a checked field of Detections.

    Raises:
        ValueError: if there is none
    """
    own, _ = class_lists.own_classes(samples, field)
    labels = None if own else distinct(samples, f"{field}.detections.label")
    return class_lists.classes_of(samples, field, labels or None)


def distinct(samples: Any, path: str) -> list[str]:
    """Returns the sorted values of a field of a dataset or view."""
    dataset = samples._root_dataset
    stages = json.dumps(fo_samples.stages(samples), sort_keys=True)
    stamp = (len(dataset), dataset.max("last_modified_at") if len(dataset) else None)
    key = (dataset.name, samples._dataset.name, stages, path, stamp)
    if key not in _known:
        values = samples.distinct(path)
        there = (value for value in values if value is not None)
        _known[key] = sorted(there, key=str)
        while len(_known) > MOST:
            _known.popitem(last=False)
    return list(_known[key])
