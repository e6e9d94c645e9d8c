"""The inputs that leave out samples: of the dataset check, and those without labels."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.config.plurals import counted
from yolov1_fo.datasets import annotations
from yolov1_fo.datasets.inspection_report import LEAVE_OUT

from .. import dataset_values


def add_input(form: types.Object, samples: Any, gt_field: str) -> None:
    """Adds the choice whether samples are left out, if there are any.

    Args:
        form: the operator's form
        samples: the target
        gt_field: field of Detections
    """
    if LEAVE_OUT in dataset_values.tags(samples):
        count = len(samples.match_tags(LEAVE_OUT))
        form.bool(
            "leave_out",
            label=f'Leave out {counted(count, "sample")} tagged "{LEAVE_OUT}"',
            description="The dataset check has tagged them",
            default=True,
        )
    if count := _unlabeled_count(samples, gt_field):
        form.bool(
            "leave_out_unlabeled",
            label=f"Leave out {counted(count, 'sample')} without labels",
            description="Otherwise they are trained on as images without objects",
            default=True,
        )


def kept(samples: Any, params: Mapping[str, Any]) -> Any:
    """Returns the samples without those that are left out.

    Args:
        samples: a dataset or view
        params: the inputs; samples are left out unless `leave_out` and
            `leave_out_unlabeled` are False
    """
    if params.get("leave_out", True) and LEAVE_OUT in dataset_values.tags(samples):
        samples = samples.match_tags(LEAVE_OUT, bool=False)
    gt_field = params.get("gt_field") or ""
    is_left_out = params.get("leave_out_unlabeled", True)
    if is_left_out and _unlabeled_count(samples, gt_field):
        samples = samples.exists(gt_field)
    return samples


def _unlabeled_count(samples: Any, gt_field: str) -> int:
    """Returns the number of samples without labels; 0 if the field does not exist."""
    if not samples.has_field(gt_field):
        return 0
    count: int = dataset_values.computed(
        samples,
        ("unlabeled", gt_field),
        lambda: annotations.unlabeled_count(samples, gt_field),
    )
    return count
