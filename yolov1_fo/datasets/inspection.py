"""Inspection of a dataset before training."""

from collections.abc import Sequence

from yolov1_fo.config import MAX_IMAGE_PIXELS, GridConfig, NetworkConfig, arguments
from yolov1_fo.datasets import (
    annotations,
    checks,
    class_lists,
    connection,
    findings,
    media_files,
)
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.findings import ObjectFindings
from yolov1_fo.datasets.inspection_report import InspectionReport


@connection.one_line_errors()
def inspect(
    samples: fo_samples.Samples,
    gt_field: str | None = "ground_truth",
    *,
    val_samples: fo_samples.Samples | None = None,
    S: int = GridConfig.S,
    image_size: int = NetworkConfig.image_size,
    tiny_px: float = 8.0,
    classes: Sequence[str] | None = None,
    decode: bool = False,
    num_workers: int = 0,
    max_image_pixels: int = MAX_IMAGE_PIXELS,
    media_field: str = media_files.FILEPATH,
) -> InspectionReport:
    """Finds problems of a dataset or view that affect training.

    Nothing is written, except by the report's `tag()` and `save_views()`. Splits are
    the tags train, val, validation and test.

    Args:
        samples: a FiftyOne dataset or view of images
        gt_field ("ground_truth"): its field of Detections; None inspects files only
        val_samples (None): files that are also in these are reported as shared
        S (7): grid cells per side; of two objects in a cell one is lost
        image_size (448): of the network's input, in pixels
        tiny_px (8): smaller objects are tiny, in pixels of the network's input
        classes (None): as in `train`
        decode (False): decodes every file, which also finds files that are damaged in
            the middle; otherwise only truncated files are found
        num_workers (0): threads; 0 uses one per core
        max_image_pixels (200 million): larger images are unreadable
        media_field (filepath): the field with the image files

    Raises:
        ValueError: if the collection, the field or a setting is not valid
    """
    # 1. Check and read.
    samples = fo_samples.ungrouped(samples)
    checks.check_images(samples)
    if gt_field is not None:
        checks.check_detections(samples, gt_field, "gt_field")
    if val_samples is not None:
        val_samples = fo_samples.ungrouped(val_samples, "val_samples")
        checks.check_images(val_samples)
    config = NetworkConfig(S=S, image_size=image_size)
    arguments.check_number("tiny_px", tiny_px, 0)
    names: list[str] = []
    if gt_field is not None:
        names = class_lists.classes_of(samples, gt_field, classes)
    records = annotations.read(samples, gt_field)
    if media_field != media_files.FILEPATH:
        files = media_files.read(samples, media_field, records.ids)
        records = records._replace(filepaths=files)
    objects = ObjectFindings(records, names)

    # 2. Find problems of objects and files.
    found = {
        "lost": objects.lost(config),
        "tiny": objects.tiny(tiny_px / image_size),
        "unknown": objects.unknown(),
        "degenerate": objects.degenerate(),
        "outside": objects.outside(),
        "unreadable": findings.find_unreadable(
            records, image_size, decode, num_workers, max_image_pixels
        ),
        "shared": findings.find_shared(samples, val_samples, media_field),
    }
    invalid = objects.invalid_boxes()
    per_image = objects.count_by_image()
    return InspectionReport(
        samples=samples,
        images=len(records.ids),
        objects=int(objects.learned.sum()),
        ignored=int(objects.ignored.sum()),
        empty=int((per_image == 0).sum()),
        classes=objects.count_by_class(names),
        most=int(per_image.max(initial=0)),
        grid=GridConfig(S=S, C=max(len(names), 1)),
        image_size=image_size,
        tiny_px=tiny_px,
        findings=found,
        notes=tuple(invalid.messages(str(gt_field), fo_samples.name(samples))),
    )
