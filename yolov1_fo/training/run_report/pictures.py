"""The pictures of a report: validation images with outcomes, and the training batch."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import PIL.Image
from PIL.Image import Image

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_IMAGE_PIXELS
from yolov1_fo.config.plurals import counted
from yolov1_fo.evaluation import outcome_pictures
from yolov1_fo.evaluation.outcomes import Outcome
from yolov1_fo.runs import folders
from yolov1_fo.training.run_report.contents import Contents
from yolov1_fo.visualize import sheets

LONGER_SIDE = 400
"""Longer side of a validation image, in pixels."""
QUALITY = 82
"""Quality of the JPEGs."""
PER_GROUP = 4
"""Pictures of the best, of the median and of the worst images."""


class Picture(NamedTuple):
    """A picture as a part of the page.

    Attributes:
        source: a `data:` URI; empty if there is no image
        caption: below it
        name: of the image file; may be empty
    """

    source: str
    caption: str
    name: str = ""


class Group(NamedTuple):
    """Pictures with a title."""

    title: str
    pictures: list[Picture]


def train_batch(contents: Contents) -> list[Picture]:
    """Returns images of the first batch as augmented; none if they are not stored."""
    path = contents.folder / folders.TRAIN_BATCH
    if not path.is_file():
        if contents.task == "detect":
            contents.notes.append(f"{folders.TRAIN_BATCH} is missing")
        return []
    try:
        tiles = sheets.take_apart(sheets.read(path))
    except (OSError, ValueError, SyntaxError):  # Pillow raises all of them
        contents.notes.append(f"{folders.TRAIN_BATCH} can't be read")
        return []
    return [Picture(sheets.to_uri(one, QUALITY), "") for one in tiles]


def validation(contents: Contents) -> list[Group]:
    """Returns the best, the median and the worst validation images.

    They are ordered by F1; of equal ones, those with more detections and objects are
    better examples. Images without both have no F1, and are left out.
    """
    known = {
        row: one.f1
        for row, one in enumerate(contents.outcomes)
        if one.tp + one.fp + one.fn
    }
    if not known:
        return []

    def size(row: int) -> int:
        one = contents.outcomes[row]
        return one.tp + one.fp + one.fn

    rows = sorted(known, key=lambda row: (-known[row], -size(row)))
    if len(rows) < 3:
        return [Group("Validation images", _pictures(contents, rows))]
    count = min(PER_GROUP, len(rows) // 3)
    start = (len(rows) - count) // 2
    best, median = rows[:count], rows[start : start + count]
    others = [row for row in rows if row not in (*best, *median)]
    worst = sorted(others, key=lambda row: (known[row], -size(row)))[:count]
    titled = (("Best", best), ("Median", median), ("Worst", worst))
    return [Group(title, _pictures(contents, some)) for title, some in titled]


def _pictures(contents: Contents, rows: Sequence[int]) -> list[Picture]:
    split = contents.detections
    if split is None:
        return []
    limit = contents.settings.get("max_image_pixels", MAX_IMAGE_PIXELS)
    found = []
    for row in rows:
        one, path = contents.outcomes[row], split.filepaths[row]
        pixels, fault = _read(path, limit)
        caption, source = _caption(one), ""
        if pixels is None:
            caption += f"; the file {fault}"
        else:
            picture = _resized(PIL.Image.fromarray(pixels))
            drawn = outcome_pictures.draw(picture, one, contents.classes)
            source = sheets.to_uri(drawn, QUALITY)
        found.append(Picture(source, caption, Path(path).name))
    return found


def _read(path: str, limit: int) -> tuple[Array | None, str | None]:
    try:
        return images.decode(path, max_pixels=limit)[:2]
    except OSError as error:  # of object storage
        return None, str(error)


def _caption(one: Outcome) -> str:
    objects = one.tp + one.fn
    parts = [f"{one.tp} of {objects} object{'s' * (objects != 1)} found"]
    if one.fp:
        parts.append(counted(one.fp, "false positive"))
    return ", ".join(parts)


def _resized(picture: Image) -> Image:
    """Returns a picture whose longer side is `LONGER_SIDE`."""
    width, height = picture.size
    scale = LONGER_SIDE / max(width, height)
    size = max(round(scale * width), 1), max(round(scale * height), 1)
    return picture.resize(size, PIL.Image.Resampling.BILINEAR)
