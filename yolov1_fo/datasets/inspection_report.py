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

FINDING_TITLES = {
    "lost": "Lost objects",
    "tiny": "Tiny objects",
    "unknown": "Unknown classes",
    "degenerate": "Invalid boxes",
    "outside": "Boxes beyond the image",
    "unreadable": "Unreadable files",
    "shared": "Files in two splits",
}
"""The same, as titles of a table."""
LEAVE_OUT_KINDS = ("unreadable", "shared")
"""What can be left out of a training without losing objects to learn."""
TAG_PREFIX = "inspect:"
"""Prefix of the tags and of the names of saved views."""
LEAVE_OUT = f"{TAG_PREFIX}leave_out"
"""Tag of samples that a training started in the App leaves out."""
VAL_TAGS = ("val", "validation", "test")
"""Of files in two splits, samples with these tags are kept."""
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
        return [self.tag_kind(kind) for kind in self._found_kinds()]

    def tag_kind(self, kind: str) -> str:
        """Tags the samples of one finding; returns the tag.

        Args:
            kind: one of `FINDING_KINDS`

        Raises:
            ValueError: if there is no such kind, or the tags are read-only
        """
        tags.Tags(self.samples).add(f"{TAG_PREFIX}{kind}", self.view(kind))
        return f"{TAG_PREFIX}{kind}"

    @connection.one_line_errors()
    def leave_out(self, kind: str) -> int:
        """Tags samples that a training should leave out; `put_back` undoes it.

        Of files in two splits, those of the validation and test splits are kept.

        Args:
            kind: one of `LEAVE_OUT_KINDS`

        Returns:
            number of samples

        Raises:
            ValueError: if there is no such kind, or the tags are read-only
        """
        spelling.check_choice("kind", kind, LEAVE_OUT_KINDS)
        view = self.view(kind)
        if kind == "shared":
            view = view.match_tags(VAL_TAGS, bool=False)
        tags.Tags(self.samples).add(LEAVE_OUT, view)
        return len(view)

    @connection.one_line_errors()
    def put_back(self) -> int:
        """Removes the tag of `leave_out` from all samples; returns their number.

        Raises:
            ValueError: if the tags are read-only
        """
        sample_tags = tags.Tags(self.samples)
        count = self.left_out()
        sample_tags.remove(LEAVE_OUT)
        return count

    def left_out(self) -> int:
        """Returns the number of samples that a training leaves out."""
        return len(fo_samples.all_samples(self.samples).match_tags(LEAVE_OUT))

    def rows(self) -> list[tuple[str, str, int, int, str]]:
        """Returns kind, title, count, number of images and meaning of each finding."""
        return [
            (
                *(kind, FINDING_TITLES[kind], len(some)),
                *(len({one.sample_id for one in some}), self._meaning(kind)),
            )
            for kind, some in self.findings.items()
        ]

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

    def facts(self) -> list[str]:
        """Returns lines about images, objects and the grid."""
        S = self.grid.S
        return [
            f"{self.images} images, {self.empty} without objects to learn",
            f"{self.objects} objects to learn, {self.ignored} ignored, at most "
            f"{self.most} per image",
            f"recall ceiling {self.recall_ceiling:.3f} with {S} x {S} cells",
        ]

    def __str__(self) -> str:
        classes = sorted(self.classes.items(), key=lambda item: -item[1])
        rows = [(kind, *rest) for kind, _, *rest in self.rows()]
        examples = [
            f"{kind}: {one.filepath}{one.detail and f' ({one.detail})'}"
            for kind in ("unreadable", "shared", "degenerate")
            for one in self.findings[kind][:EXAMPLES]
        ]
        return "\n\n".join(
            [
                "\n".join(self.facts()),
                tabulate(classes, ("class", "objects")),
                tabulate(rows, ("finding", "count", "images", "meaning")),
                *(["\n".join(examples)] if examples else []),
                *self.notes,
            ]
        )
