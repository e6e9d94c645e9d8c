"""The input that leaves out samples of which the dataset check says so."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.datasets.inspection_report import LEAVE_OUT

from .. import dataset_values


def add_input(form: types.Object, samples: Any) -> None:
    """Adds the choice whether tagged samples are left out, if there are any.

    Args:
        form: the operator's form
        samples: the target
    """
    if LEAVE_OUT in dataset_values.tags(samples):
        count = len(samples.match_tags(LEAVE_OUT))
        plural = "" if count == 1 else "s"
        form.bool(
            "leave_out",
            label=f'Leave out {count} sample{plural} tagged "{LEAVE_OUT}"',
            description="The dataset check has tagged them",
            default=True,
        )


def kept(samples: Any, params: Mapping[str, Any]) -> Any:
    """Returns the samples without those that are left out.

    Args:
        samples: a dataset or view
        params: the inputs; samples are left out unless `leave_out` is False
    """
    if params.get("leave_out", True) and LEAVE_OUT in dataset_values.tags(samples):
        return samples.match_tags(LEAVE_OUT, bool=False)
    return samples
