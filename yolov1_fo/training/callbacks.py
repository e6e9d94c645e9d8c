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

from yolov1_fo import decode, grid, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import DARKNET_SCHEDULES, TrainConfig
from yolov1_fo.evaluation import average_precision
from yolov1_fo.networks.build import let_learn
from yolov1_fo.pipeline import batches, image_loading
from yolov1_fo.runs import checkpoint
from yolov1_fo.training import resume
from yolov1_fo.training.distribution import ONE, Devices
from yolov1_fo.training.learner import class_shares

logger = logging.getLogger(__name__)

SCORES = {"val_voc07": "VOC07 mAP@0.5", "val_top1": "top-1 accuracy"}
"""What is measured after an epoch, by the name of its metric."""


class Validator:
    """Measures a network on images that it does not learn from.

    Args:
        listing: files and objects, all readable
        config: of the training
        pixels (None): (N, H, W, 3) uint8; read from the files each time if None
        failed (None): is told which files could not be decoded, and why

    Attributes:
        metrics: names of what it measures; the second tells the best epoch
    """

    metrics: tuple[str, ...] = ("val_loss", "val_voc07")

    def __init__(
        self,
        listing: batches.Listing,
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
        truth: list[average_precision.Objects] = []
        losses = []
        width = max(objects.most(), 1)
        for rows, pixels in self._batches():
            boxes, class_ids = objects.padded(rows, width)
            y_pred = network.predict_on_batch(pixels.astype(np.float32) / 255)
            y_true = grid.encode(boxes, class_ids, config).astype(np.float32)
            parts = loss.weighted(loss.terms(y_true, y_pred, config, config), config)
            losses.append(keras.ops.convert_to_numpy(sum(parts[1:], parts[0])))
            found += decode.decode(
                y_pred,
                config,
                confidence_thresh=config.confidence_thresh,
                iou_thresh=config.iou_thresh,
                max_detections=100,
            )
            truth += [self._truth(row) for row in rows]
        curves = average_precision.curves(found, truth, config.C)
        mean_ap = average_precision.mean(
            [average_precision.voc07(curve) for curve in curves]
        )
        return {
            "val_loss": float(np.mean(np.concatenate(losses))),
            "val_voc07": mean_ap,
        }

    def _truth(self, row: int) -> average_precision.Objects:
        parts = [self.listing.objects.of(row), self.listing.ignored.of(row)]
        boxes, class_ids = (np.concatenate(part) for part in zip(*parts, strict=True))
        difficult = np.arange(len(class_ids)) >= len(parts[0][1])
        return average_precision.Objects(boxes, class_ids, difficult)

    def _batches(self) -> Iterator[tuple[list[int], Array]]:
        """Yields rows with their pixels; leaves out what can't be decoded."""
        size, paths = self.config.batch_size, self.listing.filepaths
        if self.pixels is not None:
            for start in range(0, len(paths), size):
                rows = list(range(start, min(start + size, len(paths))))
                yield rows, self.pixels[rows]
            return
        reads = image_loading.read_all(
            paths,
            self.config.image_size,
            num_workers=self.config.num_workers,
            max_pixels=self.config.max_image_pixels,
        )
        pairs = enumerate(reads)
        while batch := list(itertools.islice(pairs, size)):
            for row, read in batch:
                if read.fault is not None:
                    self.failed[paths[row]] = read.fault
            good = [
                (row, image)
                for row, (image, fault) in batch
                if image is not None and fault is None
            ]
            if good:
                yield [row for row, _ in good], np.stack([image for _, image in good])


class ClassifierValidator(Validator):
    """Measures a classifier; an image is right if it has any of its labels."""

    metrics = ("val_loss", "val_top1", "val_top5")

    def __call__(self, network: keras.Model) -> dict[str, float]:
        """Returns loss and accuracies, as `val_loss`, `val_top1`, `val_top5`."""
        losses, hits = [], []
        width = max(self.listing.objects.most(), 1)
        for rows, pixels in self._batches():
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


class EndOfEpoch(keras.callbacks.Callback):
    """Validates, saves a checkpoint, tells the run, and stops early.

    Args:
        config: of the training
        root: the run's folder
        metadata: what `run.json` says beside epoch and metrics
        validator: measures mAP; None trains without
        progress: of the epochs before; is kept up to date
        report: is told `(epoch, logs)`, the epoch counted from 1, when all is saved
        devices (one): that share each batch
    """

    def __init__(
        self,
        config: TrainConfig,
        root: Path,
        metadata: dict[str, Any],
        validator: Validator | None,
        progress: resume.Progress,
        report: Callable[[int, dict[str, float]], None],
        devices: Devices = ONE,
    ) -> None:
        super().__init__()
        self.devices = devices
        self.twin: keras.Model | None = None
        self.config, self.root, self.metadata = config, root, metadata
        self.validator, self.progress, self.report = validator, progress, report
        self.frozen = 0 < config.freeze_epochs < config.epochs
        self.started = time.monotonic() - progress.seconds

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Lets the backbone learn when its time has come."""
        if self.frozen and epoch >= self.config.freeze_epochs:
            self.frozen = False
            let_learn(self.model.backbone, self.config.freeze_to_stride)
            self.model.make_train_function(force=True)
            logger.info("the backbone learns from epoch %d on", epoch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Does it all; what it measures joins the logs."""
        logs = {} if logs is None else logs
        number = epoch + 1
        metrics = self._measured(number, logs)
        is_better = self._noted(number, metrics)
        self._save(number, metrics, is_better)
        self.report(number, metrics)
        if number < self.config.epochs and is_over(self.progress, self.config):
            best = self.progress.best["epoch"]
            logger.info("no better score since epoch %d: stopped early", best)
            self.model.stop_training = True

    def _measured(self, number: int, logs: dict[str, Any]) -> dict[str, float]:
        measure = is_measured(number, self.config)
        if self.validator and measure:
            with self._network() as network:
                logs.update(self.validator(network))
        metrics = {name: float(value) for name, value in logs.items()}
        if self.validator and not measure:
            metrics |= dict.fromkeys(self.validator.metrics, math.nan)
        return metrics

    def _noted(self, number: int, metrics: dict[str, float]) -> bool:
        """Adds an epoch to the progress; returns whether it is the best."""
        progress = self.progress
        progress.epoch = number
        progress.seconds = time.monotonic() - self.started
        metrics["seconds"] = round(progress.seconds, 1)
        progress.add(metrics)
        is_better = not progress.best or _rank(metrics) > _rank(progress.best)
        if is_better:
            progress.best = {"epoch": number, **metrics}
        return is_better

    def _save(self, number: int, metrics: dict[str, float], is_better: bool) -> None:
        metadata = {**self.metadata, "epoch": number, "metrics": resume.finite(metrics)}
        with checkpoint.writing(self.root, number, best=is_better) as folder:
            with self._network() as network:
                checkpoint.write(folder, network, metadata)
            resume.save(folder, self.model, self.progress)

    @contextlib.contextmanager
    def _network(self) -> Iterator[keras.Model]:
        """Gives the network with its averaged weights, for this process alone.

        Keras would let all devices predict the same, or wait for the other workers.
        """
        learner = self.model
        if self.devices.count == 1:
            with averaged_weights(learner):
                yield learner.network
            return
        optimizer = _inner(learner.optimizer)
        averages = optimizer.averages() if optimizer.use_ema else {}
        values = [averages.get(v.path, v.numpy()) for v in learner.network.weights]
        with self.devices.alone():
            if self.twin is None:
                self.twin = keras.models.clone_model(learner.network)
            self.twin.set_weights(values)
            yield self.twin


def is_measured(epoch: int, config: TrainConfig) -> bool:
    """Returns whether mAP is measured after an epoch, counted from 1."""
    return epoch == config.epochs or epoch % config.validation_freq == 0


def is_over(progress: resume.Progress, config: TrainConfig) -> bool:
    """Returns whether a training has come to its end, or stops early."""
    epoch = progress.epoch
    if epoch in (0, config.epochs):
        return epoch > 0
    if not config.patience or not is_measured(epoch, config):
        return False
    waited = epoch - max(progress.best["epoch"], config.freeze_epochs)
    return waited >= config.patience


def _rank(metrics: dict[str, float]) -> tuple[float, float]:
    """Returns what makes a checkpoint better: score, loss; unmeasured is worst."""
    measured = [metrics[name] for name in SCORES if name in metrics]
    if not measured:
        return 0.0, -metrics["loss"]
    if math.isnan(measured[0]):
        return -1.0, 0.0
    return measured[0], -metrics["val_loss"]


@contextlib.contextmanager
def averaged_weights(learner: keras.Model) -> Iterator[None]:
    """Puts the running average of the weights in their place, if one is kept."""
    optimizer = _inner(learner.optimizer)
    if not optimizer.use_ema:
        yield
        return
    optimizer.swap_averages()
    try:
        yield
    finally:
        optimizer.swap_averages()


def _inner(optimizer: Any) -> Any:
    return getattr(optimizer, "inner_optimizer", optimizer)


class Steps(keras.callbacks.Callback):
    """Tells each step.

    Args:
        tell: is called with epoch, epochs, step and steps, counted from 1
    """

    def __init__(self, tell: Callable[[int, int, int, int], None]) -> None:
        super().__init__()
        self.tell, self.epoch = tell, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the epoch."""
        self.epoch = epoch + 1

    def on_train_batch_end(
        self, batch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Tells the step."""
        self.tell(self.epoch, self.params["epochs"], batch + 1, self.params["steps"])


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
        bad = self.model.first_bad_step
        epoch, step = divmod(bad, batches.steps_per_epoch(n, size))
        rows = batches.rows_of(bad, n, size, self.config.seed)
        names = ", ".join(self.filepaths[row] for row in rows)
        rate = f"a lower learning_rate than {self.config.learning_rate}"
        if self.config.schedule in DARKNET_SCHEDULES:  # it has rates of its own
            rate = f"another schedule than {self.config.schedule}"
        raise FloatingPointError(
            f"the loss is not finite at epoch {epoch + 1}, step {step + 1}; take "
            f"{rate} or set global_clipnorm; images of that step: {names}"
        )
