"""Invalid boxes: what is wrong with them, counted, and the messages that report it."""

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
"""What can be wrong with a box; `labels.Boxes.faults` holds indices into this."""
VALID, NOT_FOUR_NUMBERS, NOT_FINITE, PIXELS, NO_AREA = range(len(FAULTS))
MAX_LENGTH = 60
"""Characters of a box that a message shows."""


def format_box(value: Any) -> str:
    """Returns a box as messages show it: rounded, at most `MAX_LENGTH` characters.

    Example:
        >>> format_box([0.1, 0.2, 1 / 3, 0.4])
        '[0.1, 0.2, 0.3333, 0.4]'
    """
    if isinstance(value, list | tuple):
        some = ", ".join(
            f"{x:.4g}" if isinstance(x, float) else repr(x) for x in value[:8]
        )
        text = f"[{some}{', ...' if len(value) > 8 else ''}]"
    else:
        text = repr(value)
    return text if len(text) <= MAX_LENGTH else f"{text[: MAX_LENGTH - 3]}..."


@dataclass
class InvalidBoxes:
    """The number of boxes with each fault, and an example of each.

    Attributes:
        total: number of boxes that were checked, including valid ones
        counts: by index into `FAULTS`
        examples: the first box and its image file, by index into `FAULTS`
    """

    total: int = 0
    counts: dict[int, int] = field(default_factory=dict)
    examples: dict[int, tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def count(
        cls,
        faults: Array,
        image: Array,
        bounding_boxes: Sequence[Sequence[Any]],
        filepaths: Sequence[str],
    ) -> Self:
        """Counts the faults of some boxes.

        Args:
            faults: (K,) of each box, indices into `FAULTS`
            image: (K,) index of the image that contains it
            bounding_boxes: as stored by FiftyOne, by image
            filepaths: of the images
        """
        found = cls(total=len(faults))
        for fault in np.unique(faults[faults != VALID]).tolist():
            rows = np.flatnonzero(faults == fault)
            where = int(image[rows[0]])
            place = int(rows[0] - np.searchsorted(image, where))
            box = format_box(bounding_boxes[where][place])
            found.counts[fault] = len(rows)
            found.examples[fault] = box, filepaths[where]
        return found

    def __add__(self, other: "InvalidBoxes") -> "InvalidBoxes":
        both = [*self.counts.items(), *other.counts.items()]
        counts = {fault: 0 for fault, _ in both}
        for fault, count in both:
            counts[fault] += count
        examples = {**other.examples, **self.examples}
        return InvalidBoxes(self.total + other.total, counts, examples)

    @property
    def left_out(self) -> int:
        """Number of boxes that cannot be used."""
        return sum(self.counts.values())

    def messages(self, field: str, where: str) -> list[str]:
        """Returns one line about boxes in pixels and one about all others.

        Args:
            field: that holds the boxes
            where: the collection, as `samples.name` returns it
        """
        lines = []
        if PIXELS in self.counts:
            box, path = self.examples[PIXELS]
            lines.append(
                f"{self.counts[PIXELS]} of {self.total} boxes of '{field}' on {where} "
                f"are in pixels, e.g. {box} in '{path}'; FiftyOne expects coordinates "
                "relative to the image: divide by its width and height"
            )
        others = {k: n for k, n in sorted(self.counts.items()) if k != PIXELS}
        if others:
            box, path = self.examples[next(iter(others))]
            faults = ", ".join(f"{n} {FAULTS[k]}" for k, n in others.items())
            lines.append(
                f"{sum(others.values())} of {self.total} boxes of '{field}' on {where} "
                f"are left out: {faults}; e.g. {box} in '{path}'"
            )
        return lines

    def warn(self, field: str, where: str) -> None:
        """Logs a warning about boxes that are left out.

        Args:
            field: that holds the boxes
            where: the collection, as `samples.name` returns it

        Raises:
            ValueError: if there are boxes in pixels and no valid ones
        """
        lines = self.messages(field, where)
        if PIXELS in self.counts and self.left_out == self.total:
            raise ValueError(lines[0])
        for line in lines:
            logger.warning("%s", line)
