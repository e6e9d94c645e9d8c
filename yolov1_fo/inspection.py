"""inspect(samples, ...) -> InspectionReport: what a training will lose, before it."""

import collections
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tabulate import tabulate

from yolov1_fo import boxes as _boxes
from yolov1_fo import grid, labels, reading
from yolov1_fo import samples as fo_samples
from yolov1_fo.config import GridConfig, NetworkConfig

SPLITS = ("train", "val", "validation", "test")

KINDS = {
    "lost": "objects in a cell that an earlier object owns; never learned",
    "tiny": "objects narrower or lower than {tiny_px} pixels of the network's input",
    "unknown": "objects whose label is not among the classes; training refuses them",
    "degenerate": "objects without size inside the image; dropped",
    "outside": "objects that reach over the image's edge; cut off there",
    "unreadable": "files that are missing, cut short or no images; skipped",
    "shared": "files that stand in two splits; mAP would be too good",
}
"""What can be wrong, and what it means."""

EDGE = 1e-3
"""What a box may reach over the edge, relative: files round their numbers."""


EXAMPLES = 5
"""So many files of a kind are printed."""


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


@dataclass(frozen=True)
class InspectionReport:
    """What a training on some samples will lose; `print` shows it as a table.

    Attributes:
        samples: that were looked at
        images: how many
        objects: how many there are to learn; ignored and degenerate ones aside
        ignored: difficult objects, crowds and groups
        empty: images without an object to learn
        classes: objects of each class
        most: objects in the fullest image
        grid: the S x S cells that it was seen through
        side: of the network's input, in pixels
        tiny_px: what is smaller there is tiny, in pixels
        findings: what is wrong, under each of `KINDS`
    """

    samples: Any
    images: int
    objects: int
    ignored: int
    empty: int
    classes: dict[str, int]
    most: int
    grid: GridConfig
    side: int
    tiny_px: float
    findings: dict[str, list[Finding]]

    @property
    def recall_ceiling(self) -> float:
        """The part of the objects that a perfect network could find; NaN without."""
        if not self.objects:
            return float("nan")
        return 1 - len(self.findings["lost"]) / self.objects

    def view(self, kind: str) -> Any:
        """Returns the samples that have a finding.

        Args:
            kind: one of `KINDS`

        Raises:
            ValueError: if there is no such kind
        """
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        found = dict.fromkeys(one.sample_id for one in self.findings[kind])
        return self.samples._dataset.select(list(found), ordered=True)

    def __str__(self) -> str:
        S = self.grid.S
        facts = [
            f"{self.images} images, {self.empty} without objects to learn",
            f"{self.objects} objects to learn, {self.ignored} ignored, at most "
            f"{self.most} in an image",
            f"recall ceiling {self.recall_ceiling:.3f} with {S} x {S} cells",
        ]
        classes = sorted(self.classes.items(), key=lambda item: -item[1])
        rows = [
            (
                kind,
                len(self.findings[kind]),
                len({one.sample_id for one in self.findings[kind]}),
                meaning.format(tiny_px=f"{self.tiny_px:g}"),
            )
            for kind, meaning in KINDS.items()
        ]
        examples = [
            f"{kind}: {one.filepath}{one.detail and f' ({one.detail})'}"
            for kind in ("unreadable", "shared", "degenerate")
            for one in self.findings[kind][:EXAMPLES]
        ]
        return "\n\n".join(
            [
                "\n".join(facts),
                tabulate(classes, ("class", "objects")),
                tabulate(rows, ("found", "times", "images", "what it is")),
                *(["\n".join(examples)] if examples else []),
            ]
        )


