"""What a training is going to do, checked before anything is written."""

import importlib
import logging
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import fiftyone as fo
import keras

from yolov1_fo import __version__, architectures, files, hardware
from yolov1_fo.config import NetworkConfig, TrainConfig, arguments
from yolov1_fo.datasets import checks, class_lists
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.networks import darknet_weights
from yolov1_fo.pipeline import batches
from yolov1_fo.runs import checkpoint, estimate, registry
from yolov1_fo.training import examples
from yolov1_fo.training.distribution import ONE, Devices
from yolov1_fo.training.input_pipeline import Feed, check_batch_size

logger = logging.getLogger(__name__)


DETECT, CLASSIFY = "detect", "classify"


class Plan(NamedTuple):
    """A training that can begin.

    Attributes:
        dataset: that the run belongs to
        run_key: its name there
        folder: where it keeps its files
        config: its settings
        classes: names in the order of their ids
        gt_field: the field of Detections
        listing: files and objects to learn from
        validation: the same, to measure on; None without
        resumes: whether the run exists already
        task: detect, or classify
        weights: a classifier to start from: a checkpoint's folder, or a `.weights` file
            of Darknet; None without
    """

    dataset: fo.Dataset
    run_key: str
    folder: Path
    config: TrainConfig
    classes: list[str]
    gt_field: str
    listing: batches.Listing
    validation: batches.Listing | None
    resumes: bool
    task: str = DETECT
    weights: Path | None = None


def new(
    samples: fo_samples.Samples,
    gt_field: str,
    val_samples: fo_samples.Samples | None,
    run_key: str | None,
    runs_dir: str | os.PathLike[str] | None,
    classes: Sequence[str] | None,
    settings: dict[str, Any],
    *,
    task: str = DETECT,
    weights: str | os.PathLike[str] | None = None,
) -> Plan:
    """Returns the plan of a new run; the arguments are those of `train`.

    Raises:
        ValueError: if the samples, the field, a class or a setting does not fit
        FileNotFoundError: if there is no such weights
    """
    samples, val_samples = _flat(samples, val_samples)
    _check(samples, val_samples, gt_field, task)
    names = class_lists.classes_of(samples, gt_field, classes)
    if weights is not None or task == CLASSIFY:
        _check_table(settings["network"])
    config = _config(names, settings)
    dataset = samples._root_dataset
    source = None if weights is None else _backbone(dataset, weights, config)
    run_key = run_key or registry.new_key(dataset, config.network, runs_dir)
    folder = registry.folder(dataset, run_key, runs_dir)
    registry.check_key(dataset, run_key, folder)
    listings = _listings(samples, val_samples, gt_field, names, task)
    check_batch_size(config, len(listings[0].filepaths))
    return Plan(
        dataset,
        run_key,
        folder,
        config,
        names,
        gt_field,
        *listings,
        resumes=False,
        task=task,
        weights=source,
    )


def _check_table(network: str) -> None:
    known = architectures.NETWORKS.get(network)
    if known and known.backbone:
        raise ValueError(
            f"{network} has a pretrained backbone; to pretrain a classifier, or to "
            f"start from one, choose network= among {', '.join(architectures.tables())}"
        )


def _backbone(
    dataset: fo.Dataset, weights: str | os.PathLike[str], config: TrainConfig
) -> Path:
    """Returns where the first convolutions come from.

    Args:
        dataset: where to look up a run's key
        weights: a `.weights` file, a run's key or folder, or a checkpoint's folder
        config: of the training, whose network must have the same first layers
    """
    name = arguments.path_or_name("weights", weights)
    path = Path(name).absolute()
    if files.is_file(path):
        darknet_weights.read_header(path)
        return path
    if registry.exists(dataset, name):
        path = Path(registry.checkpoint_dir(dataset, name))
    if not files.is_folder(path):
        has = ", ".join(registry.keys(dataset)) or "none"
        raise FileNotFoundError(
            f"weights {name!r} is no file, no folder and no run of dataset "
            f"'{dataset.name}'; training runs: {has}"
        )
    folder = checkpoint.resolve(path)
    metadata = checkpoint.read_metadata(folder, CLASSIFY)
    theirs = NetworkConfig.pick(metadata["settings"])
    if _begins(theirs) != _begins(config):
        raise ValueError(
            f"weights '{folder}' was pretrained as {_says(theirs)}; it fits networks "
            f"that begin with the same layers, got {_says(config)}"
        )
    return folder


def _begins(config: NetworkConfig) -> Any:
    """Returns what a network begins with: its pixels, and the classifier's layers."""
    architecture = architectures.NETWORKS[config.network]
    layers = architectures.backbone(architecture)
    return architecture.pixels, architectures.normalised(
        layers, batch_norm=config.batch_norm
    )


