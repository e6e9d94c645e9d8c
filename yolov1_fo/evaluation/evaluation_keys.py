"""Names of evaluations: which are free, and what becomes of one that was cut short.

An evaluation writes attributes of objects, `<eval_key>`, `_id`, `_iou` and `_error`,
and fields of samples, `<eval_key>_tp`, `_fp` and `_fn`.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import fiftyone as fo
import fiftyone.core.labels as fol
import fiftyone.core.odm as foo

from yolov1_fo.config import arguments
from yolov1_fo.datasets import connection
from yolov1_fo.datasets import samples as fo_samples

logger = logging.getLogger(__name__)

OF_OBJECTS = ("", "_id", "_iou", "_error")
OF_SAMPLES = ("_tp", "_fp", "_fn")
"""What stands behind the name of an evaluation in the names that it writes."""
OURS = "yolov1_fo."
"""Begins the classes of our evaluations."""


def paths(pred_field: str, gt_field: str, eval_key: str) -> list[str]:
    """Returns all that an evaluation writes, as FiftyOne's paths.

    Only predictions have a kind of error.
    """
    of_objects = [
        f"{field}.detections.{eval_key}{end}"
        for field in dict.fromkeys((pred_field, gt_field))
        for end in OF_OBJECTS
        if end != "_error" or field == pred_field
    ]
    return [*(f"{eval_key}{end}" for end in OF_SAMPLES), *of_objects]


def check(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    *,
    replaces: str | None = None,
    documents: bool = True,
) -> None:
    """Raises an error unless an evaluation can be kept under a name.

    It looks at what the database has now, also where a view hides it, and where no
    schema declares it.

    Args:
        samples: a collection with both fields
        pred_field: of Detections
        gt_field: of Detections
        eval_key: name of the evaluation
        replaces (None): class of the settings of evaluations that may stand there, of
            the same fields; one of ours that was cut short always may
        documents (True): looks through all samples for what no schema declares; a form,
            which asks at each key press, leaves that to what it starts

    Raises:
        TypeError: if it is no string
        ValueError: if it is no name, or the name is taken, or a field is read-only
    """
    arguments.check_string("eval_key", eval_key)
    if not eval_key.isidentifier() or eval_key.startswith("_"):
        raise ValueError(
            "eval_key must be a name that Python takes and that does not begin with "
            f"an underscore, got {eval_key!r}"
        )
    stored = _Stored.read(samples)
    own: list[str] = []
    if eval_key in samples.list_evaluations():
        own = _check_evaluation(
            samples, pred_field, gt_field, eval_key, replaces=replaces
        )
    where = fo_samples.name(samples)
    for argument, field in (("pred_field", pred_field), ("gt_field", gt_field)):
        if stored.is_read_only(field):
            raise ValueError(
                f"{argument} '{field}' on {where} is read-only, and an evaluation "
                "marks its objects; evaluate without an eval_key"
            )
    new = [eval_key, *paths(pred_field, gt_field, eval_key)]
    new = [path for path in new if path not in own]
    if taken := stored.declared(new) or (documents and stored.undeclared(new)):
        field, is_nested, name = taken.partition(".detections.")
        owner = f"objects of '{field}'" if is_nested else "samples"
        raise ValueError(
            f"eval_key '{eval_key}' would write '{name or taken}', which {owner} on "
            f"{where} have already; choose another"
        )


def _check_evaluation(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    *,
    replaces: str | None,
) -> list[str]:
    """Returns what an evaluation of that name has written.

    Raises:
        ValueError: unless it may be replaced
    """
    known = _Known.read(samples, eval_key)
    wanted = replaces, pred_field, gt_field
    if known.is_cut_short or (known.kind, known.pred_field, known.gt_field) == wanted:
        return paths(known.pred_field, known.gt_field, eval_key)
    raise ValueError(f"eval_key '{eval_key}' exists; choose another")


class _Known(NamedTuple):
    """An evaluation that is registered."""

    kind: str
    pred_field: str
    gt_field: str
    has_results: bool

    @classmethod
    def read(cls, samples: fo_samples.Samples, eval_key: str) -> "_Known":
        """Reads it; others than of detections have no such fields."""
        document = samples._root_dataset._doc.evaluations[eval_key]
        config = document.config
        fields = str(config.get("pred_field")), str(config.get("gt_field"))
        return cls(str(config.get("cls")), *fields, bool(document.results))

    @property
    def is_cut_short(self) -> bool:
        """Whether it is of ours and has no results."""
        return self.kind.startswith(OURS) and not self.has_results


class _Stored:
    """What the database has of a dataset now.

    Args:
        samples: a collection of it
        document: of the dataset, in the database
    """

    def __init__(self, samples: fo_samples.Samples, document: dict[str, Any]) -> None:
        root = samples._root_dataset
        of_frames = getattr(samples, "_is_frames", False)
        self.collection = (
            root._frame_collection if of_frames else root._sample_collection
        )
        self.fields = _by_name(
            document.get("frame_fields" if of_frames else "sample_fields")
        )

    @classmethod
    def read(cls, samples: fo_samples.Samples) -> "_Stored":
        """Reads it; a dataset that knows other evaluations or fields is reloaded.

        Raises:
            ValueError: if the dataset was deleted
        """
        root = samples._root_dataset
        document = foo.get_db_conn().datasets.find_one({"_id": root._doc.id})
        if document is None:
            raise ValueError(f"dataset '{root.name}' was deleted")
        evaluations = document.get("evaluations") or {}
        fields = set(_by_name(document.get("sample_fields")))
        if set(evaluations) != set(root.list_evaluations()) or fields != {
            one.name for one in root._doc.sample_fields
        }:
            root.reload()
        return cls(samples, document)

    def is_read_only(self, field: str) -> bool:
        """Returns whether a field, or the objects in it, can't be changed."""
        there = self.fields.get(field, {})
        objects = _by_name(there.get("fields")).get("detections", {})
        return bool(there.get("read_only") or objects.get("read_only"))

    def declared(self, paths: list[str]) -> str | None:
        """Returns the first of some paths that the schema has."""
        return next((path for path in paths if self._is_declared(path)), None)

    def undeclared(self, paths: list[str]) -> str | None:
        """Returns the first of some paths that a document has."""
        one_of = [{path: {"$exists": True}} for path in paths]
        found = self.collection.find_one({"$or": one_of}, ["_id"])
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
        there = _by_name(self.fields.get(field, {}).get("fields")).get("detections", {})
        is_kept = hasattr(fol.Detection, name) or name in fol.Detection._fields
        return is_kept or name in _by_name(there.get("fields"))


