"""A dataset's fields as its database has them now, and the names that new ones take."""

import keyword
import re
from collections.abc import Sequence
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.odm as foo
import fiftyone.core.sample as fos

FRAMES = "frames."
"""Begins the fields of a video's frames."""
RESERVED = ("frames", "groups", "pk")
"""Names that FiftyOne keeps for itself, beside the attributes of its samples."""


def current(dataset: fo.Dataset, path: str) -> fof.Field | None:
    """Returns a field as the database has it now; None if there is none.

    A dataset that knows it otherwise is reloaded.

    Args:
        dataset: the dataset
        path: of the field, `frames.<name>` of a video's frames

    Raises:
        ValueError: if the dataset was deleted
    """
    of_frames, name = path.startswith(FRAMES), path.removeprefix(FRAMES)
    stored = foo.get_db_conn().datasets.find_one(
        {"_id": dataset._doc.id}, ["sample_fields", "frame_fields"]
    )
    if stored is None:
        raise ValueError(f"dataset '{dataset.name}' was deleted")
    fields = stored.get("frame_fields" if of_frames else "sample_fields") or []
    there: dict[str, Any] = next((one for one in fields if one["name"] == name), {})
    described = (
        there.get("ftype"),
        there.get("embedded_doc_type"),
        bool(there.get("read_only")),
    )
    if _described(dataset.get_field(path)) != described:
        dataset.reload()
    return dataset.get_field(path)


def renew(samples: Sequence[Any]) -> None:
    """Has samples know the fields that another process has made meanwhile.

    FiftyOne's `apply_model` writes into them what a model returns; a field that it does
    not know it makes, over whatever stands there.

    Args:
        samples: as FiftyOne hands them to a model; only those of views are renewed, and
            it hands over no others
    """
    views = [one for one in samples if isinstance(one, fos.SampleView)]
    if not views:
        return
    dataset = views[0]._dataset
    stored = foo.get_db_conn().datasets.find_one(
        {"_id": dataset._doc.id}, ["sample_fields.name"]
    )
    names = {one["name"] for one in (stored or {}).get("sample_fields", ())}
    if names - set(dataset.get_field_schema(include_private=True)):
        dataset.reload()
    for one in views:
        if type(one._doc) is not dataset._sample_doc_cls:  # made before the reload
            raw = dataset._sample_collection.find_one({"_id": one._id})
            one._doc = dataset._sample_dict_to_doc(raw)


def _described(field: fof.Field | None) -> tuple[Any, ...]:
    if field is None:
        return None, None, False
    kind = getattr(field, "document_type", None)
    return _full(type(field)), kind and _full(kind), bool(field.read_only)


def _full(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def check_new(name: str, argument: str) -> None:
    """Raises a ValueError unless FiftyOne and Python take the name of a new field."""
    is_kept = keyword.iskeyword(name) or name in RESERVED or hasattr(fo.Sample, name)
    if is_kept or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise ValueError(
            f"{argument} must be a name that Python takes, of ASCII letters, digits "
            "and underscores, not beginning with an underscore, and not one that "
            f"Python or FiftyOne keeps for itself; got {name!r}"
        )
