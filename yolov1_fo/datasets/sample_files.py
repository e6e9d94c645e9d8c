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
            media_files.read(samples, media_field, [*map(str, self._object_ids(0))])

    def __len__(self) -> int:
        return len(self._ids) // _ID_BYTES

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yields the id and the file of each sample."""
        for part in self.parts():
            yield from part

    def parts(self, size: int = PART_SIZE) -> Iterator[SampleFiles]:
        """Yields the samples in parts.

        Args:
            size (`PART_SIZE`): number of samples of each part, except the last
        """
        for start in range(0, len(self), size):
            ids = self._object_ids(start, start + size)
            found = self.stored.find({"_id": {"$in": ids}}, [self.media_field])
            files = {one["_id"]: one.get(self.media_field) for one in found}
            there = [one for one in ids if files.get(one)]
            yield SampleFiles(
                [*map(str, there)],
                [media_files.absolute(files[one]) for one in there],
            )

    def _object_ids(self, start: int, end: int | None = None) -> list[bson.ObjectId]:
        end = len(self) if end is None else min(end, len(self))
        places = range(start * _ID_BYTES, end * _ID_BYTES, _ID_BYTES)
        return [bson.ObjectId(bytes(self._ids[x : x + _ID_BYTES])) for x in places]
