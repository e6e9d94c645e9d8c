"""What happens in a training beside the steps: measure, save, stop, report."""

import contextlib
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
    """

    def __init__(
        self, listing: data.Listing, config: TrainConfig, pixels: Array | None = None
    ) -> None:
        self.listing, self.config, self.pixels = listing, config, pixels

    def __call__(self, network: keras.Model) -> dict[str, float]:
        """Returns the loss and VOC07 mAP at IoU 0.5, as `val_loss` and `val_voc07`."""
        config, objects = self.config, self.listing.objects
        found: list[decode.Detected] = []
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
        truth = [self._truth(row) for row in range(len(found))]
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

    def _batches(self) -> Iterator[tuple[range, Array]]:
        n, size = len(self.listing.filepaths), self.config.batch_size
        reads = None
        if self.pixels is None:
            reads = reading.read_all(
                self.listing.filepaths, self.config.side, workers=self.config.workers
            )
        for start in range(0, n, size):
            rows = range(start, min(start + size, n))
            if reads is None:
                yield rows, self.pixels[start : rows.stop]  # type: ignore[index]  # not None
            else:
                blank = np.zeros((self.config.side, self.config.side, 3), np.uint8)
                images = [next(reads).image for _ in rows]
                yield rows, np.stack([blank if x is None else x for x in images])


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
        with averaged_weights(self.model):
            if self.validator and (last or number % self.config.validate_every == 0):
                logs.update(self.validator(self.model.network))
            logs["seconds"] = round(time.monotonic() - self.started, 1)
            metrics = {name: float(value) for name, value in logs.items()}
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
        self._stop_early(number)

    def _is_better(self, metrics: dict[str, float]) -> bool:
        if self.validator is None:
            return not self.best or metrics["loss"] <= self.best["loss"]
        value = metrics.get(MAP, math.nan)
        return not self.best or value > self.best.get(MAP, -1)

    def _stop_early(self, number: int) -> None:
        waited = number - max(self.best["epoch"], self.config.freeze_epochs)
        if 0 < self.config.patience <= waited and number < self.config.epochs:
            logger.info("no better mAP for %d epochs: stopped early", waited)
            self.model.stop_training = True


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
    """

    def __init__(self, config: TrainConfig, filepaths: list[str]) -> None:
        super().__init__()
        self.config, self.filepaths = config, filepaths

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
        raise FloatingPointError(
            f"the loss is not finite at epoch {epoch + 1}, step {step + 1}; take a "
            f"lower learning_rate than {self.config.learning_rate} or set clip_norm; "
            f"images of that step: {', '.join(self.filepaths[row] for row in rows)}"
        )
