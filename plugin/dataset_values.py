"""Values that forms need at every refresh, cached until dataset or file changes."""

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yolov1_fo.datasets import class_lists, fiftyone_private, splitting
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.runs import checkpoint

MAX_ENTRIES = 64
"""Size of the cache; the oldest entries are dropped."""
_cache: OrderedDict[tuple[Any, ...], Any] = OrderedDict()


def tags(samples: Any) -> list[str]:
    """Returns the tags of a dataset or view."""
    return distinct(samples, "tags")


def classes(samples: Any, field: str) -> list[str]:
    """Returns the classes of a checked field of Detections.

    Raises:
        ValueError: if there are none
    """
    own, _ = class_lists.own_classes(samples, field)
    labels = None if own else distinct(samples, f"{field}.detections.label")
    return class_lists.classes_of(samples, field, labels or None)


def distinct(samples: Any, path: str) -> list[str]:
    """Returns the sorted values of a field of a dataset or view."""

    def values() -> list[str]:
        found = samples.distinct(path)
        return sorted((value for value in found if value is not None), key=str)

    return list(_cached(samples, ("distinct", path), values))


def check_replaceable(samples: Any, field: str) -> None:
    """Checks all samples for annotations that predictions would overwrite.

    Args:
        samples: a checked dataset or view
        field: the field that predictions are written to

    Raises:
        ValueError: if the field holds annotations
    """

    def error() -> str:
        try:
            PredictionsField(samples, field)
        except ValueError as error:
            return str(error)
        return ""

    exists = PredictionsField(samples, field, replaces=False).exists
    if line := _cached(samples, ("replaceable", field, exists), error):
        raise ValueError(line)


def shared_count(samples: Any, val_samples: Any) -> int:
    """Returns the number of samples that are in both splits."""
    stages = json.dumps(fo_samples.stages(val_samples), sort_keys=True)
    return _cached(
        samples,
        ("shared", stages),
        lambda: splitting.shared_count(samples, val_samples),
    )


def metrics(checkpoint_dir: Path) -> dict[str, float | None]:
    """Returns the metrics of a checkpoint; none if they can't be read."""
    path = checkpoint_dir / checkpoint.METADATA

    def read() -> dict[str, float | None]:
        try:
            return checkpoint.read_metadata(checkpoint_dir).get("metrics") or {}
        except (OSError, ValueError):
            return {}

    try:
        stat = path.stat()
    except OSError:
        return {}
    return _kept(("metrics", str(path), stat.st_size, stat.st_mtime_ns), read)


def _cached(samples: Any, name: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
    """Returns a value of a dataset or view; computes it if the dataset has changed."""
    dataset = fiftyone_private.root_dataset(samples)
    stages = json.dumps(fo_samples.stages(samples), sort_keys=True)
    count = len(dataset)
    version = (count, dataset.max("last_modified_at") if count else None)
    key = (
        dataset.name,
        fiftyone_private.own_dataset(samples).name,
        stages,
        name,
        version,
    )
    return _kept(key, compute)


def _kept(key: tuple[Any, ...], compute: Callable[[], Any]) -> Any:
    """Returns the value of a key; computes it if it is not in the cache."""
    if key not in _cache:
        _cache[key] = compute()
        while len(_cache) > MAX_ENTRIES:
            _cache.popitem(last=False)
    return _cache[key]
