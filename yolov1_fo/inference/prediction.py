"""apply(samples, model, ...): the same detections as `apply_model`, read ahead."""

import collections
import itertools
import logging
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import eta.core.video as etav
import fiftyone.core.media as fomm
import fiftyone.core.utils as fou
import numpy as np

from yolov1_fo import decode, images
from yolov1_fo.boxes import Array
from yolov1_fo.config import arguments
from yolov1_fo.datasets import checks, connection, labels, output_fields
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.model.yolov1_model import YOLOv1Model
from yolov1_fo.pipeline import image_loading

logger = logging.getLogger(__name__)

AHEAD = 2
"""So many batches are with the device while an earlier one is made into detections."""


@connection.answering()
def apply(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    label_field: str = "predictions",
    *,
    batch_size: int = 16,
    skip_existing: bool = False,
    num_workers: int = 0,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes what the model finds into a field of the samples.

    Files are decoded by threads while the network computes, and predictions are written
    in bulk. A file that can't be read costs only itself; a cut one is predicted as far
    as it goes, as `apply_model` does; both are listed.

    Of videos each frame is predicted; when all frames of one are, what the field held
    there before is replaced. What is found in a view of frames is written to the frames
    of the videos.

    Predictions of a field are replaced, other values never: a field that a view hides
    or that another process has made counts, and so do objects without confidence, as
    annotations are. If an error ends it, what was found so far is kept.

    Args:
        samples: a FiftyOne dataset or view of images or videos; of groups the active
            slice
        model: from `load_model`
        label_field ("predictions"): is made if it does not exist
        batch_size (16): images a forward pass
        skip_existing (False): leaves samples alone that have the field
        num_workers (0): threads that decode; 0 takes one a core
        progress (None): FiftyOne's: True, False, its default, or a callback

    Returns:
        image files that could not be read or are cut, and what is wrong with each

    Raises:
        TypeError: if `samples` is no collection, or `model` none of ours
        ValueError: if the collection, the field or `batch_size` does not fit, or the
            field holds anything but predictions
    """
    arguments.check_true_or_false("skip_existing", skip_existing)
    samples = fo_samples.flat(samples, kinds=(fomm.IMAGE, fomm.VIDEO))
    check_model(model)
    if samples.media_type == fomm.VIDEO:
        return _apply_to_videos(
            samples, model, label_field, batch_size, skip_existing, progress
        )
    checks.check_images(samples)
    output = output_fields.detections(samples, label_field, replaces=not skip_existing)
    done = output.filled() if skip_existing else set()
    with (
        Pass(samples, model, batch_size, num_workers, progress, skip=done) as said,
        output,
    ):
        for ids, y_pred in said:
            for sample_id, found in zip(ids, model.detected(y_pred), strict=True):
                output.add(sample_id, labels.to_document(*found, model.classes))
    return said.faults


def check_model(model: YOLOv1Model) -> None:
    """Raises a TypeError unless `load_model` has made the model."""
    if not isinstance(model, YOLOv1Model):
        said = repr(model) if isinstance(model, str) else f"a {type(model).__name__}"
        load = repr(model) if isinstance(model, str) else "..."
        raise TypeError(
            f"model must be a YOLOv1Model, got {said}; yolov1_fo.load_model({load}) "
            "loads one"
        )


class Pass:
    """One pass of images through a network, read ahead.

    Within `with` it yields sample ids with what the network says of them, (N, outputs);
    the next batches are under way meanwhile. At its end it names bad files.

    Args:
        samples: a checked collection of images
        model: from `load_model`
        batch_size: images a forward pass
        num_workers: threads that decode; 0 takes one a core
        progress: FiftyOne's
        skip: ids of samples that are left out

    Attributes:
        faults: image files that could not be read or are cut, and what is wrong
    """

    def __init__(
        self,
        samples: fo_samples.Samples,
        model: YOLOv1Model,
        batch_size: int,
        num_workers: int = 0,
        progress: bool | Callable[..., Any] | None = None,
        skip: Collection[str] = (),
    ) -> None:
        arguments.check_whole("batch_size", batch_size, 1)
        self.model, self.batch_size, self.num_workers = model, batch_size, num_workers
        ids, filepaths = samples.values(["id", "filepath"])
        rows = [row for row, sample_id in enumerate(ids) if sample_id not in skip]
        self.ids, self.filepaths = (
            [some[row] for row in rows] for some in (ids, filepaths)
        )
        self.faults: dict[str, str] = {}
        self.bar = fou.ProgressBar(total=len(self.ids), progress=progress)

    def __iter__(self) -> Iterator[tuple[list[str], Array]]:
        reads = image_loading.read_all(
            self.filepaths,
            self.model.image_size,
            num_workers=self.num_workers,
            ahead=4 * self.batch_size,
            align_corners=self.model.config.darknet,
            max_pixels=self.model.config.max_image_pixels,
        )
        rows = zip(self.ids, self.filepaths, reads, strict=True)
        batches = _batches(rows, self.batch_size, self.faults, self.bar)
        return _predicted(batches, self.model)

    def __enter__(self) -> Self:
        self.bar.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.bar.__exit__(*error)
        for path, fault in self.faults.items():
            logger.warning("%s", images.told(path, fault))


def _batches(
    rows: Iterator[tuple[str, str, image_loading.Read]],
    batch_size: int,
    faults: dict[str, str],
    bar: Any,
) -> Iterator[tuple[list[str], Array]]:
    """Yields sample ids with their pixels; notes what could not be read."""
    while batch := list(itertools.islice(rows, batch_size)):
        faults |= {path: str(read.fault) for _, path, read in batch if read.fault}
        good = {key: read.image for key, _, read in batch if read.image is not None}
        if good:
            yield list(good), np.stack(list(good.values()))
        bar.update(len(batch))


def _predicted(
    batches: Iterator[tuple[list[str], Array]], model: YOLOv1Model
) -> Iterator[tuple[list[str], Array]]:
    """Yields sample ids with what the network says; the next batches are under way."""
    with ThreadPoolExecutor(1) as device:
        waiting: collections.deque[tuple[list[str], Future[Array]]] = (
            collections.deque()
        )
        for ids, pixels in batches:
            waiting.append((ids, device.submit(model.forward, pixels)))
            if len(waiting) > AHEAD:
                first, said = waiting.popleft()
                yield first, said.result()
        for first, said in waiting:
            yield first, said.result()


def _apply_to_videos(
    samples: fo_samples.Samples,
    model: YOLOv1Model,
    label_field: str,
    batch_size: int,
    skip_existing: bool,
    progress: bool | Callable[..., Any] | None,
) -> dict[str, str]:
    arguments.check_whole("batch_size", batch_size, 1)
    checks.check_videos(samples)
    if skip_existing:
        raise ValueError("skip_existing is for images; a video is predicted as a whole")
    output = output_fields.detections(samples, label_field)
    ids, filepaths = samples.values(["id", "filepath"])
    faults = {}
    with fou.ProgressBar(total=len(ids), progress=progress) as bar:
        for sample_id, path in zip(ids, filepaths, strict=True):
            try:
                found = _found_in_video(path, model, batch_size)
            except OSError as error:
                faults[path] = str(error)
                logger.warning("'%s': %s", path, error)
            else:
                output.replace_frames(
                    sample_id,
                    (labels.to_document(*one, model.classes) for one in found),
                )
            bar.update()
    return faults


def _found_in_video(
    path: str, model: YOLOv1Model, batch_size: int
) -> list[decode.Detected]:
    """Returns what is found in each frame of a video.

    Raises:
        OSError: if it can't be read to its end
    """
    found: list[decode.Detected] = []
    for frames in _frames(path, batch_size):
        found += model.detected(model.forward(model.prepared(frames)))
    return found


def _frames(path: str, batch_size: int) -> Iterator[list[Array]]:
    """Yields the frames of a video in batches.

    Raises:
        OSError: if it can't be read to its end
    """
    fault = images.not_a_file(path)
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
                    break  # the reader must not be asked beyond its end
    except Exception as error:  # of ffmpeg, in many kinds
        raise OSError(" ".join(str(error).split())) from error
    if not count:
        raise OSError("has no frames that can be read")