def _says(config: NetworkConfig) -> str:
    return f"{config.network} with batch_norm={config.batch_norm}"


def check_bare(**given: Any) -> None:
    """Raises a ValueError if anything is given that a resumed run has decided."""
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise ValueError(
            f"resume takes its settings from the run; got {', '.join(names)} too"
        )


def again(
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    resume: str | os.PathLike[str],
    *,
    task: str = DETECT,
) -> Plan:
    """Returns the plan of a run that goes on with the settings that it began with.

    Args:
        samples: what it learned from
        val_samples: what it was measured on
        resume: its key, its folder, or one of its checkpoints
        task (detect): what it must be for

    Raises:
        ValueError: if there is no such run, or it has finished, or is of the other task
        FileNotFoundError: if its folder, or the weights that it starts from, is gone
    """
    samples, val_samples = _flat(samples, val_samples)
    checks.check_images(samples)
    dataset = samples._root_dataset
    run_key = registry.find(dataset, resume)
    run = registry.info(dataset, run_key)
    if _task(run) != task:
        calls = {DETECT: "train", CLASSIFY: "pretrain"}
        raise ValueError(f"run '{run_key}' goes on with {calls[_task(run)]}")
    registry.check_resumable(dataset, run_key)
    folder = registry.checkpoint_dir(dataset, run_key)
    if bool(run.val_images) != (val_samples is not None):
        raise ValueError(
            f"run '{run_key}' was measured on {run.val_images} images; val_samples "
            f"must be the same, got {'none' if val_samples is None else 'some'}"
        )
    _check(samples, val_samples, run.gt_field, task)
    config = _config_of(run)
    listings = _listings(samples, val_samples, run.gt_field, run.classes, task)
    return Plan(
        dataset,
        run_key,
        Path(folder),
        config,
        run.classes,
        run.gt_field,
        *listings,
        resumes=True,
        task=task,
        weights=_first_weights(run, run_key, Path(folder)),
    )


def check_unchanged(plan: Plan) -> None:
    """Raises an error unless a run can still go on as planned.

    Args:
        plan: from `again`

    Raises:
        ValueError: if another process has finished, changed or deleted it meanwhile
        FileNotFoundError: if its folder is gone
    """
    registry.check_resumable(plan.dataset, registry.find(plan.dataset, plan.run_key))
    if _config_of(registry.info(plan.dataset, plan.run_key)) != plan.config:
        raise ValueError(
            f"run '{plan.run_key}' went on in another process; resume it again"
        )


def _config_of(run: Any) -> TrainConfig:
    return TrainConfig(**{**run.settings, "data": run.data})


def _first_weights(run: Any, run_key: str, folder: Path) -> Path | None:
    """Returns the weights of a run that has no checkpoint yet, and so begins again."""
    weights = getattr(run, "weights", None)
    if weights is None or checkpoint.pointed(folder, "last"):
        return None
    if not Path(weights).exists():
        raise FileNotFoundError(
            f"run '{run_key}' begins with weights '{weights}', which is gone"
        )
    return Path(weights)


def _task(run: Any) -> str:
    return getattr(run, "task", DETECT)


def _flat(
    samples: fo_samples.Samples, val_samples: fo_samples.Samples | None
) -> tuple[fo_samples.Samples, fo_samples.Samples | None]:
    if val_samples is not None:
        val_samples = fo_samples.flat(val_samples, "val_samples")
    return fo_samples.flat(samples), val_samples


def _check(
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    gt_field: str,
    task: str,
) -> None:
    if task == CLASSIFY:
        check, argument = checks.check_classified, "label_field"
    else:
        check, argument = checks.check_labelled, "gt_field"
    check(samples, gt_field, argument)
    if val_samples is not None:
        check(val_samples, gt_field, f"{argument} of val_samples")


def _config(classes: list[str], settings: dict[str, Any]) -> TrainConfig:
    TrainConfig.check_names(settings, "C")
    config = TrainConfig(C=len(classes), **settings)
    if config.tensorboard and find_spec("tensorboard") is None:
        raise ImportError("tensorboard=True needs a package: pip install tensorboard")
    return config


def _listings(
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    gt_field: str,
    classes: list[str],
    task: str,
) -> tuple[batches.Listing, batches.Listing | None]:
    train = _listing(samples, gt_field, classes, task, "train")
    examples.tell_unused(train, classes, gt_field)
    if val_samples is None:
        return train, None
    validation = _listing(val_samples, gt_field, classes, task, "val")
    shared = set(train.filepaths) & set(validation.filepaths)
    if shared:
        logger.warning(
            "val_samples shares %d of its %d images with samples; scores are too good",
            len(shared),
            len(validation.filepaths),
        )
    return train, validation


