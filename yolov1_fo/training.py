"""train(samples, ...) -> TrainResult: from a FiftyOne view to a checkpoint."""

import csv
import logging
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras

from yolov1_fo import __version__, callbacks, data, network, optimizers, runs
from yolov1_fo import samples as fo_samples
from yolov1_fo.config import TrainConfig
from yolov1_fo.feed import Feed, check_batch_size
from yolov1_fo.learner import Learner
from yolov1_fo.network import let_learn

logger = logging.getLogger(__name__)

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class TrainResult:
    """What a training left behind.

    Attributes:
        checkpoint_dir: the folder of the best checkpoint
        run_key: the run's name on the dataset
        history: a list of numbers, one an epoch, under each name; None where an epoch
            has none
        best: epoch and metrics of the best checkpoint
        skipped: image files that were left out, and why
    """

    checkpoint_dir: str
    run_key: str
    history: dict[str, list[float | None]]
    best: dict[str, float]
    skipped: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        score = self.best.get(callbacks.MAP)
        parts = [
            f"run '{self.run_key}': {len(self.history['loss'])} epochs",
            f"best at epoch {self.best['epoch']:.0f}"
            + ("" if score is None else f" with VOC07 mAP@0.5 {score:.3f}"),
            f"checkpoint {self.checkpoint_dir}",
        ]
        if self.skipped:
            parts.append(f"{len(self.skipped)} images skipped")
        return ", ".join(parts)


def train(
    samples: fo_samples.Samples,
    gt_field: str = "ground_truth",
    val_samples: fo_samples.Samples | None = None,
    network: str = TrainConfig.network,
    run_key: str | None = None,
    *,
    classes: Sequence[str] | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
    on_epoch: OnEpoch | None = None,
    progress: bool = True,
    **settings: Any,
) -> TrainResult:
    """Trains a YOLOv1 on a FiftyOne dataset or view; nothing is exported.

    The training is a run on the dataset: `dataset.list_runs(method="yolov1/train")`.
    Images that are missing, cut or can't be decoded are skipped and named.

    Args:
        samples: the images to learn from
        gt_field ("ground_truth"): their field of Detections
        val_samples (None): images to measure mAP on after each epoch; without them the
            best checkpoint is the one of the lowest training loss
        network ("yolov1"): a name in `architectures.NETWORKS`
        run_key (None): the run's name on the dataset; made up if None
        classes (None): names in the order of their ids; by default the field's classes
            on the dataset, its default classes, or the labels found
        runs_dir (None): where checkpoints go, instead of FiftyOne's folder for datasets
        on_epoch (None): is called with the epoch, counted from 1, and its metrics
        progress (True): shows a progress bar
        **settings: fields of `TrainConfig`

    Raises:
        ValueError: if the samples, the field, a class or a setting does not fit
        FloatingPointError: if the loss is not finite

    Source: paper section 2.2
    """
    # 1. Check everything before anything is written.
    fo_samples.check_images(samples)
    fo_samples.check_detections(samples, gt_field, "gt_field")
    names = fo_samples.classes_of(samples, gt_field, classes)
    config = _config(network, names, settings)
    dataset = samples._root_dataset
    run_key = run_key or runs.new_key(dataset, network, runs_dir)
    folder = runs.folder(dataset, run_key, runs_dir)
    runs.check_key(dataset, run_key, folder)
    listing = _listing(samples, gt_field, names, "train")
    validation = None
    if val_samples is not None:
        fo_samples.check_images(val_samples)
        fo_samples.check_detections(val_samples, gt_field, "gt_field of val_samples")
        validation = _listing(val_samples, gt_field, names, "val")
        _warn_overlap(listing, validation)
    check_batch_size(config, len(listing.filepaths))

    # 2. Read.
    feed = Feed(config, listing, validation)

    # 3. Build.
    learner = build_learner(config, feed.steps)
    runs.check_space(folder, 4 * learner.network.count_params())

    # 4. Train, as a run on the dataset.
    info = _info(config, names, gt_field, feed, folder)
    folder.mkdir(parents=True)
    try:
        runs.register(dataset, run_key, **info)
    except BaseException:
        folder.rmdir()
        raise
    try:
        history, best = _fit(
            learner, feed, folder, info, dataset, run_key, on_epoch, progress
        )
    except KeyboardInterrupt:
        runs.update(dataset, run_key, status="stopped")
        raise
    except BaseException as error:
        runs.update(dataset, run_key, status="failed", error=str(error))
        raise
    runs.update(dataset, run_key, status="finished", skipped=len(feed.skipped))
    for path, fault in feed.skipped.items():
        logger.warning("skipped '%s': %s", path, fault)
    checkpoint_dir = folder / f"epoch_{int(best['epoch']):04d}"
    return TrainResult(str(checkpoint_dir), run_key, history, best, dict(feed.skipped))


