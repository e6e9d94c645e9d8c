"""The images and objects of a split in numbers, which a run keeps for its report."""

from typing import Any

import numpy as np

from yolov1_fo.pipeline.listing import Listing

SIZE_BINS = 20
"""Number of bins of object sizes, of 5 % of the image's side each."""


def summarize(listing: Listing, num_classes: int) -> dict[str, Any]:
    """Returns a summary of a split, as JSON.

    Args:
        listing: the readable images of the split
        num_classes: C

    Returns:
        images; without_objects, the number of images without an object; objects, the
        number of objects of each class; sizes, the number of objects in `SIZE_BINS`
        bins of their size, which is the square root of their area relative to the image
    """
    objects = listing.objects
    sides = objects.boxes[:, 2:] - objects.boxes[:, :2]
    sizes = np.sqrt(np.clip(sides, 0, 1).prod(axis=-1))
    per_class = np.bincount(objects.class_ids, minlength=num_classes)
    return {
        "images": len(listing.ids),
        "without_objects": int(np.count_nonzero(np.diff(objects.offsets) == 0)),
        "objects": per_class.tolist(),
        "sizes": np.histogram(sizes, SIZE_BINS, (0, 1))[0].tolist(),
    }
