"""Reading the files and objects of a FiftyOne collection, in one pass over it."""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples

CHUNK_SIZE = 1000
"""Number of samples that `read_parts` reads at a time."""
IGNORE_ATTRIBUTES = ("difficult", "iscrowd", "IsGroupOf")
"""Attributes of objects to ignore, from VOC, COCO and Open Images."""


class Records(NamedTuple):
    """Files and objects of a collection, by sample, as stored by FiftyOne.

    Attributes:
        ids: sample ids
        filepaths: image files
        object_ids: the id of each object; None where it has none
        labels: the class of each object
        bounding_boxes: of each object
        ignored: whether each object is difficult, a crowd or a group
        confidences: of each object; None where it has none
    """

    ids: list[str]
    filepaths: list[str]
    object_ids: list[list[str | None]]
    labels: list[list[str]]
    bounding_boxes: list[list[list[float]]]
    ignored: list[list[bool]]
    confidences: list[list[float | None]]


def read(samples: fo_samples.Samples, field: str | None) -> Records:
    """Returns the files and objects of a checked collection.

    A sample without the field has no objects. A classification becomes an object that
    covers the image. `IGNORE_ATTRIBUTES` may be fields of an object or entries of its
    `attributes`.

    Args:
        samples: a checked collection
        field: of Detections, Classification or Classifications; None reads no objects
    """
    columns = zip(*read_parts(samples, field), strict=True)
    return Records(*([*itertools.chain.from_iterable(parts)] for parts in columns))


def read_parts(samples: fo_samples.Samples, field: str | None) -> Iterator[Records]:
    """Yields the result of `read` in parts, to limit memory use.

    Args:
        samples: a checked collection; an empty one yields one empty part
        field: see `read`
    """
    documents = fiftyone_private.documents(samples, _paths(samples, field))
    for number in itertools.count():
        part = [*itertools.islice(documents, CHUNK_SIZE)]
        if part or not number:
            yield _records(part, field)
        if len(part) < CHUNK_SIZE:
            return


def _paths(samples: fo_samples.Samples, field: str | None) -> list[str]:
    """Returns the paths of the files, and of what is read of each object."""
    if field is None:
        return ["filepath"]
    is_classified = checks.is_classified(samples, field)
    wanted = _CLASS_PATHS if is_classified else _OBJECT_PATHS
    return ["filepath", *(f"{field}.{path}" for path in wanted)]


_CLASS_PATHS = ("label", "classifications.label")
_OBJECT_PATHS = [
    f"detections.{path}"
    for path in (
        *("_id", "label", "bounding_box", "confidence", *IGNORE_ATTRIBUTES),
        *(f"attributes.{name}.value" for name in IGNORE_ATTRIBUTES),
    )
]


def _records(documents: list[dict[str, Any]], field: str | None) -> Records:
    """Returns the files of stored samples, and the objects of a field."""
    objects = [_objects(one.get(field) or {}) if field else [] for one in documents]

    def column(name: str) -> list[list[Any]]:
        return [[one.get(name) for one in row] for row in objects]

    return Records(
        [str(one["_id"]) for one in documents],
        [one["filepath"] for one in documents],
        [[None if x is None else str(x) for x in row] for row in column("_id")],
        column("label"),
        column("bounding_box"),
        [[_is_ignored(one) for one in row] for row in objects],
        column("confidence"),
    )


def _objects(value: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the objects of a sample; classifications cover the image.

    Args:
        value: of the field
    """
    if "label" not in value and "classifications" not in value:
        return value.get("detections") or []
    found = value["classifications"] or [] if "classifications" in value else [value]
    labels = [one.get("label") for one in found]
    return [
        {"label": label, "bounding_box": [0.0, 0.0, 1.0, 1.0]}
        for label in labels
        if label is not None
    ]


def _is_ignored(one: dict[str, Any]) -> bool:
    marks = [one.get(name) for name in IGNORE_ATTRIBUTES]
    if attributes := one.get("attributes"):
        entries = [attributes.get(name) or {} for name in IGNORE_ATTRIBUTES]
        marks += [entry.get("value") for entry in entries]
    return any(_is_true(value) for value in marks if value is not None)


def unlabeled_count(samples: fo_samples.Samples, field: str) -> int:
    """Returns the number of samples that have no labels, not even an empty list."""
    return len(samples) - samples.count(field)


def _is_true(value: Any) -> bool:
    """Returns whether an attribute is set: as True, 1, 1.0, "1" or "True"."""
    if value is None or isinstance(value, bool):  # the most common case
        return bool(value)
    text = str(value).strip().lower()
    try:
        return float(text) > 0
    except ValueError:
        return text in ("true", "t", "yes", "y")
