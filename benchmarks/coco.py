"""Photographs with a COCO `labels.json`, read without FiftyOne."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes


class Photographs(NamedTuple):
    """A split of a COCO folder: where the images are, and what is in them."""

    listing: Listing
    classes: list[str]


def read_coco(folder: Path) -> Photographs:
    """Returns the images of a folder with `data/` and `labels.json`."""
    said = json.loads((folder / "labels.json").read_text())
    kinds = sorted(said["categories"], key=lambda kind: kind["name"])
    class_ids = {kind["id"]: number for number, kind in enumerate(kinds)}
    boxes: dict[int, list[Any]] = {image["id"]: [] for image in said["images"]}
    for one in said["annotations"]:
        boxes[one["image_id"]].append((*one["bbox"], class_ids[one["category_id"]]))
    parts, offsets = [], [0]
    for image in said["images"]:
        rows = np.array(boxes[image["id"]], np.float64).reshape(-1, 5)
        size = np.array([image["width"], image["height"]])
        corners = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
        rows[:, :4] = np.clip(corners / np.tile(size, 2), 0, 1)
        parts.append(rows)
        offsets.append(offsets[-1] + len(rows))
    whole = np.concatenate(parts)
    objects = RaggedBoxes(
        whole[:, :4].astype(np.float32), whole[:, 4].astype(np.int32), np.array(offsets)
    )
    none = RaggedBoxes(objects.boxes[:0], objects.class_ids[:0], 0 * np.array(offsets))
    paths = [str(folder / "data" / image["file_name"]) for image in said["images"]]
    listing = Listing(paths, paths, objects, none, Dropped())
    return Photographs(listing, [kind["name"] for kind in kinds])
