"""What forms ask of a dataset at each key press, counted once while it is unchanged."""

import functools
import json
from typing import Any

import fiftyone as fo

from yolov1_fo import samples as fo_samples


def tags(samples: Any) -> list[str]:
    """Returns the tags of a dataset or view."""
    return distinct(samples, "tags")


def classes(samples: Any, field: str) -> list[str]:
    """Returns the classes of a checked field of Detections.

    Raises:
        ValueError: if there is none
    """
    known = samples.classes.get(field) or samples.default_classes
    labels = known or distinct(samples, f"{field}.detections.label")
    return fo_samples.classes_of(samples, field, labels or None)


def distinct(samples: Any, path: str) -> list[str]:
    """Returns the sorted values of a field of a dataset or view."""
    dataset = samples._root_dataset
    stages = json.dumps(samples.view()._serialize(), sort_keys=True)
    stamp = (len(dataset), dataset.max("last_modified_at") if len(dataset) else None)
    return list(_distinct(dataset.name, stages, path, stamp))


@functools.lru_cache(maxsize=64)
def _distinct(name: str, stages: str, path: str, stamp: Any) -> tuple[str, ...]:
    view = fo.DatasetView._build(fo.load_dataset(name), json.loads(stages))
    return tuple(sorted(value for value in view.distinct(path) if value is not None))
