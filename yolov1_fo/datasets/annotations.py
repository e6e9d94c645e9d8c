"""The files and objects of a FiftyOne collection, read with one aggregation."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from yolov1_fo.datasets import checks
from yolov1_fo.datasets import samples as fo_samples

PART = 10_000
"""So many samples are asked for at a time."""
IGNORE_ATTRIBUTES = ("difficult", "iscrowd", "IsGroupOf")
"""Marks of objects that are no fair target: of VOC, COCO and Open Images."""


class Records(NamedTuple):
    """What is read of a collection, by sample, as FiftyOne has it.

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
    """Returns files and objects of a checked collection, with one aggregation.

    A sample without the field has no objects. A class is an object as large as the
    image. Marks of objects are read as a field of theirs and in their `attributes`.

    Args:
        samples: a checked collection
        field: of Detections, Classification or Classifications
    """
    if checks.is_classified(samples, field):
        return _read_classes(samples, field)
    marks_at = [
        path
        for name in IGNORE_ATTRIBUTES
        for path in (name, f"attributes.{name}.value")
    ]
    attributes = ("label", "bounding_box", "confidence", *marks_at)
    ids, filepaths, labels, boxes, confidences, *marks = samples.values(
        ["id", "filepath", *(f"{field}.detections.{one}" for one in attributes)],
        _raw=True,  # FiftyOne can't turn each value into what its schema says
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
    """Yields what `read` gives in parts, so that many samples take little memory.

    Args:
        samples: a checked collection; an empty one is one empty part
        field: see `read`
    """
    for start in itertools.count(0, PART):
        part = read(samples[start : start + PART], field)
        if part.ids or not start:
            yield part
        if len(part.ids) < PART:
            return


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


def is_ignored(detection: Any) -> bool:
    """Returns whether an object is difficult, a crowd or a group; as `read` does."""
    attributes = detection.attributes or {}
    return any(
        _is_true(getattr(detection, name, None))
        or _is_true(getattr(attributes.get(name), "value", None))
        for name in IGNORE_ATTRIBUTES
    )


def _is_true(value: Any) -> bool:
    """Returns whether a mark is set; importers write True, 1, 1.0, "1" or "True"."""
    if value is None or isinstance(value, bool):  # nearly all
        return bool(value)
    said = str(value).strip().lower()
    try:
        return float(said) > 0
    except ValueError:
        return said in ("true", "t", "yes", "y")
