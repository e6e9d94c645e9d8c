"""What happens in a training beside the steps: measure, save, stop, report."""

import contextlib
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from yolov1_fo import checkpoint, data, decode, grid, loss, reading, voc
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.network import let_learn

logger = logging.getLogger(__name__)

MAP = "val_voc07"


class Validator:
    """Measures a network on images that it does not learn from.

    Args:
        listing: files and objects, all readable
        config: of the training
        pixels (None): (N, side, side, 3) uint8; read from the files each time if None
        failed (None): is told which files could not be decoded, and why
    """

    def __init__(
        self,
        listing: data.Listing,
        config: TrainConfig,
        pixels: Array | None = None,
        failed: dict[str, str] | None = None,
    ) -> None:
        self.listing, self.config, self.pixels = listing, config, pixels
        self.failed = {} if failed is None else failed

    def __call__(self, network: keras.Model) -> dict[str, float]:
        """Returns the loss and VOC07 mAP at IoU 0.5, as `val_loss` and `val_voc07`."""
        config, objects = self.config, self.listing.objects
        found: list[decode.Detected] = []
        truth: list[voc.Objects] = []
        losses = []
        width = max(objects.most(), 1)
        for rows, pixels in self._batches():
            boxes, class_ids = objects.padded(rows, width)
            y_pred = network.predict_on_batch(pixels.astype(np.float32) / 255)
            y_true = grid.encode(boxes, class_ids, config).astype(np.float32)
            parts = loss.weighted(loss.terms(y_true, y_pred, config), config)
            losses.append(keras.ops.convert_to_numpy(sum(parts[1:], parts[0])))
            found += decode.decode(
                y_pred,
                config,
                confidence_thresh=config.confidence_thresh,
                iou_thresh=config.iou_thresh,
                max_detections=100,
            )
            truth += [self._truth(row) for row in rows]
        curves = voc.curves(found, truth, config.C)
        return {
            "val_loss": float(np.mean(np.concatenate(losses))),
            MAP: voc.mean([voc.voc07(curve) for curve in curves]),
        }

    def _truth(self, row: int) -> voc.Objects:
        parts = [self.listing.objects.of(row), self.listing.ignored.of(row)]
        boxes, class_ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        difficult = np.arange(len(class_ids)) >= len(parts[0][1])
        return voc.Objects(boxes, class_ids, difficult)

    def _batches(self) -> Iterator[tuple[list[int], Array]]:
        """Yields rows with their pixels; leaves out what can't be decoded."""
        size, paths = self.config.batch_size, self.listing.filepaths
        if self.pixels is not None:
            for start in range(0, len(paths), size):
                rows = list(range(start, min(start + size, len(paths))))
                yield rows, self.pixels[rows]
            return
        reads = reading.read_all(paths, self.config.side, workers=self.config.workers)
        pairs = enumerate(reads)
        while batch := list(itertools.islice(pairs, size)):
            for row, read in batch:
                if read.image is None:
                    self.failed[paths[row]] = str(read.fault)
            good = [(row, read.image) for row, read in batch if read.image is not None]
            if good:
                yield [row for row, _ in good], np.stack([image for _, image in good])


class EndOfEpoch(keras.callbacks.Callback):
    """Validates, saves a checkpoint, tells the run, and stops early.

    Args:
        config: of the training
        root: the run's folder
        card: what `run.json` says beside epoch and metrics
        validator: measures mAP; None trains without
        report: is told `(epoch, logs)`, the epoch counted from 1
    """

    def __init__(
        self,
        config: TrainConfig,
        root: Path,
        card: dict[str, Any],
        validator: Validator | None,
        report: Callable[[int, dict[str, float]], None],
    ) -> None:
        super().__init__()
        self.config, self.root, self.card = config, root, card
        self.validator, self.report = validator, report
        self.best: dict[str, float] = {}
        self.started = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Lets the trunk learn when its time has come."""
        if 0 < self.config.freeze_epochs == epoch:
            let_learn(self.model.trunk, self.config.frozen_stride)
            self.model.make_train_function(force=True)
            logger.info("the trunk learns from epoch %d on", epoch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Does it all; what it measures joins the logs."""
        logs = {} if logs is None else logs
        number = epoch + 1
        last = number == self.config.epochs
        measured = last or number % self.config.validate_every == 0
        with averaged_weights(self.model):
            if self.validator and measured:
                logs.update(self.validator(self.model.network))
            metrics = {name: float(value) for name, value in logs.items()}
            if self.validator and not measured:
                metrics |= {"val_loss": math.nan, MAP: math.nan}
            metrics["seconds"] = round(time.monotonic() - self.started, 1)
            better = self._is_better(metrics)
            if better:
                self.best = {"epoch": number, **metrics}
            checkpoint.save(
                self.root,
                number,
                self.model.network,
                {**self.card, "epoch": number, "metrics": finite(metrics)},
                best=better,
            )
        self.report(number, metrics)
        if measured:
            self._stop_early(number)

    def _is_better(self, metrics: dict[str, float]) -> bool:
        return not self.best or _rank(metrics) > _rank(self.best)

    def _stop_early(self, number: int) -> None:
        waited = number - max(self.best["epoch"], self.config.freeze_epochs)
        if 0 < self.config.patience <= waited and number < self.config.epochs:
            logger.info("no better mAP for %d epochs: stopped early", waited)
            self.model.stop_training = True


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    """Returns what makes a checkpoint better: mAP, then loss; unmeasured is worst."""
    if MAP not in metrics:
        return 0.0, -metrics["loss"]
    if math.isnan(metrics[MAP]):
        return -1.0, 0.0
    return metrics[MAP], -metrics["val_loss"]


def finite(metrics: dict[str, float]) -> dict[str, float | None]:
    """Returns metrics as JSON can say them: None for what is no number."""
    return {k: v if math.isfinite(v) else None for k, v in metrics.items()}


@contextlib.contextmanager
def averaged_weights(learner: keras.Model) -> Iterator[None]:
    """Puts the running average of the weights in their place, if one is kept."""
    optimizer = getattr(learner.optimizer, "inner_optimizer", learner.optimizer)
    if not optimizer.use_ema:
        yield
        return
    optimizer.swap_averages()
    try:
        yield
    finally:
        optimizer.swap_averages()


class StopOnNaN(keras.callbacks.Callback):
    """Raises a FloatingPointError that names the first step whose loss was not finite.

    Args:
        config: of the training
        filepaths: of the training images, in the listing's order
        skipped: files that were left out; one more since the start shifts the steps
    """

    def __init__(
        self, config: TrainConfig, filepaths: list[str], skipped: dict[str, str]
    ) -> None:
        super().__init__()
        self.config, self.filepaths = config, filepaths
        self.skipped, self.skipped_at_first = skipped, len(skipped)

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Looks at the loss, which is a running mean: once NaN it stays so."""
        if logs and math.isfinite(logs["loss"]):
            return
        n, size = len(self.filepaths), self.config.batch_size
        bad = int(self.model.first_bad_step)
        epoch, step = divmod(bad, data.steps_per_epoch(n, size))
        rows = data.rows_of(bad, n, size, self.config.seed)
        shown = ""
        if len(self.skipped) == self.skipped_at_first:
            names = ", ".join(self.filepaths[row] for row in rows)
            shown = f"; images of that step: {names}"
        raise FloatingPointError(
            f"the loss is not finite at epoch {epoch + 1}, step {step + 1}; take a "
            f"lower learning_rate than {self.config.learning_rate} or set clip_norm"
            f"{shown}"
        )
