"""The objects of many images, as flat arrays."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.image_files import letterboxing


class RaggedBoxes(NamedTuple):
    """Boxes and class ids of many images, concatenated.

    Attributes:
        boxes: (K, 4) xyxy, relative, float32
        class_ids: (K,) int32
        offsets: (N + 1,) int64; image i has the rows offsets[i] to offsets[i + 1]
    """

    boxes: Array
    class_ids: Array
    offsets: Array

    @classmethod
    def concatenate(cls, parts: Sequence["RaggedBoxes"]) -> Self:
        """Returns the objects of the images of all parts, in order."""
        ends = np.cumsum([0, *(len(part.class_ids) for part in parts)])
        offsets = [
            part.offsets[1:] + end for part, end in zip(parts, ends[:-1], strict=True)
        ]
        return cls(
            np.concatenate([part.boxes for part in parts]),
            np.concatenate([part.class_ids for part in parts]),
            np.concatenate([[0], *offsets]).astype(np.int64),
        )

    def take(self, images: Sequence[int] | Array) -> Self:
        """Returns the objects of some images, in the order given."""
        spans = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in images]
        rows = np.concatenate([np.zeros(0, int), *spans])
        offsets = np.cumsum([0, *(len(span) for span in spans)])
        return type(self)(self.boxes[rows], self.class_ids[rows], offsets)

    def of_image(self, image: int) -> tuple[Array, Array]:
        """Returns boxes (M, 4) and class ids (M,) of one image."""
        rows = slice(self.offsets[image], self.offsets[image + 1])
        return self.boxes[rows], self.class_ids[rows]

    def max_per_image(self) -> int:
        """Returns the largest number of objects in an image."""
        return int(np.diff(self.offsets).max(initial=0))

    def digest(self) -> str:
        """Returns a SHA-256 hash of all values."""
        return hashlib.sha256(b"".join(part.tobytes() for part in self)).hexdigest()

    def padding_width(self) -> int:
        """Returns the width that `padded` needs for all images: 1 at least."""
        return max(self.max_per_image(), 1)

    def padded(
        self,
        images: Sequence[int] | Array,
        width: int | None = None,
        windows: Array | None = None,
    ) -> tuple[Array, Array]:
        """Returns boxes (N, width, 4) and class ids (N, width), -1 = no object.

        Args:
            images: their rows
            width (`padding_width`): of the result; further objects are left out
            windows (None): (N, 4) of letterboxed images, whose boxes become relative to
                their squares; see `letterboxing`
        """
        width = self.padding_width() if width is None else width
        boxes = np.zeros((len(images), width, 4), np.float32)
        class_ids = np.full((len(images), width), -1, np.int32)
        for row, image in enumerate(images):
            image_boxes, image_ids = self.of_image(image)
            if windows is not None:
                image_boxes = letterboxing.image_to_square(image_boxes, windows[row])
            boxes[row, : len(image_ids)] = image_boxes[:width]
            class_ids[row, : len(image_ids)] = image_ids[:width]
        return boxes, class_ids


class Dropped(NamedTuple):
    """How many objects are not targets, by reason."""

    ignored: int = 0
    degenerate: int = 0
    other_class: int = 0
    unlabeled: int = 0