def _by_name(fields: list[dict[str, Any]] | None) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in fields or []}


@contextlib.contextmanager
def keeping(method: Any, samples: fo_samples.Samples, eval_key: str) -> Iterator[None]:
    """Registers an evaluation; all of it is taken back if the body fails.

    What is registered under that name, of ours, goes first.

    Args:
        method: FiftyOne's, of the evaluation
        samples: a checked collection
        eval_key: a checked name
    """
    forget_unfinished(samples, eval_key)
    method.validate_run(samples, eval_key)
    try:
        method.register_run(samples, eval_key)
        method.register_samples(samples, eval_key)
        yield
    except BaseException:
        take_back(method, samples, eval_key)
        raise


def forget_unfinished(samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes an evaluation of ours that was cut short, and says so."""
    if eval_key not in samples.list_evaluations():
        return
    if _Known.read(samples, eval_key).is_cut_short:
        logger.warning("evaluation '%s' was cut short; it is made anew", eval_key)
        delete(samples, eval_key)


def delete(samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes an evaluation of detections, if there is one, and all that it wrote.

    FiftyOne's own clean-up fails where a field was compared with itself.
    """
    dataset = samples._root_dataset
    if eval_key not in dataset.list_evaluations():
        return
    config = dataset._doc.evaluations[eval_key].config
    dataset.delete_evaluation(eval_key)
    fields = paths(config["pred_field"], config["gt_field"], eval_key)
    if left := [field for field in fields if dataset.has_field(field)]:
        dataset.delete_sample_fields(left)


def take_back(method: Any, samples: fo_samples.Samples, eval_key: str) -> None:
    """Deletes an evaluation that failed, with all that it has written."""
    try:
        with connection.brief():
            foo.get_db_conn().command("ping")  # FiftyOne forgets it before it asks
            delete(samples, eval_key)
            method.cleanup(samples, eval_key)
    except connection.ERRORS:
        logger.warning(
            "evaluation '%s' could not be taken back; the next one replaces it",
            eval_key,
        )
