"""What has changed since the run that a training starts from, for its form."""

from collections.abc import Mapping
from typing import Any

import fiftyone.operators.types as types

from yolov1_fo.curation import label_changes, run_splits
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.runs import registry
from yolov1_fo.training.starting_weights import Source

from .. import dataset_values
from . import form_widgets, splits


def add(
    form: types.Object, samples: Any, params: Mapping[str, Any], source: Source | None
) -> None:
    """Adds a line about changed labels, and a warning if validation samples are known.

    Args:
        form: the operator's form
        samples: the target
        params: the inputs, completed by `splits.add_inputs`
        source: what the training starts from; nothing is added unless it is a run of
            this dataset
    """
    dataset = fiftyone_private.root_dataset(samples)
    if source is None or not registry.exists(dataset, source.weights):
        return
    key, field = source.weights, params["gt_field"]
    form_widgets.add_notice(form, "label_changes", line(samples, key, field))
    _, val, *_ = splits.preview(samples, dict(params))
    learned = 0 if val is None else run_splits.trained_on(dataset, key, val)
    if learned:
        text = (
            f"Run '{key}' was trained on {learned:,} of the validation samples: the "
            "validation mAP will be overestimated; choose the splits of that run"
        )
        form_widgets.add_notice(form, "known_val", text, is_warning=True)


def line(samples: Any, run_key: str, gt_field: str) -> str:
    """Returns how many labels have changed since a run, as a sentence.

    Args:
        samples: a dataset or view
        run_key: of the run
        gt_field: field of Detections
    """

    def compute() -> str:
        changes = label_changes.label_changes(samples, run_key, gt_field)
        if changes is None:
            return f"It is not known which labels have changed since run '{run_key}'"
        text = str(changes)
        return f"{text[0].upper()}{text[1:]}"

    shown, error = form_widgets.attempt(
        lambda: dataset_values.computed(
            samples, ("changes", run_key, gt_field), compute
        )
    )
    return shown or error
