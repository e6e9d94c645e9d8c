"""The inputs of Train YOLOv1 that continue from a run, with the labels as they are."""

from typing import Any

from yolov1_fo.curation import run_splits
from yolov1_fo.runs import records, registry
from yolov1_fo.training.tasks import DETECT

from ..names import PLUGIN
from . import form_widgets, splits, start_from

TRAIN = f"{PLUGIN}/train_model"
"""The operator."""
TEST_TAG = "test"
"""Samples with this tag are not trained on."""
NO_RUN = "No training has ended yet; run 'Train YOLOv1' first"


def inputs(dataset: Any, run_key: str | None = None) -> dict[str, Any]:
    """Returns the run as the start, its field, its splits, and the whole dataset.

    Samples that were labeled since, and have no tag of either split, are trained on.

    Args:
        dataset: of the run
        run_key (None): its key; the newest run of a detector if None

    Raises:
        ValueError: if no training has ended, or the run does not exist
    """
    run_key = run_key or _newest(dataset)
    gt_field = str(records.info(dataset, run_key).gt_field)
    return {
        "weights": run_key,
        "gt_field": gt_field,
        **_split(dataset, run_key, gt_field),
        form_widgets.VIEW_TARGET: "DATASET",
    }


def _newest(dataset: Any) -> str:
    """Returns the newest run of a detector that a training can start from."""
    for key in start_from.choices(dataset):
        is_run = registry.exists(dataset, key)
        task = getattr(records.info(dataset, key), "task", None) if is_run else ""
        if task in (None, DETECT.name):
            return key
    raise ValueError(NO_RUN)


def _split(dataset: Any, run_key: str, gt_field: str) -> dict[str, str]:
    """Returns the inputs of the split; none if its parts are no tags."""
    found = run_splits.find(dataset, run_key)
    if found.is_put_aside:
        return {"split": "auto"}
    if not found.has_val:
        return {"split": "none"}
    if not found.val_tag:
        return {}
    tags = [tag for tag in (found.train_tag, found.val_tag) if tag]
    others = dataset.exists(gt_field).match_tags(tags, bool=False)
    has_new = len(others) and not len(others.match_tags(TEST_TAG))
    train_tag = splits.OTHERS if has_new else found.train_tag or splits.OTHERS
    return {"split": "tags", "train_tag": train_tag, "val_tag": found.val_tag}
