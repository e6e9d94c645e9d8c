"""The images of a split with their objects, before anything is decoded."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS
from yolov1_fo.pipeline import image_loading, tiling
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes


class Listing(NamedTuple):
    """The images of a split and their objects.

    Attributes:
        ids: sample ids
        filepaths: image files
        objects: objects that are targets
        ignored: objects that are neither targets nor, when detected, false positives
        dropped: how many objects are not targets
        weights: (N,) float64, the field that `sample_weights` names; None without
        parts: (N, 4) xyxy, which part of the picture in its file each image is; None
            if all are whole
    """

    ids: list[str]
    filepaths: list[str]
    objects: RaggedBoxes
    ignored: RaggedBoxes
    dropped: Dropped
    weights: Array | None = None
    parts: Array | None = None

    def take(self, rows: Sequence[int] | Array) -> "Listing":
        """Returns the listing of some images, in the order of `rows`."""
        return Listing(
            [self.ids[row] for row in rows],
            [self.filepaths[row] for row in rows],
            self.objects.take(rows),
            self.ignored.take(rows),
            self.dropped,
            None if self.weights is None else self.weights[list(rows)],
            None if self.parts is None else self.parts[list(rows)],
        )

    def tiled(self, tiles: int) -> "Listing":
        """Returns the listing of whole images and their tiles, see `tiling.windows`.

        Args:
            tiles: number of tiles per side; 0 and 1 are none
        """
        count = tiling.count(tiles)
        if count == 1:
            return self
        return Listing(
            [one for one in self.ids for _ in range(count)],
            [path for path in self.filepaths for _ in range(count)],
            tiling.cut_objects(self.objects, tiles),
            tiling.cut_objects(self.ignored, tiles, min_visible=0),
            self.dropped,
            None if self.weights is None else np.repeat(self.weights, count),
            np.tile(tiling.windows(tiles), (len(self.ids), 1)),
        )

    def untiled(self) -> "Listing":
        """Returns the listing of the whole images."""
        if self.parts is None:
            return self
        is_whole = (self.parts == tiling.windows(0)).all(axis=-1)
        return self.take(np.flatnonzero(is_whole))._replace(parts=None)


def split_readable(
    listing: Listing, num_workers: int = 0, max_pixels: int = MAX_IMAGE_PIXELS
) -> tuple[Listing, dict[str, str]]:
    """Returns the readable images, and the fault of each unreadable file."""
    paths = listing.filepaths
    bad = image_loading.find_unreadable(paths, num_workers, max_pixels)
    good = [row for row, path in enumerate(paths) if path not in bad]
    return listing.take(good), bad
