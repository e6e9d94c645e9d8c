"""The training and validation splits as files and objects, read from FiftyOne."""

import logging
from collections.abc import Sequence
from typing import NoReturn

from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import (
    annotations,
    class_lists,
    fiftyone_boxes,
    media_files,
    sample_weights_field,
)
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.invalid_boxes import InvalidBoxes
from yolov1_fo.pipeline import sampling
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.pipeline.objects import Dropped, RaggedBoxes
from yolov1_fo.training.tasks import CLASSIFY, DETECT, Task

logger = logging.getLogger(__name__)

UNLABELED = (
    "%s: %d samples without '%s' count as images without objects; samples.exists('%s') "
    "leaves them out"
)


def check(
    task: Task,
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    field: str,
) -> None:
    """Raises a ValueError unless both splits have images with labels for the task."""
    task.check(samples, field, task.argument)
    if val_samples is not None:
        task.check(val_samples, field, f"{task.argument} of val_samples")


def splits(
    task: Task,
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    field: str,
    classes: Sequence[str],
    config: TrainConfig,
) -> tuple[Listing, Listing | None]:
    """Returns the training split, and the validation split if there is one.

    Unused classes, and images that are in both splits, are logged as warnings.

    Raises:
        ValueError: if a split has no objects, or a label that is not in `classes`, or
            `sample_weights` names no field of usable numbers, or `media_field` no files
        ImportError: if a package is missing that URLs in `media_field` need
    """
    sample_weights, media_field = config.sample_weights, config.media_field
    train = _split(task, samples, field, classes, "train", media_field)
    if sample_weights not in ("", sampling.BALANCED):
        weights = sample_weights_field.read(samples, sample_weights, train.ids)
        train = train._replace(weights=weights)
    warn_of_unused(train, classes, field)
    if val_samples is None:
        return train, None
    validation = _split(task, val_samples, field, classes, "val", media_field)
    shared = set(train.filepaths) & set(validation.filepaths)
    if shared:
        logger.warning(
            "val_samples shares %d of its %d images with samples: its metrics will be "
            "inflated",
            len(shared),
            len(validation.filepaths),
        )
    return train, validation


def _split(
    task: Task,
    samples: fo_samples.Samples,
    field: str,
    classes: Sequence[str],
    name: str,
    media_field: str,
) -> Listing:
    """Returns a split in the order of its sample ids, whatever the view's order."""
    listing = load(samples, field, classes, media_field)
    if not len(listing.objects.class_ids):
        raise ValueError(
            f"'{field}' on {fo_samples.name(samples)} has no objects to "
            f"{'learn from' if name == 'train' else 'validate on'}"
        )
    dropped = listing.dropped
    logger.log(
        logging.WARNING if dropped.degenerate or dropped.unlabeled else logging.INFO,
        "%s: %d images, %d objects%s",
        name,
        len(listing.filepaths),
        len(listing.objects.class_ids),
        _left_out(dropped),
    )
    if task is DETECT and (count := annotations.unlabeled_count(samples, field)):
        logger.warning(UNLABELED, name, count, field, field)
    rows = sorted(range(len(listing.ids)), key=listing.ids.__getitem__)
    if task is CLASSIFY:  # an image without a label has no target
        rows = [row for row in rows if len(listing.objects.of_image(row)[1])]
    return listing.take(rows)


def _left_out(dropped: Dropped) -> str:
    """Returns how many objects are left out, and why; empty if none are."""
    counts = {
        "ignored": dropped.ignored,
        "without area": dropped.degenerate,
        "without label": dropped.unlabeled,
    }
    parts = [f"{count} {reason}" for reason, count in counts.items() if count]
    return f"; left out {', '.join(parts)}" if parts else ""


def load(
    samples: fo_samples.Samples,
    gt_field: str,
    classes: Sequence[str],
    media_field: str = media_files.FILEPATH,
) -> Listing:
    """Returns the files and objects of a checked collection; logs invalid boxes.

    Args:
        samples: a checked collection
        gt_field: its field of labels
        classes: names in the order of their ids
        media_field (filepath): its field with the image files

    Raises:
        ValueError: if `classes` lacks a label, or all boxes are in pixels
    """
    ids: list[str] = []
    filepaths: list[str] = []
    parts = []
    faults = InvalidBoxes()
    for part in annotations.read_parts(samples, gt_field):
        boxes = fiftyone_boxes.read_boxes(part.bounding_boxes)
        found = fiftyone_boxes.from_detections(
            part.labels, boxes, part.ignored, classes
        )
        faults += InvalidBoxes.count(
            boxes.faults, boxes.image, part.bounding_boxes, part.filepaths
        )
        if found[2].other_class:
            _refuse(samples, gt_field, classes)
        ids += part.ids
        filepaths += part.filepaths
        parts.append(found)
    faults.warn(gt_field, fo_samples.name(samples))
    if media_field != media_files.FILEPATH:
        filepaths = media_files.read(samples, media_field, ids)
    objects, ignored, counts = zip(*parts, strict=True)
    dropped = Dropped(*(sum(count) for count in zip(*counts, strict=True)))
    return Listing(
        ids,
        filepaths,
        RaggedBoxes.concatenate(objects),
        RaggedBoxes.concatenate(ignored),
        dropped,
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


def warn_of_unused(listing: Listing, classes: Sequence[str], gt_field: str) -> None:
    """Logs classes without an object."""
    used = set(listing.objects.class_ids.tolist())
    unused = [name for number, name in enumerate(classes) if number not in used]
    if unused:
        logger.warning(
            "%d of %d classes have no objects in '%s': %s",
            *(len(unused), len(classes), gt_field, ", ".join(unused)),
        )
