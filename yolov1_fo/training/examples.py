"""A FiftyOne collection as examples to learn from."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from yolov1_fo import images
from yolov1_fo.config import MAX_IMAGE_PIXELS, arguments
from yolov1_fo.datasets import annotations, checks, class_lists, connection, labels
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.box_faults import BoxFaults
from yolov1_fo.pipeline import batches
from yolov1_fo.pipeline.objects import Dropped, Objects

logger = logging.getLogger(__name__)


def load(
    samples: fo_samples.Samples, gt_field: str, classes: Sequence[str]
) -> batches.Listing:
    """Returns the files and objects of a checked collection.

    Boxes that can't be learned are told of.

    Raises:
        ValueError: if `classes` lacks a label, or all boxes are in pixels
    """
    ids: list[str] = []
    filepaths: list[str] = []
    parts = []
    faults = BoxFaults()
    for part in annotations.read_parts(samples, gt_field):
        boxes = labels.read_boxes(part.bounding_boxes)
        found = labels.from_detections(part.labels, boxes, part.ignored, classes)
        faults += BoxFaults.of(
            boxes.faults, boxes.image, part.bounding_boxes, part.filepaths
        )
        if found[2].other_class:
            _refuse(samples, gt_field, classes)
        ids += part.ids
        filepaths += part.filepaths
        parts.append(found)
    faults.tell(gt_field, fo_samples.name(samples))
    objects, ignored, counts = zip(*parts, strict=True)
    dropped = Dropped(*(sum(count) for count in zip(*counts, strict=True)))
    return batches.Listing(
        ids, filepaths, Objects.join(objects), Objects.join(ignored), dropped
    )


def _refuse(
    samples: fo_samples.Samples, gt_field: str, classes: Sequence[str]
) -> NoReturn:
    lacking = sorted(
        {
            str(label)
            for part in annotations.read_parts(samples, gt_field)
            for row in part.labels
            for label in row
            if label is not None
        }
        - set(classes)
    )
    own, where = class_lists.own_classes(samples, gt_field)
    what = f"labels of '{gt_field}' on {fo_samples.name(samples)}: {', '.join(lacking)}"
    if own == list(classes):
        raise ValueError(
            f"{where} lacks {what}; add them there, pass classes=, or filter the view"
        )
    raise ValueError(f"classes lack {what}; add them, or filter the view")


def tell_unused(
    listing: batches.Listing, classes: Sequence[str], gt_field: str
) -> None:
    """Warns of classes that no object is of."""
    used = set(listing.objects.class_ids.tolist())
    unused = [name for number, name in enumerate(classes) if number not in used]
    if unused:
        logger.warning(
            "%d of %d classes have no objects in '%s': %s",
            *(len(unused), len(classes), gt_field, ", ".join(unused)),
        )


@connection.answering()
def to_tf_dataset(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    *,
    classes: Sequence[str] | None = None,
    image_size: int = 448,
    batch_size: int = 16,
    shuffle: bool = False,
    seed: int = 0,
    epochs: int = 1,
    drop_remainder: bool = False,
    num_workers: int = 0,
    max_image_pixels: int = MAX_IMAGE_PIXELS,
) -> Any:
    """Returns a `tf.data.Dataset` of uint8 images with padded boxes, for your own loop.

    Images that are missing, cut or can't be decoded are skipped and named.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): its field of Detections
        classes (None): names in the order of their ids; by default the dataset's
        image_size (448): images are squashed to side x side, in pixels
        batch_size (16): images a batch
        shuffle (False): another order each epoch
        seed (0): of the order
        epochs (1): passes over the samples
        drop_remainder (False): leaves out a last batch that is not full
        num_workers (0): threads that decode; 0 takes one a core
        max_image_pixels (200 million): an image of more pixels is left out

    Returns:
        batches `{"images": (N, H, W, 3) uint8, "boxes": (N, M, 4) float32 xyxy
        relative, "class_ids": (N, M) int32, -1 = no object}`

    Raises:
        ValueError: if the collection, the field or a class does not fit
    """
    samples = fo_samples.flat(samples)
    checks.check_labelled(samples, gt_field, "gt_field")
    for argument, value in (("image_size", image_size), ("batch_size", batch_size)):
        arguments.check_whole(argument, value, 1)
    names = class_lists.classes_of(samples, gt_field, classes)
    listing = load(samples, gt_field, names)
    tell_unused(listing, names, gt_field)
    listing, bad = batches.readable(listing, num_workers, max_image_pixels)
    for path, fault in bad.items():
        logger.warning("skipped: %s", images.told(path, fault))
    n = len(listing.filepaths)

    def rows() -> Iterator[int]:
        for epoch in range(epochs):
            shown = batches.order(n, seed, epoch) if shuffle else np.arange(n)
            yield from shown[: n // batch_size * batch_size if drop_remainder else n]

    return batches.stream(
        listing,
        rows,
        image_size=image_size,
        batch_size=batch_size,
        width=max(listing.objects.most(), 1),
        drop_remainder=drop_remainder,
        num_workers=num_workers,
        max_pixels=max_image_pixels,
    )
