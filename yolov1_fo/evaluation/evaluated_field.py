"""The objects of one field that are evaluated, as arrays by image."""

import itertools
import logging
import math
import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import annotations, fiftyone_boxes
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.annotations import Records
from yolov1_fo.datasets.invalid_boxes import InvalidBoxes

logger = logging.getLogger(__name__)

NO_CONFIDENCE = "objects without confidence"


class EvaluatedField(NamedTuple):
    """The objects of a field that are evaluated.

    Objects with an invalid box or without a label are left out.

    Attributes:
        sample_ids: of the images
        boxes: (K, 4) xyxy, relative, clipped to the image, by image
        unclipped: (K, 4) the same boxes as stored
        class_ids: (K,) by image
        confidences: (K,) by image; NaN where an object has none
        ignored: (K,) whether each is difficult, a crowd or a group, by image
        ids: of the objects, by image; None where one has none
        other_ids: of the objects that are left out, by image
        unscored: what an object has in place of a confidence; empty if each has one
    """

    sample_ids: list[str]
    boxes: list[Array]
    unclipped: list[Array]
    class_ids: list[Array]
    confidences: list[Array]
    ignored: list[Array]
    ids: list[list[Any]]
    other_ids: list[list[Any]]
    unscored: str

    @property
    def left_out(self) -> int:
        """Number of objects that are left out."""
        return sum(map(len, self.other_ids))

    @classmethod
    def read(
        cls, samples: fo_samples.Samples, name: str, class_ids: dict[str, int]
    ) -> "EvaluatedField":
        """Selects the objects to evaluate; warns about objects that are left out.

        Args:
            samples: a checked collection
            name: of the field
            class_ids: by label; labels that are missing are added

        Raises:
            ValueError: if all boxes are in pixels
        """
        labels: dict[str, int] = {}
        parts = [
            _Part.of(records, labels)
            for records in annotations.read_parts(samples, name)
        ]
        _warn(parts, name, fo_samples.name(samples))
        for label in sorted(labels.keys() - class_ids.keys()):
            class_ids[label] = len(class_ids)
        new_ids = np.array([class_ids[label] for label in labels], int)
        counts = np.concatenate([part.counts for part in parts])
        ends = np.cumsum(counts)[:-1]

        def by_image(column: str) -> list[Array]:
            values = np.concatenate([getattr(part, column) for part in parts])
            if column == "labels":
                values = new_ids[values]
            return np.split(values, ends) if len(counts) else []

        def joined(column: str) -> list[Any]:
            return [*itertools.chain(*(getattr(part, column) for part in parts))]

        return cls(
            sample_ids=joined("sample_ids"),
            boxes=by_image("boxes"),
            unclipped=by_image("unclipped"),
            class_ids=by_image("labels"),
            confidences=by_image("confidences"),
            ignored=by_image("ignored"),
            ids=joined("ids"),
            other_ids=joined("other_ids"),
            unscored=next((part.unscored for part in parts if part.unscored), ""),
        )


class _Part(NamedTuple):
    """The objects of some samples: the evaluated ones flat; see `EvaluatedField`."""

    sample_ids: list[str]
    counts: Array
    boxes: Array
    unclipped: Array
    labels: Array
    confidences: Array
    ignored: Array
    ids: list[list[Any]]
    other_ids: list[list[Any]]
    unscored: str
    unlabeled: int
    faults: InvalidBoxes

    @classmethod
    def of(cls, records: Records, labels: dict[str, int]) -> "_Part":
        """Returns the objects of some samples.

        Args:
            records: of the samples
            labels: the number of each label; labels that are missing are added
        """
        read = fiftyone_boxes.read_boxes(records.bounding_boxes)
        names = [x if isinstance(x, str) else None for x in _flat(records.labels)]
        numbered = [
            -1 if name is None else labels.setdefault(name, len(labels))
            for name in names
        ]
        is_used = read.usable & np.array([name is not None for name in names], bool)
        confidences, unscored = _read_confidences(records)
        ids = records.object_ids
        rows = np.split(is_used, np.cumsum([*map(len, ids)])[:-1]) if ids else []
        return cls(
            records.ids,
            np.bincount(read.image[is_used], minlength=len(records.ids)),
            read.clipped()[is_used],
            read.xyxy[is_used],
            np.array(numbered, int)[is_used],
            confidences[is_used],
            np.array(_flat(records.ignored), bool)[is_used],
            [_chosen(row, used) for row, used in zip(ids, rows, strict=True)],
            [_chosen(row, ~used) for row, used in zip(ids, rows, strict=True)],
            unscored,
            names.count(None),
            InvalidBoxes.count(
                read.faults, read.image, records.bounding_boxes, records.filepaths
            ),
        )


def _flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [*itertools.chain.from_iterable(rows)]


def _chosen(row: Sequence[Any], is_chosen: Array) -> list[Any]:
    return [*itertools.compress(row, is_chosen.tolist())]


def _read_confidences(records: Records) -> tuple[Array, str]:
    """Returns the confidence of each object, and what the first one without has."""
    unscored = ""
    confidences = []
    for path, row in zip(records.filepaths, records.confidences, strict=True):
        for value in row:
            if isinstance(value, numbers.Real) and math.isfinite(value):
                confidences.append(float(value))
                continue
            confidences.append(math.nan)
            if not unscored:
                unscored = (
                    NO_CONFIDENCE
                    if value is None
                    else f"a confidence that is not a number, {value!r} in '{path}'"
                )
    return np.array(confidences, float), unscored


def _warn(parts: Sequence[_Part], name: str, where: str) -> None:
    """Logs what is left out."""
    faults = sum((part.faults for part in parts), InvalidBoxes())
    faults.warn(name, where)
    if unlabeled := sum(part.unlabeled for part in parts):
        logger.warning(
            "%d of %d objects of '%s' on %s have no label and are left out",
            *(unlabeled, faults.total, name, where),
        )
