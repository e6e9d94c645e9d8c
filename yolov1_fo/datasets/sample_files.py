"""The image files of samples."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import bson

from yolov1_fo.datasets import fiftyone_private, media_files
from yolov1_fo.datasets import samples as fo_samples

PART_SIZE = 1000
"""Number of samples whose files are read from the database at a time."""
_ID_BYTES = 12


@dataclass(frozen=True)
class SampleFiles:
    """Some samples and their image files.

    Attributes:
        ids: sample ids
        filepaths: their image files
    """

    ids: list[str]
    filepaths: list[str]

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yields the id and the file of each sample."""
        return zip(self.ids, self.filepaths, strict=True)

    def parts(self, size: int) -> "Iterator[SampleFiles]":
        """Yields the samples in parts of `size`; the last one may be smaller."""
        for start in range(0, len(self), size):
            end = start + size
            yield SampleFiles(self.ids[start:end], self.filepaths[start:end])


def of(
    samples: fo_samples.Samples, media_field: str, skip: Collection[str] = frozenset()
) -> "Files":
    """Returns the image files of a collection; those that a view computes are read.

    Args:
        samples: a checked collection of images
        media_field: the field with the files
        skip (none): ids of samples to leave out

    Raises:
        TypeError, ValueError, ImportError: see `media_files.read`
    """
    if not _is_computed(samples, media_field):
        return StoredFiles(samples, media_field, skip)
    ids = [one for one in samples.values("id") if one not in skip]
    return SampleFiles(ids, media_files.read(samples, media_field, ids))


def _is_computed(samples: fo_samples.Samples, field: str) -> bool:
    """Returns whether a view shows other values of a field than those stored."""
    for stage in fiftyone_private.serialize_stages(samples.view()):
        kind = stage["_cls"].rpartition(".")[2]
        arguments = dict(stage["kwargs"])
        if kind == "Mongo" or (kind == "SetField" and arguments["field"] == field):
            return True
    return False


class StoredFiles:
    """The samples of a collection and their image files.

    Only the ids are in memory, 12 bytes each; the files are read from the database in
    parts. Samples that are deleted meanwhile are left out.

    Args:
        samples: a checked collection of images
        media_field (filepath): the field with the files
        skip (none): ids of samples to leave out

    Raises:
        TypeError, ValueError, ImportError: see `media_files.read`
    """

    def __init__(
        self,
        samples: fo_samples.Samples,
        media_field: str = media_files.FILEPATH,
        skip: Collection[str] = frozenset(),
    ) -> None:
        self.media_field = media_field
        self.stored = fiftyone_private.collection(fiftyone_private.own_dataset(samples))
        self._ids = bytearray()
        for document in fiftyone_private.documents(samples, ["_id"]):
            if not skip or str(document["_id"]) not in skip:
                self._ids += document["_id"].binary
        if media_field != media_files.FILEPATH:
            media_files.check(samples, media_field)
            self._check(media_files.described(samples, media_field))

    def __len__(self) -> int:
        return len(self._ids) // _ID_BYTES

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yields the id and the file of each sample."""
        for part in self.parts():
            yield from part

    def parts(self, size: int | None = None) -> Iterator[SampleFiles]:
        """Yields the samples in parts.

        Args:
            size (`PART_SIZE`): number of samples of each part, except the last
        """
        for found in self._read(size or PART_SIZE):
            there = [(str(one), file) for one, file in found.items() if file]
            yield SampleFiles(
                [sample_id for sample_id, _ in there],
                [media_files.absolute(file) for _, file in there],
            )

    def _check(self, where: str) -> None:
        """Raises an error if a file is missing or can't be read from where it is."""
        missing = 0
        for found in self._read(PART_SIZE):
            files = [file for file in found.values() if file]
            missing += len(found) - len(files)
            media_files.check_files(files)
        media_files.check_complete(where, missing, len(self))

    def _read(self, size: int) -> Iterator[dict[bson.ObjectId, str | None]]:
        """Yields the files of parts by id, in order; None where there is none."""
        for start in range(0, len(self), size):
            ids = self._object_ids(start, start + size)
            stored = self.stored.find({"_id": {"$in": ids}}, [self.media_field])
            found = {one["_id"]: one.get(self.media_field) for one in stored}
            yield {one: found.get(one) for one in ids}

    def _object_ids(self, start: int, end: int) -> list[bson.ObjectId]:
        places = range(start, min(end, len(self)))
        parts = (self._ids[_ID_BYTES * x : _ID_BYTES * (x + 1)] for x in places)
        return [bson.ObjectId(bytes(part)) for part in parts]


Files = StoredFiles | SampleFiles
"""What `of` returns."""
