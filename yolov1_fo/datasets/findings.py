"""Problems of objects and files, each with the sample that it was found in."""

import collections
import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import grid, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig
from yolov1_fo.datasets import (
    annotations,
    fiftyone_boxes,
    invalid_boxes,
    media_files,
)
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.invalid_boxes import InvalidBoxes
from yolov1_fo.image_files import remote
from yolov1_fo.pipeline import image_loading

SPLITS = ("train", "val", "validation", "test")
"""Tags that mark splits."""

EDGE_TOLERANCE = 1e-3
"""How far a box may extend beyond the image, relative: files round their numbers."""


class Finding(NamedTuple):
    """A problem of an object or a file.

    Attributes:
        sample_id: of the sample
        filepath: of its image
        label_id: of the object; None for a problem of the file
        detail: a description
    """

    sample_id: str
    filepath: str
    label_id: str | None
    detail: str


class ObjectFindings:
    """The problems of all objects of a collection.

    Args:
        records: of the collection
        classes: names of the classes to learn
    """

    def __init__(self, records: annotations.Records, classes: list[str]) -> None:
        self.records = records
        self.read: fiftyone_boxes.Boxes = fiftyone_boxes.read_boxes(
            records.bounding_boxes
        )
        self.boxes = self.read.clipped().astype(np.float32)
        self.image, self.is_valid = self.read.image, self.read.usable
        self.ids = [one for row in records.object_ids for one in row]
        self.names: Array = np.empty(len(self.image), object)
        self.names[:] = [x for row in records.labels for x in row]
        self.ignored = np.array([x for row in records.ignored for x in row], bool)
        known = set(classes)
        self.in_classes = np.array(
            [isinstance(name, str) and name in known for name in self.names], bool
        )
        self.learned = self.is_valid & ~self.ignored & self.in_classes

    def count_by_class(self, classes: list[str]) -> dict[str, int]:
        """Returns the number of objects to learn of each class."""
        counts = collections.Counter(self.names[self.learned].tolist())
        return {name: counts.get(name, 0) for name in classes}

    def count_by_image(self) -> Array:
        """Returns the number of objects to learn in each image: (N,)."""
        image = self.image[self.learned]
        return np.bincount(image, minlength=len(self.records.ids))

    def lost(self, config: GridConfig) -> list[Finding]:
        """Finds objects in a grid cell that is assigned to an earlier object."""
        rows = np.flatnonzero(self.learned)
        first = grid.first_in_cells(self.boxes[rows], self.image[rows], config)
        lost = np.setdiff1d(rows, rows[first])
        return self._findings(lost, lambda row: str(self.names[row]))

    def tiny(self, min_size: float) -> list[Finding]:
        """Finds objects with a width or height below `min_size`, relative."""
        size = self.boxes[:, 2:] - self.boxes[:, :2]
        rows = np.flatnonzero(self.learned & (size.min(axis=-1, initial=1) < min_size))
        return self._findings(rows, lambda row: "{:.4f} x {:.4f}".format(*size[row]))

    def unknown(self) -> list[Finding]:
        """Finds objects whose label is not among the classes."""
        rows = np.flatnonzero(~self.in_classes & self.is_valid & ~self.ignored)
        return self._findings(rows, lambda row: f"label {self.names[row]!r}")

    def degenerate(self) -> list[Finding]:
        """Finds objects with an invalid box."""
        return self._findings(np.flatnonzero(~self.is_valid), self._describe_fault)

    def outside(self) -> list[Finding]:
        """Finds objects that extend beyond the image."""
        low, high = self.read.xyxy[:, :2], self.read.xyxy[:, 2:]
        is_over = ((low < -EDGE_TOLERANCE) | (high > 1 + EDGE_TOLERANCE)).any(axis=-1)
        faults = (invalid_boxes.VALID, invalid_boxes.NO_AREA)
        rows = np.flatnonzero(is_over & np.isin(self.read.faults, faults))
        return self._findings(rows, self._describe_box)

    def invalid_boxes(self) -> InvalidBoxes:
        """Counts the invalid boxes by fault."""
        records = self.records
        return InvalidBoxes.count(
            self.read.faults, self.image, records.bounding_boxes, records.filepaths
        )

    def _describe_box(self, row: int) -> str:
        image = self.image[row]
        place = row - int(np.searchsorted(self.image, image))
        box = self.records.bounding_boxes[image][place]
        return f"box {invalid_boxes.format_box(box)}"

    def _describe_fault(self, row: int) -> str:
        fault = invalid_boxes.FAULTS[self.read.faults[row]]
        return f"{self._describe_box(row)}, {fault}"

    def _findings(
        self, rows: Iterable[int], describe: Callable[[int], str]
    ) -> list[Finding]:
        return [
            Finding(
                self.records.ids[self.image[row]],
                self.records.filepaths[self.image[row]],
                self.ids[row],
                describe(row),
            )
            for row in rows
        ]


