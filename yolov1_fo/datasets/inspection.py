"""inspect(samples, ...) -> InspectionReport: what a training will lose, before it."""

import collections
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tabulate import tabulate

from yolov1_fo.config import (
    MAX_IMAGE_PIXELS,
    GridConfig,
    NetworkConfig,
    arguments,
    spelling,
)
from yolov1_fo.datasets import annotations, checks, class_lists, connection, tags
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.issues import Finding, Objects, shared, unreadable

KINDS = {
    "lost": "objects in a cell that an earlier object owns; never learned",
    "tiny": "objects narrower or lower than {tiny_px} pixels of the network's input",
    "unknown": "objects whose label is not among the classes; training refuses them, "
    "and drops those without a label",
    "degenerate": "objects without a box that has an area in the image; dropped",
    "outside": "objects that reach over the image's edge; cut off there",
    "unreadable": "files that are missing, cut short or no images; skipped",
    "shared": "files that stand in two splits; mAP would be too good",
}
"""What can be wrong, and what it means."""

TAG = "inspect:"
"""Begins the tags and the names of saved views."""
EXAMPLES = 5
"""So many files of a kind are printed."""


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
        image_size: of the network's input, in pixels
        tiny_px: what is smaller there is tiny, in pixels
        findings: what is wrong, under each of `KINDS`
        notes: what to say of boxes that are no boxes
    """

    samples: Any
    images: int
    objects: int
    ignored: int
    empty: int
    classes: dict[str, int]
    most: int
    grid: GridConfig
    image_size: int
    tiny_px: float
    findings: dict[str, list[Finding]]
    notes: tuple[str, ...] = ()

    @property
    def recall_ceiling(self) -> float:
        """The part of the objects that a perfect network could find; NaN without."""
        if not self.objects:
            return float("nan")
        return 1 - len(self.findings["lost"]) / self.objects

    @connection.answering()
    def view(self, kind: str) -> Any:
        """Returns the samples that have a finding.

        Args:
            kind: one of `KINDS`

        Raises:
            ValueError: if there is no such kind
        """
        spelling.check_choice("kind", kind, KINDS)
        found = dict.fromkeys(one.sample_id for one in self.findings[kind])
        return fo_samples.whole(self.samples).select(list(found), ordered=True)

    @connection.answering()
    def tag(self) -> list[str]:
        """Tags the samples of each finding; the tags of an earlier look are gone then.

        Those of a view of frames are tags of the videos' frames too.

        Returns:
            the tags that there are now, as `inspect:lost`

        Raises:
            ValueError: if the tags are read-only
        """
        kept = tags.Tags(self.samples)
        for kind in KINDS:
            kept.remove(f"{TAG}{kind}")
        kinds = self._found()
        for kind in kinds:
            kept.add(f"{TAG}{kind}", self.view(kind))
        return [f"{TAG}{kind}" for kind in kinds]

    @connection.answering()
    def save_views(self) -> list[str]:
        """Saves the samples of each finding as a view of the dataset.

        Views of an earlier look are replaced, and deleted where nothing is found now.

        Returns:
            their names, as `inspect:lost`
        """
        dataset = self.samples._root_dataset
        for kind in KINDS:
            if dataset.has_saved_view(f"{TAG}{kind}"):
                dataset.delete_saved_view(f"{TAG}{kind}")
        kinds = self._found()
        for kind in kinds:
            dataset.save_view(
                f"{TAG}{kind}", self.view(kind), description=self._meaning(kind)
            )
        return [f"{TAG}{kind}" for kind in kinds]

    def _found(self) -> list[str]:
        return [kind for kind, some in self.findings.items() if some]

    def _meaning(self, kind: str) -> str:
        return KINDS[kind].format(tiny_px=f"{self.tiny_px:g}")

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
            (kind, len(some), len({one.sample_id for one in some}), self._meaning(kind))
            for kind, some in self.findings.items()
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
                *self.notes,
            ]
        )


@connection.answering()
def inspect(
    samples: fo_samples.Samples,
    gt_field: str | None = "ground_truth",
    *,
    val_samples: fo_samples.Samples | None = None,
    S: int = GridConfig.S,
    image_size: int = NetworkConfig.image_size,
    tiny_px: float = 8.0,
    classes: Sequence[str] | None = None,
    decode: bool = False,
    num_workers: int = 0,
    max_image_pixels: int = MAX_IMAGE_PIXELS,
) -> InspectionReport:
    """Returns what a training will lose of a FiftyOne dataset or view.

    Nothing is written, but by `tag()` and `save_views()` of the report. Splits are the
    tags train, val, validation and test.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): its field of Detections; None looks at files alone
        val_samples (None): files that stand in these too are found
        S (7): cells a side; of two objects in a cell one is lost
        image_size (448): of the network's input, in pixels
        tiny_px (8): a smaller object is tiny, in pixels of the network's input
        classes (None): as in `train`
        decode (False): decodes every file, which also finds those that are damaged in
            the middle; else no more than what tells whether every pixel is there
        num_workers (0): threads; 0 takes one a core
        max_image_pixels (200 million): an image of more pixels can't be read

    Raises:
        ValueError: if the collection, the field or a setting does not fit
    """
    # 1. Check and read.
    samples = fo_samples.flat(samples)
    checks.check_images(samples)
    if gt_field is not None:
        checks.check_detections(samples, gt_field, "gt_field")
    if val_samples is not None:
        val_samples = fo_samples.flat(val_samples, "val_samples")
        checks.check_images(val_samples)
    config = NetworkConfig(S=S, image_size=image_size)
    arguments.check_number("tiny_px", tiny_px, 0)
    names: list[str] = []
    if gt_field is None:
        ids, filepaths = samples.values(["id", "filepath"])
        none: list[Any] = [[] for _ in ids]
        records = annotations.Records(ids, filepaths, none, none, none, none)
        label_ids = none
    else:
        names = class_lists.classes_of(samples, gt_field, classes)
        records = annotations.read(samples, gt_field)
        label_ids = samples.values(f"{gt_field}.detections.id")
    objects = Objects(records, label_ids, names)

    # 2. Look at each object and each file.
    findings = {
        "lost": objects.lost(config),
        "tiny": objects.tiny(tiny_px / image_size),
        "unknown": objects.unknown(),
        "degenerate": objects.degenerate(),
        "outside": objects.outside(),
        "unreadable": unreadable(
            records, image_size, decode, num_workers, max_image_pixels
        ),
        "shared": shared(samples, val_samples),
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
        grid=GridConfig(S=S, C=max(len(names), 1)),
        image_size=image_size,
        tiny_px=tiny_px,
        findings=findings,
        notes=tuple(objects.faults().lines(str(gt_field), fo_samples.name(samples))),
    )