def _listing(
    samples: fo_samples.Samples,
    gt_field: str,
    classes: list[str],
    task: str,
    split: str,
) -> batches.Listing:
    """Returns what to learn from, in an order that no view changes."""
    listing = examples.load(samples, gt_field, classes)
    if not len(listing.objects.class_ids):
        raise ValueError(
            f"'{gt_field}' on {fo_samples.name(samples)} has no objects to "
            f"{'learn' if split == 'train' else 'measure'}"
        )
    dropped = listing.dropped
    logger.log(
        logging.WARNING if dropped.degenerate or dropped.unlabelled else logging.INFO,
        "%s: %d images, %d objects; left out %d ignored, %d without area and %d "
        "without label",
        split,
        len(listing.filepaths),
        len(listing.objects.class_ids),
        dropped.ignored,
        dropped.degenerate,
        dropped.unlabelled,
    )
    rows = sorted(range(len(listing.ids)), key=listing.ids.__getitem__)
    if task == CLASSIFY:  # an image without a label teaches nothing
        rows = [row for row in rows if len(listing.objects.of(row)[1])]
    return listing.take(rows)


def describe(plan: Plan, feed: Feed) -> dict[str, Any]:
    """Returns what a run tells of itself, in JSON's types."""
    train, val = feed.listing, feed.validator and feed.validator.listing
    backend = keras.backend.backend()
    return {
        "folder": str(plan.folder),
        "classes": plan.classes,
        "gt_field": plan.gt_field,
        "task": plan.task,
        "weights": plan.weights and str(plan.weights),
        "settings": asdict(plan.config),
        "data": feed.mode,
        "device": estimate.device(accelerated=hardware.has_accelerator()),
        "devices": feed.devices.count,
        "num_workers": feed.devices.processes,
        "images": len(train.ids),
        "objects": len(train.objects.class_ids),
        "dropped": train.dropped._asdict(),
        "samples_digest": fo_samples.digest(train.ids),
        "labels_digest": train.objects.digest(),
        "val_images": len(val.ids) if val else 0,
        "val_digest": fo_samples.digest(val.ids) if val else None,
        "val_labels_digest": val.objects.digest() if val else None,
        "skipped": len(feed.skipped),
        "versions": {
            "yolov1-fo": __version__,
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": f"{backend} {importlib.import_module(backend).__version__}",
            "fiftyone": version("fiftyone"),
        },
    }


def smaller(plan: Plan, mode: str, devices: Devices = ONE) -> Plan | None:
    """Returns a plan that takes less memory; says so.

    After the first epoch only the way that images take may change: with another size of
    batch the run would not go on as it began. One of several workers changes nothing,
    for the others would not know.

    Args:
        plan: that did not fit
        mode: how it was fed
        devices (one): that share each batch

    Returns:
        None if there is nothing smaller
    """
    config, count = plan.config, devices.count
    size = config.batch_size // (2 * count) * count
    if devices.processes > 1:
        return None
    if mode == "device":
        change: dict[str, Any] = {"data": "host"}
    elif size and not checkpoint.pointed(plan.folder, "last"):
        change = {"batch_size": size, "steps_per_execution": 1}
    else:
        return None
    said = ", ".join(f"{k} {v!r}" for k, v in change.items() if getattr(config, k) != v)
    logger.warning("memory is too small for the training; it begins with %s", said)
    return plan._replace(config=replace(config, **change))


def check_same(plan: Plan, now: dict[str, Any]) -> None:
    """Checks that what a run resumes with is what it began with.

    Args:
        plan: from `again`
        now: from `describe`

    Raises:
        ValueError: if the images are others; other labels or versions are warned of
    """
    then = registry.info(plan.dataset, plan.run_key)
    for argument, digest, images in (
        ("samples", "samples_digest", "images"),
        ("val_samples", "val_digest", "val_images"),
    ):
        if getattr(then, digest) != now[digest]:
            raise ValueError(
                f"{argument} must be those that run '{plan.run_key}' began with: "
                f"{getattr(then, images)} readable images then, "
                f"{now[images]} others now"
            )
    for what in ("labels_digest", "val_labels_digest", "versions"):
        if getattr(then, what) != now[what]:
            logger.warning(
                "%s changed since run '%s' began; it goes on, but is not what it "
                "would have been",
                what.removesuffix("_digest").replace("_", " "),
                plan.run_key,
            )
