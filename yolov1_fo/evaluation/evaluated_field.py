"""The objects of one field that are evaluated, as arrays by image."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import annotations, fiftyone_boxes
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.invalid_boxes import InvalidBoxes

logger = logging.getLogger(__name__)


class EvaluatedField(NamedTuple):
    """The objects of a field that are evaluated.

    Objects with an invalid box or without a label are left out.

    Attributes:
        boxes: (K, 4) xyxy, relative, clipped to the image, by image
        unclipped: (K, 4) the same boxes as stored
        class_ids: (K,) by image
        ids: of the objects, by image
        places: (K,) indices of the objects in the field, by image
        lengths: number of objects in the field, by image
        left_out: number of objects that are left out
    """

    boxes: list[Array]
    unclipped: list[Array]
    class_ids: list[Array]
    ids: list[list[str]]
    places: list[Array]
    lengths: list[int]
    left_out: int

    @classmethod
    def read(
        cls,
        samples: fo_samples.Samples,
        name: str,
        records: annotations.Records,
        class_ids: dict[str, int],
    ) -> "EvaluatedField":
        """Selects the objects to evaluate; warns about objects that are left out.

        Args:
            samples: a checked collection
            name: of the field
            records: of the field
            class_ids: by label; labels that are missing are added
        """
        boxes = fiftyone_boxes.read_boxes(records.bounding_boxes)
        where = fo_samples.name(samples)
        InvalidBoxes.count(
            boxes.faults, boxes.image, records.bounding_boxes, records.filepaths
        ).warn(name, where)
        values = [x for row in records.labels for x in row]
        names: list[str | None] = [x if isinstance(x, str) else None for x in values]
        if unlabeled := names.count(None):
            logger.warning(
                "%d of %d objects of '%s' on %s have no label and are left out",
                *(unlabeled, len(names), name, where),
            )
        for label in sorted({x for x in names if x is not None} - set(class_ids)):
            class_ids[label] = len(class_ids)
        ids = np.array([-1 if x is None else class_ids[x] for x in names], int)
        rows = np.flatnonzero(boxes.usable & (ids >= 0))
        lengths = [len(row) for row in records.labels]
        starts = np.cumsum([0, *lengths])[:-1]
        ends = np.searchsorted(boxes.image[rows], np.arange(1, len(lengths)))

        def by_image(values: Array) -> list[Array]:
            return np.split(values[rows], ends) if lengths else []

        places = by_image(np.arange(len(ids)) - starts[boxes.image])
        object_ids = [row or [] for row in samples.values(f"{name}.detections.id")]
        return cls(
            boxes=by_image(boxes.clipped()),
            unclipped=by_image(boxes.xyxy),
            class_ids=by_image(ids),
            ids=[[x[k] for k in p] for x, p in zip(object_ids, places, strict=True)],
            places=places,
            lengths=lengths,
            left_out=len(ids) - len(rows),
        )

    def select(self, values: Sequence[Sequence[Any]]) -> list[Array]:
        """Returns the values of the evaluated objects, by image.

        Args:
            values: of all objects of the field, by image
        """
        return [
            np.array([row[k] for k in places], float)
            for row, places in zip(values, self.places, strict=True)
        ]

    def expand(self, values: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Returns a value for each object of the field; None for objects left out.

        Args:
            values: of the evaluated objects, by image
        """
        expanded = []
        for places, length, some in zip(self.places, self.lengths, values, strict=True):
            row: list[Any] = [None] * length
            for place, value in zip(places.tolist(), some, strict=True):
                row[place] = value
            expanded.append(row)
        return expanded
