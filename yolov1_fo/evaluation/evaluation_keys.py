"""Names of evaluations: whether a name is available, and the fields that it writes.

An evaluation writes the attributes `<eval_key>`, `_id`, `_iou` and `_error` of objects,
and the fields `<eval_key>_tp`, `_fp` and `_fn` of samples.
"""

from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.labels as fol
import fiftyone.core.odm as foo

from yolov1_fo.config import arguments
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets import samples as fo_samples

OBJECT_SUFFIXES = ("", "_id", "_iou", "_error")
SAMPLE_SUFFIXES = ("_tp", "_fp", "_fn")
"""Suffixes of the names that an evaluation writes."""
OWN_PREFIX = "yolov1_fo."
"""Prefix of the config classes of our evaluations."""


def paths(pred_field: str, gt_field: str, eval_key: str) -> list[str]:
    """Returns the paths of all fields of an evaluation.

    Only predictions have an error type.
    """
    of_objects = [
        f"{field}.detections.{eval_key}{suffix}"
        for field in dict.fromkeys((pred_field, gt_field))
        for suffix in OBJECT_SUFFIXES
        if suffix != "_error" or field == pred_field
    ]
    return [*(f"{eval_key}{suffix}" for suffix in SAMPLE_SUFFIXES), *of_objects]


def check(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    *,
    replaces: str | None = None,
    documents: bool = True,
) -> None:
    """Raises an error unless an evaluation can be stored under a name.

    It checks the database, including fields that a view excludes and fields that are
    not in the schema.

    Args:
        samples: a collection with both fields
        pred_field: of Detections
        gt_field: of Detections
        eval_key: name of the evaluation
        replaces (None): config class of evaluations of the same fields that may be
            replaced; unfinished ones of ours always may
        documents (True): also searches all samples for fields that are not in the
            schema; a form, which checks at each key press, should not

    Raises:
        TypeError: if `eval_key` is not a string
        ValueError: if it is not a valid name or is in use, or a field is read-only
    """
    arguments.check_string("eval_key", eval_key)
    if not eval_key.isidentifier() or eval_key.startswith("_"):
        raise ValueError(
            "eval_key must be a valid Python identifier that does not start with an "
            f"underscore, got {eval_key!r}"
        )
    stored = _StoredFields.read(samples)
    own: list[str] = []
    if eval_key in samples.list_evaluations():
        own = _replaceable_paths(
            samples, pred_field, gt_field, eval_key, replaces=replaces
        )
    where = fo_samples.name(samples)
    for argument, field in (("pred_field", pred_field), ("gt_field", gt_field)):
        if stored.is_read_only(field):
            raise ValueError(
                f"{argument} '{field}' on {where} is read-only, but an evaluation "
                "writes to its objects; evaluate without an eval_key"
            )
    new = [eval_key, *paths(pred_field, gt_field, eval_key)]
    new = [path for path in new if path not in own]
    if used := stored.declared(new) or (documents and stored.undeclared(new)):
        field, is_nested, name = used.partition(".detections.")
        owner = f"objects of '{field}'" if is_nested else "samples"
        raise ValueError(
            f"eval_key '{eval_key}' would write '{name or used}', which {owner} on "
            f"{where} already have; choose another"
        )


def _replaceable_paths(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    *,
    replaces: str | None,
) -> list[str]:
    """Returns the paths of an existing evaluation.

    Raises:
        ValueError: unless it may be replaced
    """
    stored = StoredEvaluation.read(samples, eval_key)
    replaced = replaces, pred_field, gt_field
    if stored.is_unfinished or stored[:3] == replaced:
        return paths(stored.pred_field, stored.gt_field, eval_key)
    raise ValueError(f"eval_key '{eval_key}' exists; choose another")


class StoredEvaluation(NamedTuple):
    """An evaluation on a dataset.

    Attributes:
        config_class: full name of its config class
        pred_field: the predictions
        gt_field: the ground truth
        has_results: whether it has finished
    """

    config_class: str
    pred_field: str
    gt_field: str
    has_results: bool

    @classmethod
    def read(cls, samples: fo_samples.Samples, eval_key: str) -> "StoredEvaluation":
        """Reads an evaluation of any type; only those of detections have the fields."""
        dataset = fiftyone_private.root_dataset(samples)
        document = fiftyone_private.evaluation_document(dataset, eval_key)
        config = document.config
        fields = str(config.get("pred_field")), str(config.get("gt_field"))
        return cls(str(config.get("cls")), *fields, bool(document.results))

    @property
    def is_unfinished(self) -> bool:
        """Whether it is one of ours that was interrupted."""
        return self.config_class.startswith(OWN_PREFIX) and not self.has_results


class _StoredFields:
    """The fields of a dataset as currently stored in the database.

    Args:
        samples: a collection of the dataset
        document: of the dataset, from the database
    """

    def __init__(self, samples: fo_samples.Samples, document: dict[str, Any]) -> None:
        of_frames = fo_samples.is_frames_view(samples)
        self.collection = fiftyone_private.collection(
            fiftyone_private.root_dataset(samples), of_frames=of_frames
        )
        self.fields = _by_name(
            document.get("frame_fields" if of_frames else "sample_fields")
        )

    @classmethod
    def read(cls, samples: fo_samples.Samples) -> "_StoredFields":
        """Reads the fields; reloads a dataset whose evaluations or fields differ.

        Raises:
            ValueError: if the dataset was deleted
        """
        dataset = fiftyone_private.root_dataset(samples)
        document = foo.get_db_conn().datasets.find_one(
            {"_id": fiftyone_private.dataset_id(dataset)}
        )
        if document is None:
            raise ValueError(f"dataset '{dataset.name}' was deleted")
        keys = set(document.get("evaluations") or {})
        fields = set(_by_name(document.get("sample_fields")))
        loaded_fields = fiftyone_private.loaded_field_names(dataset)
        if keys != set(dataset.list_evaluations()) or fields != loaded_fields:
            dataset.reload()
        return cls(samples, document)

    def is_read_only(self, field: str) -> bool:
        """Returns whether a field or its objects are read-only."""
        stored = self.fields.get(field, {})
        objects = _by_name(stored.get("fields")).get("detections", {})
        return bool(stored.get("read_only") or objects.get("read_only"))

    def declared(self, paths: list[str]) -> str | None:
        """Returns the first path that is in the schema."""
        return next((path for path in paths if self._is_declared(path)), None)

    def undeclared(self, paths: list[str]) -> str | None:
        """Returns the first path that a sample has."""
        any_path = [{path: {"$exists": True}} for path in paths]
        found = self.collection.find_one({"$or": any_path}, ["_id"])
        if found is None:
            return None
        return next(
            path
            for path in paths
            if self.collection.find_one({**found, path: {"$exists": True}}, ["_id"])
        )

    def _is_declared(self, path: str) -> bool:
        field, is_nested, name = path.partition(".detections.")
        if not is_nested:
            return hasattr(fo.Sample, path) or path in self.fields
        objects = _by_name(self.fields.get(field, {}).get("fields"))
        attributes = _by_name(objects.get("detections", {}).get("fields"))
        return hasattr(fol.Detection, name) or name in attributes


def _by_name(fields: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in fields or []}
