"""Reads photographs with a COCO `labels.json`, without FiftyOne."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes


class Photographs(NamedTuple):
    """A split of a COCO folder: its images with objects, and the class names."""

    listing: Listing
    classes: list[str]


def read_coco(folder: Path) -> Photographs:
    """Returns the images of a folder with `data/` and `labels.json`."""
    content = json.loads((folder / "labels.json").read_text())
    classes = sorted(content["categories"], key=lambda one: one["name"])
    class_ids = {one["id"]: number for number, one in enumerate(classes)}
    boxes: dict[int, list[Any]] = {image["id"]: [] for image in content["images"]}
    for one in content["annotations"]:
        boxes[one["image_id"]].append((*one["bbox"], class_ids[one["category_id"]]))
    parts, offsets = [], [0]
    for image in content["images"]:
        rows = np.array(boxes[image["id"]], np.float64).reshape(-1, 5)
        size = np.array([image["width"], image["height"]])
        corners = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
        rows[:, :4] = np.clip(corners / np.tile(size, 2), 0, 1)
        parts.append(rows)
        offsets.append(offsets[-1] + len(rows))
    flat = np.concatenate(parts)
    objects = RaggedBoxes(
        flat[:, :4].astype(np.float32), flat[:, 4].astype(np.int32), np.array(offsets)
    )
    none = RaggedBoxes(objects.boxes[:0], objects.class_ids[:0], 0 * np.array(offsets))
    paths = [str(folder / "data" / image["file_name"]) for image in content["images"]]
    listing = Listing(paths, paths, objects, none, Dropped())
    return Photographs(listing, [one["name"] for one in classes])
