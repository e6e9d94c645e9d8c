"""The objects of samples with their ids, to tell later which ones were edited.

Nothing is left out: neither difficult objects nor invalid boxes.
"""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

import bson
import fiftyone as fo
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import fiftyone_boxes, fiftyone_private

CHUNK_SIZE = 100_000
"""Number of samples that are read at a time."""


class ObjectIds(NamedTuple):
    """The objects of samples, flat.

    Attributes:
        sample_ids: (N,) str
        counts: (N,) number of objects of each sample
        label_ids: (K,) str, the id of each object; empty if it has none
        labels: (K,) str, its class; empty if it has none
        boxes: (K, 4) xyxy, relative, float32; zeros for invalid boxes
    """

    sample_ids: Array
    counts: Array
    label_ids: Array
    labels: Array
    boxes: Array

    @property
    def samples(self) -> Array:
        """Id of the sample of each object: (K,) str."""
        return np.repeat(self.sample_ids, self.counts)


def read(dataset: fo.Dataset, field: str, sample_ids: Iterable[str]) -> ObjectIds:
    """Returns the objects of some samples; samples that don't exist are missing.

    Args:
        dataset: the dataset
        field: of Detections
        sample_ids: of its samples
    """
    path = f"{field}.detections"
    wanted = [f"{path}.{name}" for name in ("_id", "label", "bounding_box")]
    stored, ids = fiftyone_private.collection(dataset), map(bson.ObjectId, sample_ids)
    found: list[tuple[str, list[Any]]] = []
    while chunk := [*itertools.islice(ids, CHUNK_SIZE)]:
        for sample in stored.find({"_id": {"$in": chunk}}, wanted):
            value = sample.get(field) or {}
            found.append((str(sample["_id"]), value.get("detections") or []))
    objects = [one for _, labels in found for one in labels]
    return ObjectIds(
        np.array([sample_id for sample_id, _ in found], str),
        np.array([len(labels) for _, labels in found], np.int64),
        np.array([str(one.get("_id") or "") for one in objects], str),
        np.array([str(one.get("label") or "") for one in objects], str),
        fiftyone_boxes.read_boxes([[one.get("bounding_box") for one in objects]])
        .xyxy.reshape(-1, 4)
        .astype(np.float32),
    )
