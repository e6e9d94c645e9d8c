"""How often the images of a training split are drawn, as the settings ask."""

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.objects import RaggedBoxes
from yolov1_fo.pipeline.shuffling import Sampler

BALANCED = "balanced"
NO_OBJECTS = -1
"""Group of the images without objects."""


def make_sampler(
    listing: Listing, sample_weights: str = "", negative_fraction: float = 0.0
) -> Sampler | None:
    """Returns what draws the images of a split; None if each is used once per epoch.

    An image without objects has neither targets nor objects that are ignored: a crowd
    is not background.

    Args:
        listing: the split, with `weights` if `sample_weights` names a field
        sample_weights (none): `balanced`, or the name of a field of the samples
        negative_fraction (0): share of the images without objects; 0 leaves it

    Raises:
        ValueError: if all weights are 0, or no image has objects, or none has none
    """
    if not sample_weights and not negative_fraction:
        return None
    n = len(listing.ids)
    weights, groups = np.full(n, 1.0), np.zeros(n, np.int64)
    if sample_weights == BALANCED:
        weights, groups = _balanced(listing)
    elif listing.weights is not None:
        weights = np.asarray(listing.weights, np.float64)
    if not weights.sum() > 0:
        raise ValueError(
            f"sample_weights '{sample_weights}' must be above 0 for some of the "
            f"{n} readable images, got 0 for all"
        )
    if negative_fraction:
        is_empty = _counts(listing.objects) + _counts(listing.ignored) == 0
        groups = np.where(is_empty, NO_OBJECTS, groups)
        weights = _with_share(weights, is_empty, negative_fraction)
    return Sampler(weights / weights.sum(), groups)


def _counts(objects: RaggedBoxes) -> Array:
    return np.diff(objects.offsets)


def _balanced(listing: Listing) -> tuple[Array, Array]:
    """Returns the weight of each image, and its rarest class as its group.

    The weight is the inverse frequency of the rarest class in the image, as in LVIS'
    repeat factor sampling: with a mean over its classes, a class that only stands among
    frequent ones would stay rare. Images without targets keep their natural share.

    Source: Gupta et al., LVIS, 2019, section 5.3
    """
    objects, n = listing.objects, len(listing.ids)
    counts = _counts(objects)
    image = np.repeat(np.arange(n), counts)
    image, class_ids = np.unique(np.stack([image, objects.class_ids]), axis=1)
    frequency = np.bincount(class_ids)  # in images
    rarest_last = np.argsort(-frequency[class_ids], kind="stable")
    weights, groups = np.zeros(n), np.full(n, NO_OBJECTS, np.int64)
    for row in rarest_last:  # the last one stays
        weights[image[row]] = 1 / frequency[class_ids[row]]
        groups[image[row]] = class_ids[row]
    has_targets = counts > 0
    weights *= has_targets.sum() / max(weights.sum(), 1e-300)
    return np.where(has_targets, weights, 1.0), groups


def _with_share(weights: Array, is_empty: Array, share: float) -> Array:
    """Returns weights of which images without objects have a share."""
    for kind, part in (("without", is_empty), ("with", ~is_empty)):
        if not part.any():
            raise ValueError(
                f"negative_fraction {share} needs images {kind} objects, got none "
                f"among the {len(weights)} readable training images"
            )
        if not weights[part].sum() > 0:
            raise ValueError(
                f"negative_fraction {share} needs images {kind} objects whose "
                "sample_weights are above 0, got 0 for all"
            )
    return np.where(
        is_empty,
        weights * (share / weights[is_empty].sum()),
        weights * ((1 - share) / weights[~is_empty].sum()),
    )