def inspect(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    *,
    val_samples: fo_samples.Samples | None = None,
    S: int = GridConfig.S,
    side: int = NetworkConfig.side,
    tiny_px: float = 8.0,
    classes: Sequence[str] | None = None,
    decode: bool = False,
    workers: int = 0,
) -> InspectionReport:
    """Returns what a training will lose of a FiftyOne dataset or view.

    Nothing is written. Splits are the tags train, val, validation and test.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): its field of Detections
        val_samples (None): files that stand in these too are found
        S (7): cells a side; of two objects in a cell one is lost
        side (448): of the network's input, in pixels
        tiny_px (8): a smaller object is tiny, in pixels of the network's input
        classes (None): as in `train`
        decode (False): decodes every file, which also finds those that are damaged in
            the middle; else looks at where each begins and ends
        workers (0): threads; 0 takes one a core

    Raises:
        ValueError: if the collection, the field or a setting does not fit
    """
    # 1. Check and read.
    fo_samples.check_labelled(samples, gt_field, "gt_field")
    if val_samples is not None:
        fo_samples.check_images(val_samples)
    config = NetworkConfig(S=S, side=side)
    if not tiny_px >= 0:
        raise ValueError(f"tiny_px must be at least 0, got {tiny_px}")
    names = fo_samples.classes_of(samples, gt_field, classes)
    records = fo_samples.read(samples, gt_field)
    label_ids = samples.values(f"{gt_field}.detections.id")
    objects = _Objects(records, label_ids, names)

    # 2. Look at each object and each file.
    findings = {
        "lost": objects.lost(config),
        "tiny": objects.tiny(tiny_px / side),
        "unknown": objects.unknown(),
        "degenerate": objects.degenerate(),
        "outside": objects.outside(),
        "unreadable": _unreadable(records, side, decode, workers),
        "shared": _shared(samples, val_samples),
    }
    counts = collections.Counter(objects.names[objects.learned].tolist())
    an_image = np.bincount(objects.image[objects.learned], minlength=len(records.ids))
    return InspectionReport(
        samples=samples,
        images=len(records.ids),
        objects=int(objects.learned.sum()),
        ignored=int(objects.ignored.sum()),
        empty=int((an_image == 0).sum()),
        classes={name: counts.get(name, 0) for name in names},
        most=int(an_image.max(initial=0)),
        grid=GridConfig(S=S, C=len(names)),
        side=side,
        tiny_px=tiny_px,
        findings=findings,
    )


class _Objects:
    """All objects of the records, flat."""

    def __init__(
        self,
        records: fo_samples.Records,
        label_ids: list[list[str] | None],
        classes: list[str],
    ) -> None:
        self.records = records
        counts = [len(row) for row in records.labels]
        self.image = np.repeat(np.arange(len(counts)), counts)
        self.ids = [one for row in label_ids for one in row or []]
        self.names = np.array([x for row in records.labels for x in row], object)
        self.ignored = np.array([x for row in records.ignored for x in row], bool)
        self.xywh = labels.flat(records.bounding_boxes)
        self.boxes = labels.to_xyxy(self.xywh)
        self.has_size = _boxes.area(self.boxes) > 0
        self.known = np.array([name in classes for name in self.names], bool)
        self.learned = self.has_size & ~self.ignored & self.known

    def lost(self, config: GridConfig) -> list[Finding]:
        rows = np.flatnonzero(self.learned)
        cells = grid.cell_of(self.boxes[rows], config).astype(int)
        place = self.image[rows] * config.S**2 + cells
        first = np.unique(place, return_index=True)[1]
        lost = np.setdiff1d(rows, rows[first])
        return self._found(lost, lambda row: str(self.names[row]))

    def tiny(self, least: float) -> list[Finding]:
        size = self.boxes[:, 2:] - self.boxes[:, :2]
        rows = np.flatnonzero(self.learned & (size.min(axis=-1, initial=1) < least))
        return self._found(rows, lambda row: "{:.4f} x {:.4f}".format(*size[row]))

    def unknown(self) -> list[Finding]:
        rows = np.flatnonzero(~self.known & self.has_size & ~self.ignored)
        return self._found(rows, lambda row: f"label {self.names[row]!r}")

    def degenerate(self) -> list[Finding]:
        return self._found(np.flatnonzero(~self.has_size), self._box)

    def outside(self) -> list[Finding]:
        low, high = self.xywh[:, :2], self.xywh[:, :2] + self.xywh[:, 2:]
        over = ((low < -EDGE) | (high > 1 + EDGE)).any(axis=-1)
        return self._found(np.flatnonzero(over), self._box)

    def _box(self, row: int) -> str:
        return f"box {[round(float(x), 4) for x in self.xywh[row]]}"

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


def _unreadable(
    records: fo_samples.Records, side: int, decode: bool, workers: int
) -> list[Finding]:
    faults = reading.find_bad(records.filepaths, workers)
    if decode:
        rest = [path for path in records.filepaths if path not in faults]
        reads = reading.read_all(rest, side, workers=workers)
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


def _shared(
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
    """Returns what tells the files' contents apart; None for what is missing.

    Only files of the same size are read.
    """
    sizes = [
        Path(path).stat().st_size if Path(path).is_file() else None for path in paths
    ]
    many = collections.Counter(sizes)
    return [
        size if size is None or many[size] == 1 else (size, _sha256(path))
        for path, size in zip(paths, sizes, strict=True)
    ]


def _sha256(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
