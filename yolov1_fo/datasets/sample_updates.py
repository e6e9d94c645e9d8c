"""Writes values to many samples and their objects, with one update per sample.

FiftyOne's `set_values` sends an update per object and attribute. As there, objects are
found by their ids, so that what others have edited meanwhile is kept.
"""

import itertools
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import bson
import pymongo

from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.bulk_writer import WRITE_EVERY


class SampleUpdate(NamedTuple):
    """What is written to a sample.

    Attributes:
        sample_id: of the sample
        values: by the name of a field
        objects: attributes by the id of the object, by the name of a field of
            Detections
    """

    sample_id: str
    values: Mapping[str, Any]
    objects: Mapping[str, Mapping[str, Mapping[str, Any]]]


def write(samples: fo_samples.Samples, updates: Iterable[SampleUpdate]) -> None:
    """Writes values, of a frames view also to the frames of the videos.

    Args:
        samples: a dataset or view that declares the fields and attributes
        updates: of samples; those that do not exist are left out
    """
    own = fiftyone_private.own_dataset(samples)
    videos = (
        fiftyone_private.root_dataset(samples)
        if fo_samples.is_frames_view(samples)
        else None
    )
    remaining = iter(updates)
    while part := [*itertools.islice(remaining, WRITE_EVERY)]:
        operations, ids = [*map(_operation, part)], [one.sample_id for one in part]
        fiftyone_private.bulk_write(own, operations, ids)
        if videos is not None:
            fiftyone_private.bulk_write(videos, operations, ids, of_frames=True)


def _operation(update: SampleUpdate) -> pymongo.UpdateOne:
    """Returns an update with a pipeline, which MongoDB executes as a whole."""
    changes: dict[str, Any] = {
        name: {"$literal": value} for name, value in update.values.items()
    }
    for field, attributes in update.objects.items():
        if attributes:
            changes[field] = _with_attributes(field, attributes)
    changes["last_modified_at"] = datetime.now(UTC)
    return pymongo.UpdateOne(
        {"_id": bson.ObjectId(update.sample_id)}, [{"$set": changes}]
    )


def _with_attributes(
    field: str, attributes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Returns the expression of a field with attributes added to its objects."""
    ids = {"$literal": [bson.ObjectId(one) for one in attributes]}
    added = {"$arrayElemAt": [{"$literal": [*attributes.values()]}, "$$place"]}
    is_known = {"$gte": ["$$place", 0]}
    changed = {
        "$let": {
            "vars": {"place": {"$indexOfArray": [ids, "$$one._id"]}},
            "in": {"$cond": [is_known, {"$mergeObjects": ["$$one", added]}, "$$one"]},
        }
    }
    objects = f"${field}.detections"
    all_changed = {"$map": {"input": objects, "as": "one", "in": changed}}
    merged = {"$mergeObjects": [f"${field}", {"detections": all_changed}]}
    return {"$cond": [{"$isArray": [objects]}, merged, f"${field}"]}
