"""Reads the field of numbers that `sample_weights` names."""

import math
from collections.abc import Sequence
from typing import Any

import fiftyone.core.fields as fof
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import samples as fo_samples

_KINDS = (fof.FloatField, fof.IntField)


def read(samples: fo_samples.Samples, field: str, ids: Sequence[str]) -> Array:
    """Returns the numbers of some samples: (N,) float64.

    A field that the view excludes is read from the dataset.

    Args:
        samples: a checked collection
        field: its field
        ids: of samples, in the order of the result

    Raises:
        ValueError: if there is no such field of numbers, or a number is missing,
            negative or not finite, or all are 0
    """
    source = check(samples, field)
    if source is not samples:
        source = source.select(list(ids))
    where = _where(samples, field)
    found, filepaths, values = source.values(["id", "filepath", field])
    rows = {name: row for row, name in enumerate(found)}
    chosen = [rows[name] for name in ids]
    bad = [row for row in chosen if not _is_weight(values[row])]
    if bad:
        raise ValueError(
            f"{where} must be finite numbers of at least 0, got {values[bad[0]]!r} for "
            f"'{filepaths[bad[0]]}'" + _others(len(bad) - 1)
        )
    weights = np.array([values[row] for row in chosen], np.float64)
    if not weights.any():
        raise ValueError(f"{where} must be above 0 for some samples, got 0 for all")
    return weights


def check(samples: fo_samples.Samples, field: str) -> fo_samples.Samples:
    """Returns the collection that has the field: the samples, or all of the dataset.

    Raises:
        ValueError: if there is no such field of numbers
    """
    source = samples
    if samples.get_field(field) is None:
        source = fo_samples.all_samples(samples)
    found = source.get_field(field)
    if isinstance(found, _KINDS):
        return source
    fault = "is not there" if found is None else "must hold one number per sample"
    raise ValueError(
        f"{_where(samples, field)} {fault}; use balanced or a field of numbers: "
        f"{', '.join(usable(source)) or 'none'}"
    )


def usable(samples: fo_samples.Samples) -> list[str]:
    """Returns the fields that hold one number per sample."""
    schema = samples.get_field_schema()
    return sorted(name for name, one in schema.items() if isinstance(one, _KINDS))


def _where(samples: fo_samples.Samples, field: str) -> str:
    return f"sample_weights '{field}' on {fo_samples.name(samples)}"


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0


def _others(count: int) -> str:
    return f" and {count} more" if count else ""
