"""The objects of many images, as arrays."""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from yolov1_fo.boxes import Array


class Objects(NamedTuple):
    """The objects of many images, held flat.

    Attributes:
        boxes: (K, 4) xyxy, relative, float32
        class_ids: (K,) int32
        offsets: (N + 1,) int64; image i has the rows offsets[i] to offsets[i + 1]
    """

    boxes: Array
    class_ids: Array
    offsets: Array

    @classmethod
    def join(cls, parts: Sequence["Objects"]) -> Self:
        """Returns the objects of all parts' images, one part behind the other."""
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
        """Returns the objects of some images, in their order."""
        spans = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in images]
        rows = np.concatenate([np.zeros(0, int), *spans])
        offsets = np.cumsum([0, *(len(span) for span in spans)])
        return type(self)(self.boxes[rows], self.class_ids[rows], offsets)

    def of(self, image: int) -> tuple[Array, Array]:
        """Returns boxes (M, 4) and class ids (M,) of one image."""
        rows = slice(self.offsets[image], self.offsets[image + 1])
        return self.boxes[rows], self.class_ids[rows]

    def most(self) -> int:
        """Returns how many objects the fullest image has."""
        return int(np.diff(self.offsets).max(initial=0))

    def digest(self) -> str:
        """Returns what tells these objects from any others."""
        return hashlib.sha256(b"".join(part.tobytes() for part in self)).hexdigest()

    def padded(self, images: Sequence[int] | Array, width: int) -> tuple[Array, Array]:
        """Returns boxes (N, width, 4) and class ids (N, width), -1 = no object."""
        boxes = np.zeros((len(images), width, 4), np.float32)
        class_ids = np.full((len(images), width), -1, np.int32)
        for row, image in enumerate(images):
            some_boxes, some_ids = self.of(image)
            boxes[row, : len(some_ids)] = some_boxes[:width]
            class_ids[row, : len(some_ids)] = some_ids[:width]
        return boxes, class_ids


class Dropped(NamedTuple):
    """How many objects are no targets, and why."""

    ignored: int = 0
    degenerate: int = 0
    other_class: int = 0
    unlabelled: int = 0
