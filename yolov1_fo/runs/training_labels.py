"""`training_labels.npz` in a run's folder: the labels that it is trained on.

They tell later which labels have changed since. The file is never published.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import fiftyone as fo
import numpy as np

from yolov1_fo import files
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import object_ids
from yolov1_fo.datasets.object_ids import ObjectIds

FILE = "training_labels.npz"
MAX_BYTES = 2**30
"""Largest file that is read."""


class TrainingLabels(NamedTuple):
    """The labels of a training.

    Attributes:
        objects: of both splits
        is_val: (N,) bool, whether each sample is in the validation split
    """

    objects: ObjectIds
    is_val: Array

    def sample_ids(self, *, val: bool) -> list[str]:
        """Returns the ids of the samples of the training or the validation split."""
        return self.objects.sample_ids[self.is_val == val].tolist()


def write(
    folder: Path,
    dataset: fo.Dataset,
    field: str,
    train_ids: Sequence[str],
    val_ids: Sequence[str],
) -> None:
    """Writes the labels of a training as they are now.

    Nothing is written for frames of videos, which are no samples of the dataset.

    Args:
        folder: of the run
        dataset: that it belongs to
        field: of Detections
        train_ids: samples of the training split
        val_ids: samples of the validation split

    Raises:
        OSError: if the file can't be written
    """
    ids = dict.fromkeys([*train_ids, *val_ids])
    objects = object_ids.read(dataset, field, ids)
    if len(objects.sample_ids) < len(ids):
        return
    is_val = np.isin(objects.sample_ids, np.array([*val_ids], str))
    with files.atomic_file(folder / FILE) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, is_val=is_val, **objects._asdict())


def read(folder: Path) -> TrainingLabels | None:
    """Returns what `write` wrote; None if there is no readable file.

    Runs of earlier versions have none. The file is in a folder that the user may have
    edited, so nothing in it is trusted.
    """
    path = folder / FILE
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:
            return None
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            objects = ObjectIds(*(stored[name] for name in ObjectIds._fields))
            found = TrainingLabels(objects, stored["is_val"])
    except Exception:  # NumPy and zipfile raise many kinds
        return None
    return found if _is_valid(found) else None


def _is_valid(found: TrainingLabels) -> bool:
    """Returns whether all parts have the types and lengths of `write`."""
    objects = found.objects
    kinds = [*(part.dtype.kind for part in objects), found.is_val.dtype.kind]
    if kinds != ["U", "i", "U", "U", "f", "b"]:
        return False
    n, k = len(objects.sample_ids), len(objects.label_ids)
    shapes = [*(part.shape for part in objects), found.is_val.shape]
    if shapes != [(n,), (n,), (k,), (k,), (k, 4), (n,)]:
        return False
    return bool((objects.counts >= 0).all() and objects.counts.sum() == k)
