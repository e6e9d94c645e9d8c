"""Values that forms need at every refresh, cached until dataset or file changes."""

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import fiftyone as fo

from yolov1_fo.datasets import class_lists, fiftyone_private, splitting
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.evaluation import evaluation_results
from yolov1_fo.evaluation import model_splits as splits
from yolov1_fo.evaluation.average_precision import Curve
from yolov1_fo.evaluation.model_splits import ModelSplits
from yolov1_fo.runs import checkpoint, training_samples

T = TypeVar("T")
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


def computed(samples: Any, name: tuple[Any, ...], compute: Callable[[], T]) -> T:
    """Returns what a function computes from a dataset or view, until it changes.

    Args:
        samples: the dataset or view
        name: of the value, unlike that of any other function
        compute: returns the value
    """
    return _cached(samples, ("computed", *name), compute)


def counts(samples: Any, paths: list[str]) -> list[int]:
    """Returns the numbers of values of some fields."""

    def count() -> list[int]:
        return list(samples.aggregate([fo.Count(path) for path in paths]))

    return list(_cached(samples, ("counts", *paths), count))


def kept(name: str, version: str, compute: Callable[[], T]) -> T:
    """Returns a value that has been computed for a version; else computes it.

    Unlike the other values, it costs no query of the database.

    Args:
        name: of the value
        version: changes when the value may
        compute: returns the value
    """
    value: T = _kept((name, version), compute)
    return value


def model_splits(dataset: Any, field: str) -> ModelSplits:
    """Returns the splits of the model that made a field's predictions."""
    model, folder = splits.run_folder(dataset, field)
    file = None if folder is None else folder / training_samples.FILE
    changed = file.stat().st_mtime_ns if file is not None and file.is_file() else 0
    key = ("splits", model, str(folder), changed)
    return _kept(key, lambda: splits.read(model, folder))


def ids(samples: Any) -> frozenset[str]:
    """Returns the ids of the samples of a dataset or view."""
    return _cached(samples, ("ids",), lambda: frozenset(samples.values("id")))


def curve(dataset: Any, eval_key: str) -> Curve | None:
    """Returns the curve of an evaluation of all its classes together.

    It is None if the evaluation has no confidences.
    """

    def read() -> Curve | None:
        try:
            results = dataset.load_evaluation_results(eval_key, cache=False)
            return evaluation_results.curve_of(results)
        except ValueError:
            return None

    evaluation = fiftyone_private.evaluation_id(dataset, eval_key)
    return _kept(("curve", evaluation), read)


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


def metadata(checkpoint_dir: Path) -> dict[str, Any]:
    """Returns the metadata of a checkpoint; none if they can't be read."""
    path = checkpoint_dir / checkpoint.METADATA

    def read() -> dict[str, Any]:
        try:
            return checkpoint.read_metadata(checkpoint_dir)
        except (OSError, ValueError):
            return {}

    try:
        stat = path.stat()
    except OSError:
        return {}
    return _kept(("metadata", str(path), stat.st_size, stat.st_mtime_ns), read)


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
