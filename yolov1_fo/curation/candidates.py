"""The samples that `next_to_label` chooses from; never imports Keras."""

from typing import Any

from yolov1_fo.config import arguments
from yolov1_fo.curation import suggestion_field, whole_samples
from yolov1_fo.datasets import samples as fo_samples

TAG = "next_to_label"
"""Tag of the chosen samples."""


def check_tag(samples: fo_samples.Samples, tag: str) -> None:
    """Checks that no tag of a user is moved; only `TAG` is.

    Args:
        samples: a checked collection
        tag: for the chosen samples

    Raises:
        TypeError: if it is not a string
        ValueError: if it is another tag, and samples have it
    """
    arguments.check_string("tag", tag)
    used = 0 if tag == TAG else len(fo_samples.all_samples(samples).match_tags(tag))
    if used:
        raise ValueError(
            f"tag '{tag}' is on {used} samples of {fo_samples.name(samples)}, which "
            "would lose it; choose another, or remove it first"
        )


def split(samples: fo_samples.Samples, gt_field: str) -> tuple[Any, Any]:
    """Returns the samples that are not labeled and those that are, with all fields.

    A sample whose value is None is not labeled.

    Args:
        samples: a checked collection
        gt_field: field of Detections; may not exist yet

    Raises:
        TypeError: if its name is not a string
        ValueError: if it holds something else than Detections, or is read-only
    """
    whole = whole_samples.whole(samples)
    if not suggestion_field.check_gt_field(samples, gt_field):
        return whole, whole.limit(0)
    return whole.exists(gt_field, False), whole.exists(gt_field)
