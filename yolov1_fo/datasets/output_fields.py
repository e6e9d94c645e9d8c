"""The fields that calls of ours write: checked against the database, then written."""

import itertools
from collections.abc import Collection, Iterable
from typing import Any, Self

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.core.media as fomm
from fiftyone import ViewField as F

from yolov1_fo.datasets import connection, schema
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.schema import FRAMES

WRITE_EVERY = 1000
"""Values are written in one go for so many samples."""


def detections(
    samples: fo_samples.Samples, label_field: str, *, replaces: bool = True
) -> "Output":
    """Returns the field that predictions are written to; see `Output`.

    Args:
        samples: a checked collection
        label_field: its field; of videos, that of their frames, with or without
            `frames.`
        replaces (True): whether predictions that are there are written over
    """
    return Output(
        samples, label_field, fol.Detections, "label_field", replaces=replaces
    )


class Output:
    """A field that a call writes; nothing of another kind is replaced.

    Fields that a view hides count, and those that another process has made meanwhile.
    What is written on a view of frames belongs to the frames of the videos, as
    FiftyOne's `apply_model` has it.

    Within `with` values are collected and written in bulk, also when an error ends it,
    unless it is the database's.

    Args:
        samples: a checked collection
        field: its field; of videos, that of their frames
        kind: class of the documents that are written
        argument: how the caller calls the field
        attributes (any): of the documents; such with others are not replaced
        replaces (True): whether values that are there are written over

    Raises:
        TypeError: if the field's name is no string
        ValueError: if FiftyOne does not take the name, or other values stand there
    """

    def __init__(
        self,
        samples: fo_samples.Samples,
        field: str,
        kind: type,
        argument: str,
        *,
        attributes: Collection[str] = (),
        replaces: bool = True,
    ) -> None:
        if not isinstance(field, str):
            raise TypeError(f"{argument} must be a field's name, got {field!r}")
        self.samples, self.kind, self.argument = samples, kind, argument
        self.attributes, self.replaces = attributes, replaces
        self.dataset: fo.Dataset = samples._root_dataset
        self.is_video = samples.media_type == fomm.VIDEO
        self.name = field.removeprefix(FRAMES) if self.is_video else field
        self.on_frames = self.is_video or samples._is_frames
        self.path = f"{FRAMES}{self.name}" if self.on_frames else field
        self.found: dict[str, Any] = {}
        self.is_declared = False
        self.check()

    def check(self) -> None:
        """Checks the field as the database has it now."""
        there = schema.current(self.dataset, self.path)
        if there is None and self.samples._is_frames:
            there = self.samples._dataset.get_field(self.name)
        if there is None:
            schema.check_new(self.name, self.argument)
            return
        where = f"{self.argument} '{self.path}' on {fo_samples.name(self.samples)}"
        if getattr(there, "document_type", None) is not self.kind:
            got = getattr(there, "document_type", type(there)).__name__
            raise ValueError(
                f"{where} must hold {self.kind.__name__}, got {got}; choose another "
                "field"
            )
        if there.read_only:
            raise ValueError(f"{where} is read-only; choose another field")
        if self.attributes:
            self._check_ours(where, set(there.get_field_schema()) - {*self.attributes})
        if self.kind is fol.Detections and self.replaces:
            self._check_no_annotations(where)

    def _check_ours(self, where: str, others: set[str]) -> None:
        """Raises a ValueError if documents with other attributes would be replaced."""
        lacking = [F(f"{self.name}.{one}").exists(False) for one in self.attributes]
        is_other = F(self.name).exists() & F.any(lacking)
        if others or self._ids(is_other):
            raise ValueError(
                f"{where} has attributes that are not written here; choose another "
                "field"
            )

    def _check_no_annotations(self, where: str) -> None:
        """Raises a ValueError if objects that somebody drew would be replaced."""
        root = fo_samples.whole(self.samples, of_videos=self.on_frames)
        path = f"{self.path}.detections"
        counts = [fo.Count(path), fo.Count(f"{path}.confidence")]
        objects, predictions = root.aggregate(counts)  # with one pass
        if objects == predictions:
            return
        is_drawn = F("confidence").exists(False)
        drawn = self._ids(F(f"{self.name}.detections").filter(is_drawn).length() > 0)
        if count := len(drawn & set(self.samples.values("id"))):
            raise ValueError(
                f"{where} has objects without confidence, as annotations are, on "
                f"{count} samples; choose another field, or delete that one first"
            )

    def _ids(self, condition: Any) -> set[str]:
        """Returns the samples, or frames of a view of frames, that meet a condition."""
        root = fo_samples.whole(self.samples, of_videos=self.on_frames)
        if not self.on_frames:
            return set(root.match(condition).values("id"))
        frames = root.match_frames(condition)
        if self.is_video:
            return set(frames.values("id"))
        return set(frames.values("frames.id", unwind=True))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: Any) -> None:
        if error is None or not issubclass(error, connection.ERRORS):
            self.flush()

    def add(self, sample_id: str, value: Any) -> None:
        """Takes the value of a sample, or of a frame of a view of frames."""
        self.found[sample_id] = value
        if len(self.found) >= WRITE_EVERY:
            self.flush()

    def flush(self) -> None:
        """Writes what was collected; checks once more before the first time."""
        found, self.found = self.found, {}
        if not found:
            return
        self.declare()
        if not self.samples._is_frames:
            self._set(self.dataset, self.name, found, "id")
            return
        self._set(self.dataset, self.path, found, "frames.id")
        self._set(self.samples._dataset, self.name, found, "id")

    def _set(
        self, dataset: fo_samples.Samples, path: str, values: dict[str, Any], key: str
    ) -> None:
        is_raw = self.kind is fol.Detections  # they are the database's documents
        dataset.set_values(
            path,
            values,
            key_field=key,
            dynamic=not is_raw,
            expand_schema=not is_raw,
            validate=not is_raw,
            progress=False,
        )

    def declare(self) -> None:
        """Makes the field, if it is not there."""
        if self.is_declared:
            return
        self.check()
        of_kind = {"ftype": fof.EmbeddedDocumentField, "embedded_doc_type": self.kind}
        if self.on_frames:
            self.dataset.add_frame_field(self.name, **of_kind)
        else:
            self.dataset.add_sample_field(self.name, **of_kind)
        if self.samples._is_frames:
            self.samples._dataset.add_sample_field(self.name, **of_kind)
        self.is_declared = True

    def replace_frames(self, sample_id: str, values: Iterable[Any]) -> None:
        """Writes the values of all frames of a video; older frames then have none.

        Args:
            sample_id: of the video
            values: of its frames, from the first on
        """
        self.declare()
        videos = fo_samples.whole(self.samples)
        known = videos.select(sample_id).values("frames.frame_number", unwind=True)
        numbered = enumerate(values, 1)
        last = 0
        while part := dict(itertools.islice(numbered, WRITE_EVERY)):
            last = max(part)
            self._set(videos, self.path, {sample_id: part}, "id")
        left = {number: None for number in known if number > last}
        if left:
            self._set(videos, self.path, {sample_id: left}, "id")

    @property
    def exists(self) -> bool:
        """Whether the field is there."""
        return schema.current(self.dataset, self.path) is not None

    def filled(self) -> set[str]:
        """Returns the ids of the samples, or frames, that have a value."""
        return self._ids(F(self.name).exists()) if self.exists else set()
