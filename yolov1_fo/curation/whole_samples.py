"""The samples whose labels are mended, with everything that a view hides of them.

A view may filter labels or exclude fields. What it hides exists: a prediction would
seem to lack its object, and an object would be suggested twice.
"""

from typing import Any

import fiftyone as fo

from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.datasets import samples as fo_samples


def checked(samples: fo_samples.Samples, *, may_be_empty: bool = False) -> Any:
    """Returns a collection of images; of a grouped one, its active slice.

    Args:
        samples: the value of the argument
        may_be_empty (False): a view may have no samples

    Raises:
        TypeError: if it is not a dataset or view
        ValueError: if it shows patches, clips or frames, holds no images, or is empty
    """
    samples = fo_samples.ungrouped(samples)
    if fo_samples.is_frames_view(samples):
        raise ValueError(
            f"{fo_samples.name(samples)} shows frames of videos, whose labels can't be "
            "mended here; save them as a dataset of images first: samples.clone(...)"
        )
    is_view = type(samples) is fo.DatasetView  # not of patches
    if may_be_empty and is_view and fo_samples.is_empty(samples):
        checks.check_images(fo_samples.all_samples(samples))
    else:
        checks.check_images(samples)
    return samples


def whole(samples: fo_samples.Samples) -> Any:
    """Returns the samples of a checked collection, with all their fields and labels.

    They are in the order of the dataset.
    """
    everything = fo_samples.all_samples(samples)
    if isinstance(samples, fo.Dataset):
        return everything
    return everything.select(samples.values("id"))


def dataset_of(samples: fo_samples.Samples) -> fo.Dataset:
    """Returns the dataset of a collection."""
    return fiftyone_private.root_dataset(samples)