def _config(network: str, classes: list[str], settings: dict[str, Any]) -> TrainConfig:
    unknown = sorted(set(settings) - set(TrainConfig.names()) | {"C"} & set(settings))
    if unknown:
        known = ", ".join(name for name in TrainConfig.names() if name != "C")
        raise ValueError(f"unknown setting {', '.join(unknown)}; there are: {known}")
    config = TrainConfig(network=network, C=len(classes), **settings)
    if config.tensorboard and find_spec("tensorboard") is None:
        raise ImportError("tensorboard=True needs a package: pip install tensorboard")
    return config


def _listing(
    samples: fo_samples.Samples, gt_field: str, classes: list[str], split: str
) -> data.Listing:
    listing = data.load(samples, gt_field, classes)
    if not len(listing.objects.class_ids):
        raise ValueError(
            f"'{gt_field}' on {fo_samples.name(samples)} has no objects to "
            f"{'learn' if split == 'train' else 'measure'}"
        )
    dropped = listing.dropped
    logger.log(
        logging.WARNING if dropped.degenerate else logging.INFO,
        "%s: %d images, %d objects; left out %d ignored and %d without size",
        split,
        len(listing.filepaths),
        len(listing.objects.class_ids),
        dropped.ignored,
        dropped.degenerate,
    )
    return listing


def _warn_overlap(train: data.Listing, validation: data.Listing) -> None:
    shared = set(train.filepaths) & set(validation.filepaths)
    if shared:
        logger.warning(
            "val_samples shares %d of its %d images with samples; its mAP is too good",
            len(shared),
            len(validation.filepaths),
        )


def build_learner(config: TrainConfig, steps_per_epoch: int) -> Learner:
    """Returns a compiled `Learner` around a new network.

    Args:
        config: of the training
        steps_per_epoch: for the schedule
    """
    if 0 < config.freeze_epochs < config.epochs and keras.backend.backend() == "jax":
        raise ValueError("freeze_epochs needs the TensorFlow backend, got jax")
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(config.precision)
    try:
        net = network.build(config, seed=config.seed)
    finally:
        keras.config.set_dtype_policy(policy)
    learner = Learner(net, config)
    slow = []
    if learner.trunk:
        let_learn(learner.trunk, config.frozen_stride)
        slow = [variable.path for variable in learner.trunk.trainable_variables]
    variables = net.trainable_variables
    optimizer = optimizers.build(config, steps_per_epoch, variables, slow)
    if learner.trunk and config.freeze_epochs:
        learner.trunk.trainable = False
    if config.precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        optimizer.build(variables)
    learner.compile(optimizer=optimizer, steps_per_execution=config.steps_per_execution)
    return learner


def _info(
    config: TrainConfig, classes: list[str], gt_field: str, feed: Feed, folder: Path
) -> dict[str, Any]:
    train, val = feed.listing, feed.validator and feed.validator.listing
    return {
        "folder": str(folder),
        "classes": classes,
        "gt_field": gt_field,
        "settings": asdict(config),
        "images": len(train.ids),
        "objects": len(train.objects.class_ids),
        "dropped": train.dropped._asdict(),
        "samples_digest": fo_samples.digest(train.ids),
        "val_images": len(val.ids) if val else 0,
        "val_digest": fo_samples.digest(val.ids) if val else None,
        "skipped": len(feed.skipped),
        "versions": {
            "yolov1-fo": __version__,
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "fiftyone": version("fiftyone"),
        },
    }


def _fit(
    learner: Learner,
    feed: Feed,
    folder: Path,
    info: dict[str, Any],
    dataset: Any,
    run_key: str,
    on_epoch: OnEpoch | None,
    progress: bool,
) -> tuple[dict[str, list[float | None]], dict[str, float]]:
    config = learner.config
    history: dict[str, list[float | None]] = {}

    def report(epoch: int, metrics: dict[str, float]) -> None:
        _log(folder / "log.csv", {"epoch": epoch, **metrics})
        for name, value in callbacks.finite(metrics).items():
            history.setdefault(name, []).append(value)
        runs.save_curves(dataset, run_key, history)
        runs.update(dataset, run_key, epoch=epoch, best=callbacks.finite(end.best))
        if on_epoch:
            on_epoch(epoch, metrics)

    card = {"run_key": run_key, "dataset": dataset.name, **info}
    end = callbacks.EndOfEpoch(config, folder, card, feed.validator, report)
    after = [callbacks.StopOnNaN(config, feed.listing.filepaths, feed.skipped), end]
    if config.tensorboard:
        after.append(keras.callbacks.TensorBoard(folder / "tensorboard"))
    learner.fit(
        feed.batches,
        steps_per_epoch=feed.steps,
        epochs=config.epochs,
        shuffle=False,  # the batches come in an order of their own
        verbose=0 if not progress else 1 if sys.stdout.isatty() else 2,
        callbacks=after,
    )
    return history, end.best


def _log(path: Path, row: dict[str, float]) -> None:
    """Adds a line to a CSV file; the first one names the columns."""
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, row)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
