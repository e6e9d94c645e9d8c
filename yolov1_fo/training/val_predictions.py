"""The picture of eight validation images with their predictions, anew each time.

It shows how a training learns. The validation has read its images anyway.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from PIL.Image import Image

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.evaluation import outcome_pictures, outcomes
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.visualize import sheets

logger = logging.getLogger(__name__)

COUNT = 8
"""Number of images."""


class ShownImages:
    """The images of a validation split that are drawn: the same each time.

    Args:
        listing: of the split

    Attributes:
        ids: of their samples; evenly spaced among those with objects
        pixels: by id, (H, W, 3) uint8, as the network sees them
        windows: by id, (4,) of letterboxed images; empty for others
    """

    def __init__(self, listing: Listing) -> None:
        has_objects = np.diff(listing.objects.offsets) > 0
        first, others = np.flatnonzero(has_objects), np.flatnonzero(~has_objects)
        places = np.linspace(0, max(len(first) - 1, 0), min(COUNT, len(first)))
        rows = [*first[places.astype(int)], *others[: COUNT - len(places)]]
        self._rows = {int(row) for row in rows}
        self._listing = listing
        self.ids = [listing.ids[row] for row in rows]
        self.pixels: dict[str, Array] = {}
        self.windows: dict[str, Array] = {}

    def keep(self, rows: Sequence[int], pixels: Array, windows: Array | None) -> None:
        """Keeps what is drawn of a batch that the validation has read."""
        for place, row in enumerate(rows):
            one = self._listing.ids[row]
            if row in self._rows and one not in self.pixels:
                self.pixels[one] = pixels[place].copy()
                if windows is not None:
                    self.windows[one] = windows[place]


def write(
    path: Path,
    shown: ShownImages,
    detections: SplitDetections,
    point: Mapping[str, Any],
    classes: Sequence[str],
) -> None:
    """Writes the picture in place of the last one; logs a warning if it can't.

    Args:
        path: of the picture
        shown: the images
        detections: of the last validation
        point: its operating point, of `operating_point.summary`
        classes: names in the order of their ids
    """
    try:
        sheet = draw(shown, detections, point, classes)
        with files.atomic_file(path) as unfinished:
            unfinished.write_bytes(sheets.to_jpeg(sheet))
    except Exception as error:  # a training must not fail because of a picture
        logger.warning("'%s' can't be made: %s", path, error)


def draw(
    shown: ShownImages,
    detections: SplitDetections,
    point: Mapping[str, Any],
    classes: Sequence[str],
) -> Image:
    """Returns the picture; see `write` for the arguments.

    Raises:
        ValueError: if none of its images can be read
    """
    threshs = outcomes.thresholds(point, classes)
    rows = {one: row for row, one in enumerate(detections.ids)}
    pictures = []
    for one in shown.ids:
        if one not in shown.pixels or one not in rows:
            continue  # its file can't be read
        found, truth = detections.found[rows[one]], detections.truth[rows[one]]
        pixels = PIL.Image.fromarray(shown.pixels[one])
        tile = pixels.resize((sheets.SIDE, sheets.SIDE), PIL.Image.Resampling.BILINEAR)
        outcome = outcomes.outcome(found, truth, threshs, point["iou_thresh"])
        pictures.append(
            outcome_pictures.draw(tile, outcome, classes, shown.windows.get(one))
        )
    if not pictures:
        raise ValueError("none of its images can be read")
    return sheets.make(pictures)
