"""Reading the files and objects of a FiftyOne collection with one aggregation."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from yolov1_fo.datasets import checks
from yolov1_fo.datasets import samples as fo_samples

CHUNK_SIZE = 10_000
"""Number of samples that `read_parts` reads at a time."""
IGNORE_ATTRIBUTES = ("difficult", "iscrowd", "IsGroupOf")
"""Attributes of objects to ignore, from VOC, COCO and Open Images."""


class Records(NamedTuple):
    """Files and objects of a collection, by sample, as stored by FiftyOne.

    Attributes:
        ids: sample ids
        filepaths: image files
        labels: the class of each object
        bounding_boxes: of each object
        ignored: whether each object is difficult, a crowd or a group
        confidences: of each object; None where it has none
    """

    ids: list[str]
    filepaths: list[str]
    labels: list[list[str]]
    bounding_boxes: list[list[list[float]]]
    ignored: list[list[bool]]
    confidences: list[list[float | None]]


def read(samples: fo_samples.Samples, field: str) -> Records:
    """Returns the files and objects of a checked collection.

    A sample without the field has no objects. A classification becomes an object that
    covers the image. `IGNORE_ATTRIBUTES` may be fields of an object or entries of its
    `attributes`.

    Args:
        samples: a checked collection
        field: of Detections, Classification or Classifications
    """
    if checks.is_classified(samples, field):
        return _read_classes(samples, field)
    ignore_paths = [
        path
        for name in IGNORE_ATTRIBUTES
        for path in (name, f"attributes.{name}.value")
    ]
    attributes = ("label", "bounding_box", "confidence", *ignore_paths)
    ids, filepaths, labels, boxes, confidences, *marks = samples.values(
        ["id", "filepath", *(f"{field}.detections.{one}" for one in attributes)],
        _raw=True,  # some stored values don't match the schema and can't be converted
    )
    marks = [[values or [] for values in mark] for mark in marks]
    return Records(
        ids,
        filepaths,
        [values or [] for values in labels],
        [values or [] for values in boxes],
        [
            [
                any(_is_true(value) for value in values)
                for values in zip(*rows, strict=True)
            ]
            for rows in zip(*marks, strict=True)
        ],
        [values or [] for values in confidences],
    )


def read_parts(samples: fo_samples.Samples, field: str) -> Iterator[Records]:
    """Yields the result of `read` in parts, to limit memory use.

    Args:
        samples: a checked collection; an empty one yields one empty part
        field: see `read`
    """
    for start in itertools.count(0, CHUNK_SIZE):
        part = read(samples[start : start + CHUNK_SIZE], field)
        if part.ids or not start:
            yield part
        if len(part.ids) < CHUNK_SIZE:
            return


def unlabeled_count(samples: fo_samples.Samples, field: str) -> int:
    """Returns the number of samples that have no labels, not even an empty list."""
    return len(samples) - samples.count(field)


def _read_classes(samples: fo_samples.Samples, field: str) -> Records:
    ids, filepaths, labels = samples.values(
        ["id", "filepath", checks.label_path(samples, field)]
    )
    labels = [[row] if isinstance(row, str) else row or [] for row in labels]
    labels = [[label for label in row if label is not None] for row in labels]
    return Records(
        ids,
        filepaths,
        labels,
        [[[0.0, 0.0, 1.0, 1.0] for _ in row] for row in labels],
        [[False for _ in row] for row in labels],
        [[None for _ in row] for row in labels],
    )


def _is_true(value: Any) -> bool:
    """Returns whether an attribute is set: as True, 1, 1.0, "1" or "True"."""
    if value is None or isinstance(value, bool):  # the most common case
        return bool(value)
    text = str(value).strip().lower()
    try:
        return float(text) > 0
    except ValueError:
        return text in ("true", "t", "yes", "y")
