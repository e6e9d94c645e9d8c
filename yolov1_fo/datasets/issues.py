"""What can be wrong with objects and files, each with the sample that it is in."""

import collections
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import grid, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import GridConfig
from yolov1_fo.datasets import annotations, box_faults, labels
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.box_faults import BoxFaults
from yolov1_fo.pipeline import image_loading

SPLITS = ("train", "val", "validation", "test")

EDGE = 1e-3
"""What a box may reach over the edge, relative: files round their numbers."""


class Finding(NamedTuple):
    """Something that is wrong.

    Attributes:
        sample_id: of the sample
        filepath: of its image
        label_id: of the object; None if it is about the file
        detail: what exactly
    """

    sample_id: str
    filepath: str
    label_id: str | None
    detail: str


class Objects:
    """All objects of a collection, flat, and what is wrong with them.

    Args:
        records: of the collection
        label_ids: of the objects, by image
        classes: names that can be learned
    """

    def __init__(
        self,
        records: annotations.Records,
        label_ids: list[list[str] | None],
        classes: list[str],
    ) -> None:
        self.records = records
        self.read: labels.Boxes = labels.read_boxes(records.bounding_boxes)
        self.boxes = self.read.cut().astype(np.float32)
        self.image, self.has_size = self.read.image, self.read.usable
        self.ids = [one for row in label_ids for one in row or []]
        self.names: Array = np.empty(len(self.image), object)
        self.names[:] = [x for row in records.labels for x in row]
        self.ignored = np.array([x for row in records.ignored for x in row], bool)
        known = set(classes)
        self.known = np.array(
            [isinstance(name, str) and name in known for name in self.names], bool
        )
        self.learned = self.has_size & ~self.ignored & self.known

    def lost(self, config: GridConfig) -> list[Finding]:
        """Returns those in a cell that an earlier object of the image owns."""
        rows = np.flatnonzero(self.learned)
        cells = grid.cell_of(self.boxes[rows], config).astype(int)
        place = self.image[rows] * config.S**2 + cells
        first = np.unique(place, return_index=True)[1]
        lost = np.setdiff1d(rows, rows[first])
        return self._found(lost, lambda row: str(self.names[row]))

    def tiny(self, least: float) -> list[Finding]:
        """Returns those with a side below `least`, relative."""
        size = self.boxes[:, 2:] - self.boxes[:, :2]
        rows = np.flatnonzero(self.learned & (size.min(axis=-1, initial=1) < least))
        return self._found(rows, lambda row: "{:.4f} x {:.4f}".format(*size[row]))

    def unknown(self) -> list[Finding]:
        """Returns those of other classes."""
        rows = np.flatnonzero(~self.known & self.has_size & ~self.ignored)
        return self._found(rows, lambda row: f"label {self.names[row]!r}")

    def degenerate(self) -> list[Finding]:
        """Returns those without a box that has an area inside the image."""
        return self._found(np.flatnonzero(~self.has_size), self._fault)

    def faults(self) -> BoxFaults:
        """Returns the same, counted by what is wrong."""
        records = self.records
        return BoxFaults.of(
            self.read.faults, self.image, records.bounding_boxes, records.filepaths
        )

    def outside(self) -> list[Finding]:
        """Returns those that reach over the edge."""
        low, high = self.read.xyxy[:, :2], self.read.xyxy[:, 2:]
        over = ((low < -EDGE) | (high > 1 + EDGE)).any(axis=-1)
        is_box = np.isin(self.read.faults, (box_faults.GOOD, box_faults.NO_AREA))
        return self._found(np.flatnonzero(over & is_box), self._box)

    def _box(self, row: int) -> str:
        image = self.image[row]
        place = row - int(np.searchsorted(self.image, image))
        return f"box {box_faults.shown(self.records.bounding_boxes[image][place])}"

    def _fault(self, row: int) -> str:
        return f"{self._box(row)}, {box_faults.FAULTS[self.read.faults[row]]}"

    def _found(self, rows: Iterable[int], detail: Any) -> list[Finding]:
        return [
            Finding(
                self.records.ids[self.image[row]],
                self.records.filepaths[self.image[row]],
                self.ids[row],
                detail(row),
            )
            for row in rows
        ]


def unreadable(
    records: annotations.Records,
    image_size: int,
    decode: bool,
    num_workers: int,
    max_pixels: int,
) -> list[Finding]:
    """Returns the files that are missing, cut short or no images.

    Args:
        records: of the collection
        image_size: of the network's input, in pixels
        decode: decodes each file; else looks at where it begins and ends
        num_workers: threads; 0 takes one a core
        max_pixels: an image of more is not decoded
    """
    faults = image_loading.find_bad(records.filepaths, num_workers, max_pixels)
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


def shared(
    samples: fo_samples.Samples, val_samples: fo_samples.Samples | None
) -> list[Finding]:
    """Finds files of the same content in two splits."""
    ids, paths, tags = samples.values(["id", "filepath", "tags"])
    splits = [set(SPLITS) & set(some) for some in tags]
    if val_samples is not None:
        splits = [{"samples"} for _ in ids]
        val_ids, val_paths = val_samples.values(["id", "filepath"])
        ids, paths = ids + val_ids, paths + val_paths
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
    """Returns what tells the files' contents apart; None for what can't be opened.

    Only files of the same size are read.
    """
    sizes = [
        None if images.not_a_file(path) else Path(path).stat().st_size for path in paths
    ]
    many = collections.Counter(sizes)
    return [
        size if size is None or many[size] == 1 else (size, _sha256(path))
        for path, size in zip(paths, sizes, strict=True)
    ]


def _sha256(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:  # it is found unreadable elsewhere; no other file is the same
        return path
