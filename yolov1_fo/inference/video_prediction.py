"""Applies a model to all frames of videos."""

import itertools
import logging
from collections.abc import Callable, Iterator
from typing import Any

import eta.core.video as etav
import fiftyone.core.utils as fou

from yolov1_fo import images
from yolov1_fo.boxes import Array
from yolov1_fo.config import MAX_PREDICTION_BATCH, arguments
from yolov1_fo.datasets import checks
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.pipeline import tiling

logger = logging.getLogger(__name__)


def apply_to_videos(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    label_field: str,
    batch_size: int,
    progress: bool | Callable[..., Any] | None,
    *,
    about: dict[str, Any],
    tiles: int = 0,
    store_logits: bool = False,
) -> dict[str, str]:
    """Writes the model's detections to a field of the frames.

    Args:
        samples: a collection of videos
        model: from `load_model`
        label_field: created if it does not exist
        batch_size: frames per forward pass
        progress: as in FiftyOne
        about: the model, for `predicted_by.record`
        tiles (0): number of tiles per side that each frame is followed by
        store_logits (False): whether each object gets its class logits

    Returns:
        videos that could not be read to their end, with what is wrong with each

    Raises:
        ValueError: if an argument is invalid
    """
    arguments.check_integer("batch_size", batch_size, 1, MAX_PREDICTION_BATCH)
    checks.check_videos(samples)
    gt_field = model.metadata.get("gt_field")
    output = PredictionsField(
        *(samples, label_field),
        gt_field=gt_field,
        model=about,
        has_logits=store_logits,
    )
    ids, filepaths = samples.values(["id", "filepath"])
    faults = {}
    with fou.ProgressBar(total=len(ids), progress=progress) as progress_bar:
        for sample_id, path in zip(ids, filepaths, strict=True):
            try:
                frames = [*_documents(path, model, batch_size, tiles, store_logits)]
            except OSError as error:
                faults[path] = str(error)
                logger.warning("'%s': %s", path, error)
            else:
                output.replace_frames(sample_id, frames)
            progress_bar.update()
    if output.is_declared:
        is_whole = len(ids) - len(faults) == len(fo_samples.all_samples(samples))
        output.record(replaces=is_whole)
    return faults


def _documents(
    path: str, model: YOLOv1Model, batch_size: int, tiles: int, store_logits: bool
) -> Iterator[dict[str, Any]]:
    """Yields the detections of each frame of a video, as the database stores them.

    Raises:
        OSError: if it can't be read to its end
    """
    for frames in _frames(path, max(batch_size // tiling.count(tiles), 1)):
        pixels, windows = model.inputs(frames, tiles)
        yield from model.documents_of(
            *(model.forward(pixels), windows), tiles=tiles, store_logits=store_logits
        )


def _frames(path: str, batch_size: int) -> Iterator[list[Array]]:
    """Yields the frames of a video in batches.

    Raises:
        OSError: if it can't be read to its end
    """
    fault = images.path_fault(path)
    if fault is not None:
        raise OSError(fault)
    count = 0
    try:
        with etav.FFmpegVideoReader(path) as reader:
            frames = iter(reader)
            while batch := list(itertools.islice(frames, batch_size)):
                count += len(batch)
                yield batch
                if len(batch) < batch_size:
                    break  # the reader fails when it is asked for more frames
    except Exception as error:  # ffmpeg raises errors of many types
        raise OSError(" ".join(str(error).split())) from error
    if not count:
        raise OSError("has no readable frames")
