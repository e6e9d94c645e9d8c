"""Fields that the library writes: checked against the database, then written."""

import itertools
from collections.abc import Collection, Iterable
from typing import Any

import fiftyone as fo
import fiftyone.core.fields as fof
import fiftyone.core.labels as fol
import fiftyone.core.media as fomm
from fiftyone import ViewField as F

from yolov1_fo.datasets import bulk_writer, fiftyone_private, schema
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.bulk_writer import BulkWriter, Target
from yolov1_fo.datasets.schema import FRAMES


class OutputField(BulkWriter):
    """A field to write; values of another type are never replaced.

    This includes fields that a view excludes, and fields that another process has just
    added. Values of a frames view are also written to the frames of the videos, as
    FiftyOne's `apply_model` does.

    Args:
        samples: a checked collection
        field: its field; for videos, a frame field
        kind: class of the documents to write
        argument: the name of the argument that names the field
        attributes (any): of the documents; those with other attributes are not replaced
        replaces (True): whether existing values are replaced

    Raises:
        TypeError: if the field's name is not a string
        ValueError: if the name is not valid, or the field holds other values
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
            raise TypeError(f"{argument} must be the name of a field, got {field!r}")
        self.samples, self.kind, self.argument = samples, kind, argument
        self.attributes, self.replaces = attributes, replaces
        self.dataset: fo.Dataset = fiftyone_private.root_dataset(samples)
        self.is_video = samples.media_type == fomm.VIDEO
        self.is_frames_view = fo_samples.is_frames_view(samples)
        self.on_frames = self.is_video or self.is_frames_view
        self.name = field.removeprefix(FRAMES) if self.is_video else field
        self.path = f"{FRAMES}{self.name}" if self.on_frames else field
        self.is_declared = False
        # Detections are already as stored in the database.
        super().__init__(self._targets(), is_raw=kind is fol.Detections)
        self.check()

    def _targets(self) -> list[Target]:
        """Returns where values are written: for a frames view, also to the videos."""
        if not self.is_frames_view:
            return [Target(self.dataset, self.name)]
        frames = fiftyone_private.own_dataset(self.samples)
        videos = Target(self.dataset, self.path, "frames.id")
        return [videos, Target(frames, self.name)]

    def check(self) -> None:
        """Checks the field as currently stored in the database."""
        field = schema.current_field(self.dataset, self.path)
        if field is None and self.is_frames_view:
            field = fiftyone_private.own_dataset(self.samples).get_field(self.name)
        if field is None:
            schema.check_new_field(self.name, self.argument)
            return
        where = f"{self.argument} '{self.path}' on {fo_samples.name(self.samples)}"
        if getattr(field, "document_type", None) is not self.kind:
            got = getattr(field, "document_type", type(field)).__name__
            raise ValueError(
                f"{where} must hold {self.kind.__name__}, got {got}; choose another "
                "field"
            )
        if field.read_only:
            raise ValueError(f"{where} is read-only; choose another field")
        if self.attributes:
            others = set(field.get_field_schema()) - {*self.attributes}
            self._check_attributes(where, others)
        self._check_labels(where)

    def _check_labels(self, where: str) -> None:
        """Raises a ValueError if labels would be replaced that must not be."""
        if self.kind is fol.Detections and self.replaces:
            self._check_no_annotations(where)

    def _check_attributes(self, where: str, others: set[str]) -> None:
        """Raises a ValueError if documents with other attributes would be replaced."""
        lacking = [F(f"{self.name}.{one}").exists(False) for one in self.attributes]
        is_other = F(self.name).exists() & F.any(lacking)
        if others or self._ids(is_other):
            raise ValueError(
                f"{where} has attributes that are not written here; choose another "
                "field"
            )

    def _check_no_annotations(self, where: str) -> None:
        """Raises a ValueError if annotated objects would be replaced."""
        root = fo_samples.all_samples(self.samples, of_videos=self.on_frames)
        path = f"{self.path}.detections"
        counts = [fo.Count(path), fo.Count(f"{path}.confidence")]
        objects, predictions = root.aggregate(counts)  # one pass over the samples
        if objects == predictions:
            return
        is_annotated = F("confidence").exists(False)
        annotated = self._ids(
            F(f"{self.name}.detections").filter(is_annotated).length() > 0
        )
        if count := len(annotated & set(self.samples.values("id"))):
            raise ValueError(
                f"{where} has objects without confidence, like annotations, on "
                f"{count} samples; choose another field, or delete this one first"
            )

    def _ids(self, condition: Any) -> set[str]:
        """Returns the ids of samples, or of a frames view's frames, that match."""
        root = fo_samples.all_samples(self.samples, of_videos=self.on_frames)
        if not self.on_frames:
            return set(root.match(condition).values("id"))
        frames = root.match_frames(condition)
        if self.is_video:
            return set(frames.values("id"))
        return set(frames.values("frames.id", unwind=True))

    def declare(self) -> None:
        """Adds the field to the dataset's schema if it is missing."""
        if self.is_declared:
            return
        self.check()
        field = {"ftype": fof.EmbeddedDocumentField, "embedded_doc_type": self.kind}
        if self.on_frames:
            self.dataset.add_frame_field(self.name, **field)
        else:
            self.dataset.add_sample_field(self.name, **field)
        if self.is_frames_view:
            frames = fiftyone_private.own_dataset(self.samples)
            frames.add_sample_field(self.name, **field)
        self.is_declared = True

    def replace_frames(self, sample_id: str, values: Iterable[Any]) -> None:
        """Writes the values of all frames of a video; clears those of other frames.

        Args:
            sample_id: of the video
            values: of its frames, starting with the first
        """
        self.declare()
        videos = fo_samples.all_samples(self.samples)
        existing = videos.select(sample_id).values("frames.frame_number", unwind=True)
        target = Target(videos, self.path)
        numbered = enumerate(values, 1)
        last = 0
        while part := dict(itertools.islice(numbered, bulk_writer.WRITE_EVERY)):
            last = max(part)
            target.write({sample_id: part}, is_raw=self.is_raw)
        left = {number: None for number in existing if number > last}
        if left:
            target.write({sample_id: left}, is_raw=self.is_raw)

    def reload_samples(self) -> None:
        """Refreshes samples in memory after other processes have written values."""
        for target in self.targets:
            fiftyone_private.reload_samples(target.samples)

    @property
    def exists(self) -> bool:
        """Whether the field exists."""
        return schema.current_field(self.dataset, self.path) is not None

    def filled_ids(self) -> set[str]:
        """Returns the ids of the samples, or frames, that have a value."""
        return self._ids(F(self.name).exists()) if self.exists else set()
