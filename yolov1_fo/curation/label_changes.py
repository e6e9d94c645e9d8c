"""label_changes(samples, run_key): which labels have changed since a training."""

import os
from pathlib import Path
from typing import NamedTuple

import fiftyone as fo
import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.curation import whole_samples
from yolov1_fo.datasets import checks, connection, object_ids
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.object_ids import ObjectIds
from yolov1_fo.runs import records, registry, training_labels

TOLERANCE = 0.001
"""Relative; annotation tools that round boxes to pixels do not change them."""


class LabelChanges(NamedTuple):
    """What has changed in the labels since a training; prints as a line.

    Attributes:
        run_key: of the training
        new: number of objects that were not there
        changed: number of objects of another class or box
        deleted: number of objects that are not there any more
        samples: number of samples in which something has changed
    """

    run_key: str
    new: int
    changed: int
    deleted: int
    samples: int

    def __bool__(self) -> bool:
        return self.samples > 0

    def __str__(self) -> str:
        if not self:
            return f"no label has changed since run '{self.run_key}'"
        noun = "object" if self.new == 1 else "objects"
        where = "1 sample" if self.samples == 1 else f"{self.samples} samples"
        return (
            f"{self.new} new {noun}, {self.changed} changed and {self.deleted} deleted "
            f"since run '{self.run_key}', in {where}"
        )


@connection.one_line_errors()
def label_changes(
    samples: fo_samples.Samples,
    run: str | os.PathLike[str],
    gt_field: str | None = None,
) -> LabelChanges | None:
    """Compares labels with those that a run was trained and validated on.

    Objects of samples that the run did not have are new. Those of samples that were
    deleted are deleted; samples that a view leaves out are not compared. A box has
    changed if a corner has moved by more than a thousandth of the image's side.

    Args:
        samples: a FiftyOne dataset or view of images
        run: the run's key or folder
        gt_field (that of the run): field of Detections

    Returns:
        None if it is not known, as for runs of earlier versions

    Raises:
        TypeError: if an argument has the wrong type
        ValueError: if there is no such run, or the samples or the field do not fit
    """
    samples = whole_samples.checked(samples)
    dataset = whole_samples.dataset_of(samples)
    run_key = registry.find(dataset, run)
    folder = records.folder_of(dataset, run_key)
    then = None if folder is None else training_labels.read(Path(folder))
    if then is None:
        return None
    field = gt_field or records.info(dataset, run_key).gt_field
    checks.check_detections(whole_samples.whole(samples), field, "gt_field")
    ids = np.array(samples.values("id"), str)
    gone = _deleted_samples(dataset, then.objects.sample_ids, ids)
    is_compared = np.isin(then.objects.samples, np.concatenate([ids, gone]))
    return _compare(run_key, then.objects, is_compared, _now(dataset, field, ids))


def _now(dataset: fo.Dataset, field: str, ids: Array) -> ObjectIds:
    return object_ids.read(dataset, field, ids.tolist())


def _deleted_samples(dataset: fo.Dataset, then: Array, ids: Array) -> Array:
    """Returns the ids of samples that do not exist any more: (G,) str."""
    others = np.setdiff1d(then, ids)
    exist = np.array(dataset.select(others.tolist()).values("id"), str)
    return np.setdiff1d(others, exist)


def _compare(
    run_key: str, then: ObjectIds, is_compared: Array, now: ObjectIds
) -> LabelChanges:
    """Compares objects by their ids.

    Args:
        run_key: of the training
        then: its objects
        is_compared: (K,) bool, which of them are compared
        now: the objects as they are
    """
    rows = np.flatnonzero(is_compared)
    common, before, after = np.intersect1d(
        then.label_ids[rows], now.label_ids, return_indices=True
    )
    before = rows[before]
    moved = np.abs(then.boxes[before] - now.boxes[after]).max(axis=1, initial=0)
    is_other = (then.labels[before] != now.labels[after]) | (moved > TOLERANCE)
    is_deleted = is_compared & ~np.isin(then.label_ids, common)
    is_new = ~np.isin(now.label_ids, common)
    touched = [
        then.samples[is_deleted],
        now.samples[is_new],
        now.samples[after][is_other],
    ]
    return LabelChanges(
        run_key,
        int(is_new.sum()),
        int(is_other.sum()),
        int(is_deleted.sum()),
        len(np.unique(np.concatenate(touched))),
    )
