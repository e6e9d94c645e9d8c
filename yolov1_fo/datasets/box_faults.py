"""Boxes that are no boxes: what is wrong with them, counted, and how it is told."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from yolov1_fo.boxes import Array

logger = logging.getLogger(__name__)

FAULTS = (
    "",
    "not four numbers",
    "with numbers that are not finite or beyond all images",
    "in pixels",
    "without area inside the image",
)
"""What can be wrong with a box; the numbers of `labels.Boxes.faults` count these."""
GOOD, SHAPE, NOT_FINITE, PIXELS, NO_AREA = range(len(FAULTS))
LONGEST = 60
"""So many characters of a value are shown."""


def shown(value: Any) -> str:
    """Returns a box as a message names it: rounded, and not longer than `LONGEST`.

    Example:
        >>> shown([0.1, 0.2, 1 / 3, 0.4])
        '[0.1, 0.2, 0.3333, 0.4]'
    """
    if isinstance(value, list | tuple):
        some = ", ".join(
            f"{x:.4g}" if isinstance(x, float) else repr(x) for x in value[:8]
        )
        text = f"[{some}{', ...' if len(value) > 8 else ''}]"
    else:
        text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


@dataclass
class BoxFaults:
    """How many boxes have which fault, with an example of each.

    Attributes:
        total: boxes that were looked at, the good ones too
        counts: by number of `FAULTS`
        examples: the first box and its image file, by number of `FAULTS`
    """

    total: int = 0
    counts: dict[int, int] = field(default_factory=dict)
    examples: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        faults: Array,
        image: Array,
        bounding_boxes: Sequence[Sequence[Any]],
        filepaths: Sequence[str],
    ) -> Self:
        """Returns the faults of some boxes.

        Args:
            faults: (K,) of each box
            image: (K,) the image that it is in
            bounding_boxes: as FiftyOne has them, by image
            filepaths: of the images
        """
        found = cls(total=len(faults))
        for fault in np.unique(faults[faults != GOOD]).tolist():
            rows = np.flatnonzero(faults == fault)
            where = int(image[rows[0]])
            place = int(rows[0] - np.searchsorted(image, where))
            box = shown(bounding_boxes[where][place])
            found.counts[fault] = len(rows)
            found.examples[fault] = box, filepaths[where]
        return found

    def __add__(self, other: "BoxFaults") -> "BoxFaults":
        both = [*self.counts.items(), *other.counts.items()]
        counts = {fault: 0 for fault, _ in both}
        for fault, count in both:
            counts[fault] += count
        examples = {**other.examples, **self.examples}
        return BoxFaults(self.total + other.total, counts, examples)

    @property
    def left_out(self) -> int:
        """How many boxes can't be used."""
        return sum(self.counts.values())

    def lines(self, field: str, where: str) -> list[str]:
        """Returns what to tell: a line on boxes in pixels, and one on all others.

        Args:
            field: that holds the boxes
            where: the collection, as `samples.name` calls it
        """
        said = []
        if PIXELS in self.counts:
            box, path = self.examples[PIXELS]
            said.append(
                f"{self.counts[PIXELS]} of {self.total} boxes of '{field}' on {where} "
                f"are in pixels, as {box} in '{path}'; FiftyOne's are parts of the "
                "image: divide by its width and height"
            )
        others = {k: n for k, n in sorted(self.counts.items()) if k != PIXELS}
        if others:
            box, path = self.examples[next(iter(others))]
            kinds = ", ".join(f"{n} {FAULTS[k]}" for k, n in others.items())
            said.append(
                f"{sum(others.values())} of {self.total} boxes of '{field}' on {where} "
                f"are left out: {kinds}; as {box} in '{path}'"
            )
        return said

    def tell(self, field: str, where: str) -> None:
        """Warns of boxes that are left out.

        Args:
            field: that holds the boxes
            where: the collection, as `samples.name` calls it

        Raises:
            ValueError: if boxes are in pixels, and none is left
        """
        lines = self.lines(field, where)
        if PIXELS in self.counts and self.left_out == self.total:
            raise ValueError(lines[0])
        for line in lines:
            logger.warning("%s", line)
