"""A dataset's fields as currently stored in the database, and names of new fields."""

import keyword
import re
from collections.abc import Sequence
from typing import Any

import bson
import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.frame as fofr
import fiftyone.core.labels as fol
import fiftyone.core.odm as foo
import fiftyone.core.sample as fos

from yolov1_fo.datasets import fiftyone_private

FRAMES = "frames."
"""Prefix of the fields of a video's frames."""
RESERVED = ("frames", "groups", "pk")
"""Names that FiftyOne reserves, in addition to the attributes of its samples."""


def current_field(dataset: fo.Dataset, path: str) -> fof.Field | None:
    """Returns a field as currently stored in the database; None if there is none.

    The dataset is reloaded if its field in memory differs.

    Args:
        dataset: the dataset
        path: of the field; `frames.<name>` for frame fields

    Raises:
        ValueError: if the dataset was deleted
    """
    of_frames, name = path.startswith(FRAMES), path.removeprefix(FRAMES)
    stored = _stored_dataset(dataset, ["sample_fields", "frame_fields"])
    if stored is None:
        raise ValueError(f"dataset '{dataset.name}' was deleted")
    fields = stored.get("frame_fields" if of_frames else "sample_fields") or []
    found: dict[str, Any] = next((one for one in fields if one["name"] == name), {})
    stored_type = (
        found.get("ftype"),
        found.get("embedded_doc_type"),
        bool(found.get("read_only")),
    )
    if _field_type(dataset.get_field(path)) != stored_type:
        dataset.reload()
    return dataset.get_field(path)


def detections_fields(samples: Any) -> list[str]:
    """Returns the fields of Detections, sorted; those of a video's frames come last.

    Args:
        samples: a FiftyOne dataset or view
    """
    kind = {"ftype": fof.EmbeddedDocumentField, "embedded_doc_type": fol.Detections}
    of_frames = sorted(samples.get_frame_field_schema(**kind) or ())
    return [
        *sorted(samples.get_field_schema(**kind)),
        *(f"{FRAMES}{name}" for name in of_frames),
    ]


def declare_logits(dataset: fo.Dataset, path: str) -> None:
    """Adds the attribute `logits` of the objects of a field to the dataset's schema.

    Args:
        dataset: the dataset
        path: of a field of Detections
    """
    name = f"{path.removeprefix(FRAMES)}.detections.logits"
    if path.startswith(FRAMES):
        dataset.add_frame_field(name, fof.VectorField)
    else:
        dataset.add_sample_field(name, fof.VectorField)


def declare_logits_of(sample: Any) -> None:
    """Declares the attribute `logits` of the fields whose objects have it.

    Args:
        sample: a sample or frame, as FiftyOne passes them to a model, after it was
            saved; its dataset, and that of the video of a frames view, are changed
    """
    dataset = sample.dataset
    dataset.reload()
    of_frames = isinstance(sample, fofr.Frame | fofr.FrameView)
    query: dict[str, Any] = {"_id": bson.ObjectId(sample.id)}
    if of_frames:  # its id changes when it is saved
        owner = bson.ObjectId(sample.sample_id)
        query = {"_sample_id": owner, "frame_number": sample.frame_number}
    stored = fiftyone_private.collection(dataset, of_frames=of_frames).find_one(query)
    for path in detections_fields(dataset):
        name = path.removeprefix(FRAMES)
        if path.startswith(FRAMES) != of_frames or not _has_logits(stored, name):
            continue
        root = fiftyone_private.root_of_sample(sample)
        places = [(dataset, path), (root, f"{FRAMES}{name}")]
        for owner, place in places if root is not dataset else places[:1]:
            if not owner.has_field(f"{place}.detections.logits"):
                declare_logits(owner, place)


def _has_logits(document: dict[str, Any] | None, field: str) -> bool:
    """Returns whether an object of a stored sample has logits, as FiftyOne does."""
    label = (document or {}).get(field)
    objects = label.get("detections") if isinstance(label, dict) else None
    return any(isinstance(one.get("logits"), bytes) for one in objects or ())


def refresh_samples(samples: Sequence[Any]) -> None:
    """Updates samples in memory to fields that another process has added.

    FiftyOne's `apply_model` writes a model's results to these samples. It creates a
    field that is not in memory, overwriting the one in the database.

    Args:
        samples: as FiftyOne passes them to a model; samples of views are updated,
            others are not, because FiftyOne passes none
    """
    views = [one for one in samples if isinstance(one, fos.SampleView)]
    if not views:
        return
    dataset = views[0].dataset
    stored = _stored_dataset(dataset, ["sample_fields.name"])
    names = {one["name"] for one in (stored or {}).get("sample_fields", ())}
    if names - set(dataset.get_field_schema(include_private=True)):
        dataset.reload()
    for one in views:
        fiftyone_private.reload_sample_view(one, dataset)


def _stored_dataset(dataset: fo.Dataset, keys: list[str]) -> dict[str, Any] | None:
    """Returns some keys of a dataset's document in the database."""
    query: dict[str, Any] = {"_id": fiftyone_private.dataset_id(dataset)}
    return foo.get_db_conn().datasets.find_one(query, keys)


def _field_type(field: fof.Field | None) -> tuple[Any, ...]:
    if field is None:
        return None, None, False
    document = getattr(field, "document_type", None)
    return (
        _full_name(type(field)),
        document and _full_name(document),
        bool(field.read_only),
    )


def _full_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def check_new_field(name: str, argument: str) -> None:
    """Raises a ValueError unless FiftyOne and Python accept the name of a new field."""
    is_reserved = (
        keyword.iskeyword(name) or name in RESERVED or hasattr(fo.Sample, name)
    )
    if is_reserved or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            f"{argument} must be ASCII letters, digits and underscores, beginning with "
            f"a letter, and not reserved by Python or FiftyOne, got {name!r}"
        )
