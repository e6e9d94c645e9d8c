"""Measures a network on the validation split after an epoch."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yolov1_fo import decode, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.evaluation import average_precision, coco, operating_point
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.image_files import letterboxing
from yolov1_fo.pipeline import image_loading, tiling
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.training import val_predictions
from yolov1_fo.training.learner import class_shares
from yolov1_fo.training.val_predictions import ShownImages

IOU_THRESH = 0.5
"""Minimum IoU of a true positive in VOC07 and F1."""
MAX_DETECTIONS = 100
"""Largest number of detections of an image."""
COCO_METRICS = {"val_ap50": coco.Sweep.ap50, "val_coco_map": coco.Sweep.ap}
"""Metrics that take much longer; each is only computed if it is the monitor."""


class Validator:
    """Measures loss, mAP and F1 of a detector on the validation split.

    Args:
        listing: readable files, and their objects, with their tiles
        config: of the training
        pixels (None): (N, H, W, 3) uint8; read from the files each time if None
        failed (None): collects the files that can't be decoded, with the reason
        windows (None): (N, 4) of letterboxed `pixels`, see `letterboxing.windows`
        classes (None): names in the order of their ids, which name them by default

    Attributes:
        listing: whole images
        parts: whole images and their tiles
        operating_point: of the last measurement, as of `operating_point.summary`; None
            before
        detections: of the last measurement, with the objects; None before
        shown: the images that `val_predictions` draws
    """

    def __init__(
        self,
        listing: Listing,
        config: TrainConfig,
        pixels: Array | None = None,
        failed: dict[str, str] | None = None,
        windows: Array | None = None,
        classes: Sequence[str] | None = None,
    ) -> None:
        self.listing, self.parts, self.config = listing.untiled(), listing, config
        self.pixels, self.windows = pixels, windows
        self.classes = classes or [str(class_id) for class_id in range(config.C)]
        self.failed = {} if failed is None else failed
        self.operating_point: dict[str, Any] | None = None
        self.detections: SplitDetections | None = None
        self.shown = ShownImages(self.listing)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        monitor = self.config.monitor
        more = (monitor,) if monitor in COCO_METRICS else ()
        return ("val_loss", "val_voc07", "val_f1", *more)

    def __call__(self, network: keras.Model) -> dict[str, float]:
        """Returns the metrics.

        They are the loss, VOC07 mAP at IoU 0.5 and F1 at the operating point, as
        `val_loss`, `val_voc07` and `val_f1`; also `val_ap50` or `val_coco_map` if that
        is the monitor. The loss of letterboxed images is computed in their squares, the
        others in the images, as after prediction. With tiles, the loss is the mean
        over whole images and tiles, and detections are merged by `tiling.merge`.
        """
        config, objects = self.config, self.parts.objects
        found: list[decode.Detections] = []
        losses, measured = [], []
        width, count = objects.padding_width(), tiling.count(config.tiles)
        for rows, pixels, windows in self._batches():
            self._show(rows, pixels, windows)
            measured += [row // count for row in rows if row % count == 0]
            boxes, class_ids = objects.padded(rows, width, windows)
            y_pred = network.predict_on_batch(pixels.astype(np.float32) / 255)
            parts = loss.of_objects(boxes, class_ids, y_pred, config, config)
            losses.append(keras.ops.convert_to_numpy(sum(parts[1:], parts[0])))
            found += decode.decode(
                y_pred,
                config,
                confidence_thresh=config.confidence_thresh,
                iou_thresh=config.iou_thresh,
                max_detections=MAX_DETECTIONS,
                windows=windows,
            )
        found = self._merged(found, count)
        truth = [self._truth(row) for row in measured]
        ids, paths = (
            [names[row] for row in measured]
            for names in (self.listing.ids, self.listing.filepaths)
        )
        self.detections = SplitDetections(ids, paths, found, truth)
        return {
            "val_loss": float(np.mean(np.concatenate(losses))),
            **self._scores(found, truth),
        }

    def _show(self, rows: Sequence[int], pixels: Array, windows: Array | None) -> None:
        """Keeps what is drawn of a batch: whole images."""
        count = tiling.count(self.config.tiles)
        for place, row in enumerate(rows):
            if row % count == 0:
                one = slice(place, place + 1)  # a view: most images are not drawn
                shown = None if windows is None else windows[one]
                self.shown.keep([row // count], pixels[one], shown)

    def _merged(
        self, found: list[decode.Detections], count: int
    ) -> list[decode.Detections]:
        """Returns the detections of whole images, from those of their parts."""
        if count == 1:
            return found
        return [
            tiling.merge(
                found[start : start + count],
                self.config.tiles,
                iou_thresh=self.config.iou_thresh,
                max_detections=MAX_DETECTIONS,
            )[0]
            for start in range(0, len(found), count)
        ]

    def _scores(
        self,
        found: list[decode.Detections],
        truth: list[average_precision.GroundTruth],
    ) -> dict[str, float]:
        """Returns the metrics of the detections, and keeps their operating point."""
        count, monitor = self.config.C, self.config.monitor
        curves = average_precision.curves(found, truth, count, IOU_THRESH)
        matched = coco.curves(found, truth, count, IOU_THRESH)
        point = operating_point.summary(matched, self.classes, IOU_THRESH)
        self.operating_point = point
        scores = {
            "val_voc07": average_precision.mean(
                [*map(average_precision.voc07, curves)]
            ),
            "val_f1": point["f1"],
        }
        if monitor in COCO_METRICS:
            sweep = coco.sweep(found, truth, count)
            of_class = COCO_METRICS[monitor]
            values = [of_class(sweep, class_id) for class_id in range(count)]
            scores[monitor] = average_precision.mean(values)
        return scores

    def draw(self, path: Path) -> None:
        """Draws a few images with the detections of the last measurement.

        Args:
            path: of the picture
        """
        if self.detections is not None and self.operating_point is not None:
            val_predictions.write(
                *(path, self.shown, self.detections),
                *(self.operating_point, self.classes),
            )

    def _truth(self, row: int) -> average_precision.GroundTruth:
        parts = [self.listing.objects.of_image(row), self.listing.ignored.of_image(row)]
        boxes, class_ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        difficult = np.arange(len(class_ids)) >= len(parts[0][1])
        return average_precision.GroundTruth(boxes, class_ids, difficult)

    def _batches(self) -> Iterator[tuple[list[int], Array, Array | None]]:
        """Yields rows, pixels and windows, without images that can't be decoded."""
        size, paths = self.config.batch_size, self.parts.filepaths
        if self.pixels is not None:
            for start in range(0, len(paths), size):
                rows = list(range(start, min(start + size, len(paths))))
                windows = None if self.windows is None else self.windows[rows]
                yield rows, self.pixels[rows], windows
            return
        reads = image_loading.read_all(
            paths,
            self.config.image_size,
            num_workers=self.config.num_workers,
            letterbox=self.config.letterbox,
            max_pixels=self.config.max_image_pixels,
            parts=self.parts.parts,
        )
        pairs = enumerate(reads)
        while batch := list(itertools.islice(pairs, size)):
            for row, read in batch:
                if read.fault is not None:
                    self.failed[paths[row]] = read.fault
            good = [
                (row, image, size)
                for row, (image, fault, size) in batch
                if image is not None and fault is None
            ]
            if good:
                rows, images, sizes = map(list, zip(*good, strict=True))
                yield rows, np.stack(images), self._windows(sizes)

    def _windows(self, sizes: Sequence[tuple[int, int]]) -> Array | None:
        if not self.config.letterbox:
            return None
        return letterboxing.windows(sizes, self.config.image_size)


class ClassifierValidator(Validator):
    """Measures loss and accuracy of a classifier.

    A prediction is correct if it is one of the labels of the image.
    """

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics."""
        return ("val_loss", "val_top1", "val_top5")

    def __call__(self, network: keras.Model) -> dict[str, float]:
        """Returns loss and accuracies, as `val_loss`, `val_top1`, `val_top5`."""
        losses, hits = [], []
        width = self.listing.objects.padding_width()
        for rows, pixels, _ in self._batches():
            _, class_ids = self.listing.objects.padded(rows, width)
            logits = network.predict_on_batch(pixels.astype(np.float32) / 255)
            shares = class_shares(class_ids, self.config.C)
            errors = shares * keras.ops.log_softmax(logits, axis=-1)
            losses.append(-keras.ops.convert_to_numpy(errors).sum(axis=-1))
            ranked = np.argsort(-logits, axis=-1, kind="stable")[:, :5]
            hits.append((ranked[..., None] == class_ids[:, None, :]).any(axis=-1))
        hit = np.concatenate(hits)  # (N, 5)
        return {
            "val_loss": float(np.mean(np.concatenate(losses))),
            "val_top1": float(hit[:, 0].mean()),
            "val_top5": float(hit.any(axis=-1).mean()),
        }
