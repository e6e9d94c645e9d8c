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
    source = samples
    if samples.get_field(field) is None:
        source = fo_samples.all_samples(samples).select(list(ids))
    where = f"sample_weights '{field}' on {fo_samples.name(samples)}"
    _check_field(source, field, where)
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


def _check_field(source: fo_samples.Samples, field: str, where: str) -> None:
    found = source.get_field(field)
    if isinstance(found, _KINDS):
        return
    schema = source.get_field_schema()
    usable = sorted(name for name, one in schema.items() if isinstance(one, _KINDS))
    fault = "is not there" if found is None else "must hold one number per sample"
    raise ValueError(
        f"{where} {fault}; use balanced or a field of numbers: "
        f"{', '.join(usable) or 'none'}"
    )


def _is_weight(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and value >= 0


def _others(count: int) -> str:
    return f" and {count} more" if count else ""
