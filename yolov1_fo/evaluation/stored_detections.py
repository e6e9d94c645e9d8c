"""The detections in a validation split with their objects, as a file in a checkpoint.

With them, curves, confusion matrix and pictures of a run can be made again without its
network. Never imports Keras.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from bson import ObjectId

from yolov1_fo.boxes import Array
from yolov1_fo.datasets import error_lines
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.average_precision import GroundTruth

FILE = "val_detections.npz"
_BOXES, _IDS = np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
NO_DETECTIONS = Detections(_BOXES, np.zeros(0, np.float32), _IDS)
NO_OBJECTS = GroundTruth(_BOXES, _IDS, np.zeros(0, bool))


class SplitDetections(NamedTuple):
    """The detections in the images of a split, and their objects.

    Attributes:
        ids: of the samples
        filepaths: of the images
        found: detections, by image
        truth: objects, by image
    """

    ids: list[str]
    filepaths: list[str]
    found: list[Detections]
    truth: list[GroundTruth]


def write(folder: Path, split: SplitDetections) -> None:
    """Writes a split; `read(folder)` returns it.

    Raises:
        OSError: if it can't be written
    """
    names = json.dumps({"ids": split.ids, "filepaths": split.filepaths})
    boxes, scores, class_ids = _joined(split.found, NO_DETECTIONS)
    true_boxes, true_ids, difficult = _joined(split.truth, NO_OBJECTS)
    np.savez(
        folder / FILE,
        names=np.frombuffer(names.encode(), np.uint8),
        boxes=boxes,
        scores=scores,
        class_ids=class_ids,
        counts=np.array([len(one.scores) for one in split.found], np.int64),
        true_boxes=true_boxes,
        true_class_ids=true_ids,
        difficult=difficult,
        true_counts=np.array([len(one.class_ids) for one in split.truth], np.int64),
    )


def _joined(parts: Sequence[tuple], empty: tuple) -> list[Array]:
    return [np.concatenate(some) for some in zip(empty, *parts, strict=True)]


def read(folder: Path, num_classes: int) -> SplitDetections | None:
    """Returns what `write` wrote; None if there is no such file.

    The file is in a folder that the user may have edited, so nothing in it is trusted.

    Args:
        folder: of the checkpoint
        num_classes: classes are 0 to num_classes - 1

    Raises:
        ValueError: if it can't be read
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            parts = {name: stored[name] for name in stored.files}
        return _split(parts, num_classes)
    except Exception as error:  # NumPy and zipfile raise many kinds
        line = error_lines.describe(error) or "it is damaged"
        raise ValueError(f"'{path}' can't be read: {line}") from error


def read_ids(folder: Path) -> list[str]:
    """Returns the ids of the samples that `write` wrote; none if they can't be read.

    Args:
        folder: of the checkpoint
    """
    try:
        with (
            (folder / FILE).open("rb") as file,
            np.load(file, allow_pickle=False) as stored,
        ):
            names = json.loads(stored["names"].tobytes())
        return [one for one in map(str, names["ids"]) if ObjectId.is_valid(one)]
    except Exception:  # NumPy and zipfile raise many kinds
        return []


def _split(parts: dict[str, Array], num_classes: int) -> SplitDetections:
    names = json.loads(parts["names"].tobytes())
    ids, filepaths = ([str(one) for one in names[key]] for key in ("ids", "filepaths"))
    found, truth = (
        _by_image(parts, columns, counts, len(ids), num_classes)
        for columns, counts in (
            (("boxes", "scores", "class_ids"), "counts"),
            (("true_boxes", "true_class_ids", "difficult"), "true_counts"),
        )
    )
    if len(filepaths) != len(ids):
        raise ValueError("it has another number of files than of samples")
    return SplitDetections(
        *(ids, filepaths),
        [Detections(*one) for one in found],
        [GroundTruth(*one) for one in truth],
    )


def _by_image(
    parts: dict[str, Array],
    columns: Sequence[str],
    counts: str,
    images: int,
    num_classes: int,
) -> list[list[Array]]:
    """Returns the columns of each image.

    Raises:
        ValueError: if they do not fit together
    """
    boxes, *others = arrays = [parts[name] for name in columns]
    numbers = parts[counts]
    class_ids = next(parts[name] for name in columns if name.endswith("class_ids"))
    is_valid = (
        boxes.shape == (len(boxes), 4)
        and all(one.shape == (len(boxes),) for one in others)
        and numbers.shape == (images,)
        and (numbers >= 0).all()
        and numbers.sum() == len(boxes)
        and np.isfinite(boxes).all()
        and ((class_ids >= 0) & (class_ids < num_classes)).all()
    )
    if not is_valid:
        raise ValueError(f"its {', '.join(columns)} do not fit together")
    ends = np.cumsum(numbers.astype(int))[:-1]
    by_column = [np.split(one, ends) for one in arrays]
    return [list(one) for one in zip(*by_column, strict=True)][:images]