def find_unreadable(
    records: annotations.Records,
    image_size: int,
    decode: bool,
    num_workers: int,
    max_pixels: int,
) -> list[Finding]:
    """Finds files that are missing, truncated or not images.

    Args:
        records: of the collection
        image_size: of the network's input, in pixels
        decode: decodes each file; otherwise only its start and end are read
        num_workers: threads; 0 uses one per core
        max_pixels: larger images are not decoded
    """
    faults = image_loading.find_unreadable(records.filepaths, num_workers, max_pixels)
    if decode:
        rest = [path for path in records.filepaths if path not in faults]
        reads = image_loading.read_all(
            rest, image_size, num_workers=num_workers, max_pixels=max_pixels
        )
        faults |= {
            path: read.fault
            for path, read in zip(rest, reads, strict=True)
            if read.fault
        }
    return [
        Finding(sample_id, path, None, faults[path])
        for sample_id, path in zip(records.ids, records.filepaths, strict=True)
        if path in faults
    ]


def find_shared(
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    media_field: str = media_files.FILEPATH,
) -> list[Finding]:
    """Finds files with the same content in two splits.

    Args:
        samples: a checked collection
        val_samples: another one; if None, the splits are the tags in `SPLITS`
        media_field (filepath): their field with the image files
    """
    ids, tags = samples.values(["id", "tags"])
    paths = media_files.read(samples, media_field, ids)
    splits = [set(SPLITS) & set(some) for some in tags]
    if val_samples is not None:
        splits = [{"samples"} for _ in ids]
        val_ids = val_samples.values("id")
        ids = ids + val_ids
        paths += media_files.read(val_samples, media_field, val_ids)
        splits += [{"val_samples"} for _ in val_ids]
    contents = _contents(paths)
    where: dict[Any, set[str]] = collections.defaultdict(set)
    for content, some in zip(contents, splits, strict=True):
        where[content] |= some
    return [
        Finding(sample_id, path, None, f"in {' and '.join(sorted(where[content]))}")
        for sample_id, path, content in zip(ids, paths, contents, strict=True)
        if content is not None and len(where[content]) > 1
    ]


def _contents(paths: Sequence[str]) -> list[Any]:
    """Returns a key of each file's content; None for files that can't be opened.

    Only files of the same size are read. That of a URL is the URL.
    """
    sizes = [_size(path) for path in paths]
    counts = collections.Counter(sizes)
    return [
        _key(path, size, counts[size] == 1)
        for path, size in zip(paths, sizes, strict=True)
    ]


def _size(path: str) -> int | None:
    if remote.is_remote(path) or images.path_fault(path):
        return None
    return Path(path).stat().st_size


def _key(path: str, size: int | None, is_only: bool) -> Any:
    if remote.is_remote(path):
        return path
    return size if size is None or is_only else (size, _sha256(path))


def _sha256(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # `find_unreadable` reports it; its content equals no other's
        return path
