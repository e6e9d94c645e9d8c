"""Updates of MongoDB that move a suggestion into the labels of its sample, and back.

An update reads and writes a sample at once. It changes nothing unless the label is
still as expected.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

import bson
import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import pymongo

from yolov1_fo.curation.suggestion_field import SOURCE, TAG
from yolov1_fo.datasets import fiftyone_boxes, fiftyone_private

ACCEPTED_AT = "accepted_at"
"""Attribute with the time, in UTC, at which a label was accepted."""
ORIGIN = "suggestion"
WAS_UNLABELED = "was_unlabeled"
"""As it is stored: whether the field had no value before."""
"""Attribute with what a label was before it was accepted."""

Document = dict[str, Any]


class Accepting(NamedTuple):
    """How labels are accepted.

    Attributes:
        field: that holds them
        gt_field: that gets them
        moves: whether they leave `field`, which then holds suggestions; predictions
            stay, and are copied
        source: name of the model, for labels that name none
        accepted_at: the time
    """

    field: str
    gt_field: str
    moves: bool
    source: str = ""
    accepted_at: str = ""

    def new_id(self, label_id: str) -> str:
        """Returns the id of an accepted label: that of the suggestion, if it moves."""
        if self.moves:
            return label_id
        name = f"{self.gt_field} {label_id}"
        return hashlib.sha256(name.encode()).hexdigest()[:24]

    def accept(self, sample_id: str, label_id: str) -> pymongo.UpdateOne:
        """Returns the update that accepts a label, unless it is accepted already."""
        old_id, new_id = map(bson.ObjectId, (label_id, self.new_id(label_id)))
        labels, suggested = f"{self.gt_field}.detections", f"{self.field}.detections"
        changes = {
            self.gt_field: _with(self.gt_field, self._accepted(old_id, new_id)),
            "last_modified_at": datetime.now(UTC),
        }
        if self.moves:
            rest = _others(self.field, old_id)
            is_last = {"$eq": [{"$size": rest}, 0]}
            kept = {"$mergeObjects": [f"${self.field}", {"detections": rest}]}
            untagged = _without_tag("$tags")
            changes[self.field] = {"$cond": [is_last, None, kept]}
            changes["tags"] = {"$cond": [is_last, untagged, "$tags"]}
        return pymongo.UpdateOne(
            {
                "_id": bson.ObjectId(sample_id),
                f"{suggested}._id": old_id,
                f"{labels}._id": {"$ne": new_id},
            },
            [{"$set": changes}],
        )

    def _accepted(self, old_id: bson.ObjectId, new_id: bson.ObjectId) -> Document:
        """Returns the expression of an accepted label; it has no confidence."""
        blank = fiftyone_boxes.blank_document()
        about = ("label", "bounding_box", "confidence")
        origin = {
            **{name: f"$$one.{name}" for name in about},
            "field": {"$literal": self.field},
            WAS_UNLABELED: {"$not": [{"$ifNull": [f"${self.gt_field}", False]}]},
        }
        source = {"$literal": self.source}
        changed = {
            "_id": new_id,
            "label": "$$one.label",
            "bounding_box": "$$one.bounding_box",
            "confidence": None,
            "tags": _without_tag("$$one.tags") if self.moves else [],
            SOURCE: {"$ifNull": [f"$$one.{SOURCE}", source]} if self.moves else source,
            ACCEPTED_AT: self.accepted_at,
            ORIGIN: origin,
        }
        base = "$$one" if self.moves else {"$literal": blank}
        is_it = {"$eq": ["$$this._id", old_id]}
        detections = f"${self.field}.detections"
        found = {"$filter": {"input": detections, "cond": is_it}}
        return {
            "$let": {
                "vars": {"one": {"$arrayElemAt": [found, 0]}},
                "in": {"$mergeObjects": [base, changed]},
            }
        }

    def undo(self, sample_id: str, label: Document) -> pymongo.UpdateOne:
        """Returns the update that takes an accepted label back, unless it has changed.

        Args:
            sample_id: of its sample
            label: as stored
        """
        names = ("_id", "label", "bounding_box", ACCEPTED_AT)
        rest = _others(self.gt_field, label["_id"])
        left: Any = {"$mergeObjects": [f"${self.gt_field}", {"detections": rest}]}
        if label[ORIGIN].get(WAS_UNLABELED):
            left = {"$cond": [{"$eq": [{"$size": rest}, 0]}, None, left]}
        changes = {self.gt_field: left, "last_modified_at": datetime.now(UTC)}
        if self.moves:
            restored = {"$literal": _restored(label)}
            changes[self.field] = _with(self.field, restored, is_first=True)
            changes["tags"] = {"$concatArrays": [_without_tag("$tags"), [TAG]]}
        return pymongo.UpdateOne(
            {
                "_id": bson.ObjectId(sample_id),
                f"{self.gt_field}.detections": {
                    "$elemMatch": {name: label[name] for name in names}
                },
            },
            [{"$set": changes}],
        )


def add_field(dataset: fo.Dataset, name: str) -> None:
    """Adds a field of Detections unless it exists."""
    kind = {"ftype": fof.EmbeddedDocumentField, "embedded_doc_type": fol.Detections}
    dataset.add_sample_field(name, **kind)


def write(dataset: fo.Dataset, updates: list[Any], ids: list[str]) -> int:
    """Updates samples, given by their ids; returns how many updates had an effect."""
    if not updates:
        return 0
    return fiftyone_private.bulk_write(dataset, updates, [*dict.fromkeys(ids)])


def is_changed(label: Document) -> bool:
    """Returns whether an accepted label has another class or box than suggested."""
    origin = label.get(ORIGIN)
    names = ("label", "bounding_box")
    return not isinstance(origin, dict) or any(
        label.get(name) != origin.get(name) for name in names
    )


def _restored(label: Document) -> Document:
    tags = [*(tag for tag in label.get("tags") or () if tag != TAG), TAG]
    confidence = label[ORIGIN].get("confidence")
    own = {k: v for k, v in label.items() if k not in (ACCEPTED_AT, ORIGIN)}
    return {**own, "tags": tags, "confidence": confidence}


def _with(field: str, label: Document, *, is_first: bool = False) -> Document:
    """Returns the expression of a field with one more label, the first or the last."""
    existing = {"$ifNull": [f"${field}.detections", []]}
    labels = [[label], existing] if is_first else [existing, [label]]
    return {
        "$mergeObjects": [
            {"$literal": {"_cls": "Detections"}},
            {"$ifNull": [f"${field}", {}]},
            {"detections": {"$concatArrays": labels}},
        ]
    }


def _others(field: str, label_id: bson.ObjectId) -> Document:
    """Returns the expression of a field's labels without one."""
    is_other = {"$ne": ["$$this._id", label_id]}
    return {"$filter": {"input": f"${field}.detections", "cond": is_other}}


def _without_tag(tags: str) -> Document:
    is_other = {"$ne": ["$$this", TAG]}
    return {"$filter": {"input": {"$ifNull": [tags, []]}, "cond": is_other}}
