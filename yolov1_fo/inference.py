"""apply(samples, model, ...): the same detections as `apply_model`, read ahead."""

import itertools
import logging
from collections.abc import Callable
from typing import Any

import fiftyone.core.media as fomm
import fiftyone.core.utils as fou
import numpy as np

from yolov1_fo import reading
from yolov1_fo import samples as fo_samples
from yolov1_fo.model import YOLOv1Model

logger = logging.getLogger(__name__)

WRITE_EVERY = 1000
"""Predictions are written in one go for so many samples."""


def apply(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    label_field: str = "predictions",
    *,
    batch_size: int = 16,
    skip_existing: bool = False,
    workers: int = 0,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes what the model finds into a field of the samples.

    Files are decoded by threads while the network computes, and predictions are written
    in bulk. A file that can't be read costs only itself; a cut one is predicted as far
    as it goes, as `apply_model` does; both are listed.

    Of videos each frame is predicted; what the field held there before is replaced.

    Args:
        samples: a FiftyOne dataset or view of images or videos
        model: from `load_model`
        label_field ("predictions"): is made if it does not exist
        batch_size (16): images a forward pass
        skip_existing (False): leaves samples alone that have the field
        workers (0): threads that decode; 0 takes one a core
        progress (None): FiftyOne's: True, False, its default, or a callback

    Returns:
        image files that could not be read or are cut, and what is wrong with each

    Raises:
        ValueError: if the collection, the field or `batch_size` does not fit
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    if samples.media_type == fomm.VIDEO:
        return _apply_to_videos(
            samples, model, label_field, batch_size, skip_existing, progress
        )
    fo_samples.check_images(samples)
    fo_samples.check_output(samples, label_field)
    if skip_existing and samples.has_field(label_field):
        samples = samples.exists(label_field, False)
    ids, filepaths = samples.values(["id", "filepath"])
    faults = reading.find_bad(filepaths, workers)
    reads = reading.read_all(
        filepaths,
        model.side,
        workers=workers,
        ahead=4 * batch_size,
        align_corners=model.config.darknet,
    )
    found: dict[str, Any] = {}
    with fou.ProgressBar(total=len(ids), progress=progress) as bar:
        rows = zip(ids, filepaths, reads, strict=True)
        while batch := list(itertools.islice(rows, batch_size)):
            good = {}
            for sample_id, path, read in batch:
                if read.image is None:
                    faults[path] = str(read.fault)
                else:
                    good[sample_id] = read.image
            if good:
                predicted = model.predict_pixels(np.stack(list(good.values())))
                found |= dict(zip(good, predicted, strict=True))
            bar.update(len(batch))
            if len(found) >= WRITE_EVERY:
                _write(samples, label_field, found)
                found = {}
        _write(samples, label_field, found)
    for path, fault in faults.items():
        logger.warning("'%s': %s", path, fault)
    return faults


def _apply_to_videos(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    label_field: str,
    batch_size: int,
    skip_existing: bool,
    progress: bool | Callable[..., Any] | None,
) -> dict[str, str]:
    fo_samples.check_videos(samples)
    label_field = label_field.removeprefix("frames.")
    fo_samples.check_output(samples, f"frames.{label_field}")
    if skip_existing:
        raise ValueError("skip_existing is for images; a video is predicted as a whole")
    ids, filepaths = samples.values(["id", "filepath"])
    faults = {}
    with fou.ProgressBar(total=len(ids), progress=progress) as bar:
        for sample_id, path in zip(ids, filepaths, strict=True):
            video = samples.select(sample_id)
            if samples.has_frame_field(label_field):
                video.clear_frame_field(label_field)
            try:
                video.apply_model(
                    model,
                    label_field,
                    batch_size=batch_size,
                    skip_failures=False,
                    progress=False,
                )
            except Exception as error:  # of ffmpeg, in many kinds
                faults[path] = " ".join(str(error).split())
                logger.warning("'%s': %s", path, faults[path])
            bar.update()
    return faults


def _write(
    samples: fo_samples.Samples, label_field: str, found: dict[str, Any]
) -> None:
    if found:
        samples.set_values(label_field, found, key_field="id", progress=False)
