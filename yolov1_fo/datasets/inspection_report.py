"""The report of `inspect`, which can tag samples and save views."""

from dataclasses import dataclass
from typing import Any

from tabulate import tabulate

from yolov1_fo.config import GridConfig, spelling
from yolov1_fo.datasets import connection, fiftyone_private, tags
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.findings import Finding

FINDING_KINDS = {
    "lost": "objects in a cell that is assigned to an earlier object; never learned",
    "tiny": "objects narrower or lower than {tiny_px} pixels of the network's input",
    "unknown": "objects whose label is not among the classes; training refuses them, "
    "and drops those without a label",
    "degenerate": "objects without a box that has an area in the image; dropped",
    "outside": "objects that extend beyond the image; clipped",
    "unreadable": "files that are missing, truncated or not images; skipped",
    "shared": "files that are in two splits; mAP would be too high",
}
"""What `inspect` finds, with its meaning."""

TAG_PREFIX = "inspect:"
"""Prefix of the tags and of the names of saved views."""
EXAMPLES = 5
"""Number of files of a kind that are printed."""


@dataclass(frozen=True)
class InspectionReport:
    """Problems of a dataset for training; `print` shows them as a table.

    Attributes:
        samples: the inspected collection
        images: number of images
        objects: number of objects to learn, without ignored and degenerate ones
        ignored: number of difficult objects, crowds and groups
        empty: number of images without an object to learn
        classes: number of objects of each class
        most: maximum number of objects per image
        grid: S x S grid cells
        image_size: of the network's input, in pixels
        tiny_px: size below which an object is tiny, in pixels of the network's input
        findings: the problems found, by kind of `FINDING_KINDS`
        notes: messages about invalid boxes
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
        """Share of the objects that a perfect network could detect; NaN if none."""
        if not self.objects:
            return float("nan")
        return 1 - len(self.findings["lost"]) / self.objects

    @connection.one_line_errors()
    def view(self, kind: str) -> Any:
        """Returns a view of the samples with findings of a kind.

        Args:
            kind: one of `FINDING_KINDS`

        Raises:
            ValueError: if there is no such kind
        """
        spelling.check_choice("kind", kind, FINDING_KINDS)
        ids = dict.fromkeys(one.sample_id for one in self.findings[kind])
        return fo_samples.all_samples(self.samples).select(list(ids), ordered=True)

    @connection.one_line_errors()
    def tag(self) -> list[str]:
        """Tags the samples of each finding and removes the tags of earlier reports.

        Tags of a frames view are also written to the frames of the videos.

        Returns:
            the tags in use now, e.g. `inspect:lost`

        Raises:
            ValueError: if the tags are read-only
        """
        sample_tags = tags.Tags(self.samples)
        for kind in FINDING_KINDS:
            sample_tags.remove(f"{TAG_PREFIX}{kind}")
        kinds = self._found_kinds()
        for kind in kinds:
            sample_tags.add(f"{TAG_PREFIX}{kind}", self.view(kind))
        return [f"{TAG_PREFIX}{kind}" for kind in kinds]

    @connection.one_line_errors()
    def save_views(self) -> list[str]:
        """Saves a view of the samples of each finding on the dataset.

        Views of earlier reports are deleted.

        Returns:
            their names, e.g. `inspect:lost`
        """
        dataset = fiftyone_private.root_dataset(self.samples)
        for kind in FINDING_KINDS:
            if dataset.has_saved_view(f"{TAG_PREFIX}{kind}"):
                dataset.delete_saved_view(f"{TAG_PREFIX}{kind}")
        kinds = self._found_kinds()
        for kind in kinds:
            dataset.save_view(
                f"{TAG_PREFIX}{kind}", self.view(kind), description=self._meaning(kind)
            )
        return [f"{TAG_PREFIX}{kind}" for kind in kinds]

    def _found_kinds(self) -> list[str]:
        return [kind for kind, some in self.findings.items() if some]

    def _meaning(self, kind: str) -> str:
        return FINDING_KINDS[kind].format(tiny_px=f"{self.tiny_px:g}")

    def __str__(self) -> str:
        S = self.grid.S
        facts = [
            f"{self.images} images, {self.empty} without objects to learn",
            f"{self.objects} objects to learn, {self.ignored} ignored, at most "
            f"{self.most} per image",
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
                tabulate(rows, ("finding", "count", "images", "meaning")),
                *(["\n".join(examples)] if examples else []),
                *self.notes,
            ]
        )
