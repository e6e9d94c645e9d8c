"""What a training is going to do, checked before anything is written."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Self

import fiftyone as fo

from yolov1_fo import hardware
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import checks, class_lists, fiftyone_private, splitting
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.pipeline import sampling
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.runs import automatic, checkpoint, folders, records, registry
from yolov1_fo.training import examples, matching_layers, starting_weights
from yolov1_fo.training.distribution import Devices
from yolov1_fo.training.starting_weights import Source
from yolov1_fo.training.tasks import DETECT, TASKS, Task

logger = logging.getLogger(__name__)

FIELD = "ground_truth"


class Plan(NamedTuple):
    """A training that can start.

    Attributes:
        dataset: that the run belongs to
        run_key: its name there
        folder: of its files
        config: its settings
        classes: names in the order of their ids
        field: the field of labels
        listing: files and objects of the training split
        validation: the same of the validation split; None without
        resumes: whether the run exists already
        task: detection or classification
        source: what the network starts from; None without, and for a run to resume
            that has a checkpoint
        parent: `Source.record` of what the run started from; None without
        put_aside: whether the validation split was put aside by `splitting.split`
        max_epochs: largest number of epochs of a training with `max_minutes`
        started: when, as `time.monotonic` counts
        augmentation: the user's layers, of `augmentation_layer.check_layers`
    """

    dataset: fo.Dataset
    run_key: str
    folder: Path
    config: TrainConfig
    classes: list[str]
    field: str
    listing: Listing
    validation: Listing | None
    resumes: bool
    task: Task = DETECT
    source: Source | None = None
    parent: dict[str, Any] | None = None
    put_aside: bool = False
    max_epochs: int = 0
    started: float = 0.0
    augmentation: tuple[Any, ...] = ()

    @property
    def weights(self) -> Path | None:
        """The checkpoint folder or `.weights` file that the network starts from."""
        return self.source and self.source.path

    def shared_by(self, devices: Devices) -> Self:
        """Returns the plan of the first of the processes that share the training.

        Each process may have generated another run key.
        """
        if devices.processes == 1:
            return self
        key, folder = map(devices.from_first, (self.run_key, str(self.folder)))
        return self._replace(run_key=key, folder=Path(folder))

    def smaller(self, mode: str, devices: Devices) -> Self | None:
        """Returns a plan that needs less memory, and logs the change.

        After the first epoch only the input mode may change, since another batch size
        would make it another training. With several processes nothing changes, since
        the others would not notice.

        Args:
            mode: input mode that ran out of memory
            devices: that share each batch

        Returns:
            None if there is nothing left to reduce
        """
        config, count = self.config, devices.count
        size = config.batch_size // (2 * count) * count
        is_started = checkpoint.read_pointer(self.folder, "last") is not None
        if devices.processes > 1:
            return None
        if mode == "device":
            change: dict[str, Any] = {"data": "host"}
        elif size and not is_started:
            change = {"batch_size": size, "steps_per_execution": 1}
        else:
            return None
        changed = ", ".join(
            f"{k}={v!r}" for k, v in change.items() if getattr(config, k) != v
        )
        logger.warning("out of memory; the training starts again with %s", changed)
        source = None if is_started else self.source
        return self._replace(config=replace(config, **change), source=source)

    def check_unchanged(self) -> None:
        """Raises an error unless the run can still be resumed as planned.

        Raises:
            ValueError: if another process has finished, changed or deleted the run
            FileNotFoundError: if its folder was deleted
        """
        key = registry.find(self.dataset, self.run_key)
        registry.check_resumable(self.dataset, key)
        if _config_of(records.info(self.dataset, key)) != self.config:
            raise ValueError(
                f"run '{key}' was changed by another process; resume it again"
            )


def make(
    task: Task,
    samples: fo_samples.Samples,
    field: str,
    val_samples: fo_samples.Samples | None,
    network: str | None,
    *,
    resume: str | os.PathLike[str] | None,
    run_key: str | None,
    classes: Sequence[str] | None,
    runs_dir: str | os.PathLike[str] | None,
    settings: dict[str, Any],
    weights: str | os.PathLike[str] | None = None,
) -> Plan:
    """Returns the plan of a new run, or with `resume` of an existing one.

    The arguments are those of `train`.

    Raises:
        ValueError: if the samples, the field, a class or a setting does not fit
        FileNotFoundError: if the weights, or the folder of a run to resume, are missing
    """
    started = time.monotonic()
    if val_samples is not None:
        val_samples = fo_samples.ungrouped(val_samples, "val_samples")
    samples = fo_samples.ungrouped(samples)
    if resume is None:
        _warn_of_loss(fiftyone_private.root_dataset(samples))
        if network is not None:
            settings = {"network": network, **settings}
        plan = _new(
            *(task, samples, field, val_samples, run_key, classes, runs_dir, weights),
            settings,
        )
        return plan._replace(started=started)
    given: dict[str, Any] = {
        task.argument: None if field == FIELD else field,
        "network": network,
        "run_key": run_key,
        "classes": classes,
        "runs_dir": runs_dir,
        "weights": weights,
        **settings,
    }
    names = [name for name, value in given.items() if value is not None]
    if names:
        raise ValueError(
            f"resume takes its settings from the run; got {', '.join(names)} too"
        )
    plan = _resumed(task, samples, val_samples, resume)
    return plan._replace(started=started)


def _new(
    task: Task,
    samples: fo_samples.Samples,
    field: str,
    val_samples: fo_samples.Samples | None,
    run_key: str | None,
    classes: Sequence[str] | None,
    runs_dir: str | os.PathLike[str] | None,
    weights: str | os.PathLike[str] | None,
    settings: dict[str, Any],
) -> Plan:
    examples.check(task, samples, val_samples, field)
    names = class_lists.classes_of(samples, field, classes)
    dataset = fiftyone_private.root_dataset(samples)
    source = None
    if weights is not None:
        source = starting_weights.source(dataset, weights)
    if task is not DETECT:
        network = {**task.defaults, **settings}["network"]
        matching_layers.check_network(network)
    draft = matching_layers.draft(settings, len(names), source, task.defaults)
    if task is not DETECT and draft.config.tiles:
        raise ValueError(
            "tiles are for detectors: a tile may not show what its image is labeled as"
        )
    run_key = run_key or registry.new_key(dataset, draft.config.network, runs_dir)
    folder = folders.run_folder(dataset, run_key, runs_dir)
    registry.check_key(dataset, run_key, folder)
    put_aside = val_samples is None
    if put_aside:
        samples, val_samples = _put_aside(samples, field, draft.config.val_fraction)
    splits = examples.splits(task, samples, val_samples, field, names, draft.config)
    listing, validation = splits
    counts = len(listing.filepaths), len(validation.filepaths) if validation else 0
    facts = automatic.Facts(
        *(*counts, listing.objects, names), *hardware.planned_device()
    )
    config = draft.completed(facts)
    parts = listing.tiled(config.tiles)
    check_batch_size(config, len(parts.filepaths))
    sampling.make_sampler(parts, config.sample_weights, config.negative_fraction)
    return Plan(
        *(dataset, run_key, folder, config, names, field, *splits),
        resumes=False,
        task=task,
        source=source,
        parent=source and source.record(),
        put_aside=put_aside and val_samples is not None,
        max_epochs=draft.max_epochs,
    )


def _put_aside(
    samples: fo_samples.Samples, field: str, val_fraction: float
) -> tuple[fo_samples.Samples, fo_samples.Samples | None]:
    """Returns the training split, and the validation split if there is one."""
    count = splitting.val_count(samples, val_fraction)
    if count:
        train, val = splitting.split(samples, val_fraction)
        if val.count(checks.label_path(val, field)):
            logger.info(
                "%d of %d images are held out for validation: %s; pass val_samples to "
                "choose others, or val_fraction=0",
                *(len(val), len(samples), splitting.RULE),
            )
            return train, val
    logger.info("no validation split; the best checkpoint has the lowest loss")
    return samples, None


def _resumed(
    task: Task,
    samples: fo_samples.Samples,
    val_samples: fo_samples.Samples | None,
    resume: str | os.PathLike[str],
) -> Plan:
    checks.check_images(samples)
    dataset = fiftyone_private.root_dataset(samples)
    run_key = registry.find(dataset, resume)
    registry.status(dataset, run_key)  # of a killed run it becomes failed
    run = records.info(dataset, run_key)
    of_run = TASKS[getattr(run, "task", DETECT.name)]
    if of_run is not task:
        raise ValueError(f"run '{run_key}' must be resumed with {of_run.function}")
    registry.check_resumable(dataset, run_key)
    folder = Path(registry.existing_folder(dataset, run_key))
    config = _config_of(run)
    if val_samples is None and getattr(run, "put_aside", False):
        field = run.gt_field
        samples, val_samples = _put_aside(samples, field, config.val_fraction)
    if bool(run.val_images) != (val_samples is not None):
        raise ValueError(
            f"run '{run_key}' was validated on {run.val_images} images; val_samples "
            f"must be the same, got {'none' if val_samples is None else 'some'}"
        )
    examples.check(task, samples, val_samples, run.gt_field)
    config = _config_of(run)
    splits = examples.splits(
        task, samples, val_samples, run.gt_field, run.classes, config
    )
    return Plan(
        *(dataset, run_key, folder, config, run.classes, run.gt_field),
        *splits,
        resumes=True,
        task=task,
        source=starting_weights.of_run(dataset, run, run_key, folder),
        parent=starting_weights.parent_of(run),
        put_aside=getattr(run, "put_aside", False),
        max_epochs=getattr(run, "max_epochs", 0),
    )


def _warn_of_loss(dataset: fo.Dataset) -> None:
    """Warns of a dataset that FiftyOne deletes, and with it the run."""
    if not dataset.persistent:
        logger.warning(
            "dataset '%s' is not persistent: FiftyOne deletes it, with its runs, when "
            "Python ends; set dataset.persistent = True to keep them",
            dataset.name,
        )


def _config_of(run: Any) -> TrainConfig:
    return TrainConfig(**{**run.settings, "data": run.data})


def check_batch_size(config: TrainConfig, n: int) -> None:
    """Raises a ValueError if a batch is larger than the training split.

    Args:
        config: of the training
        n: number of readable images; tiles count as images
    """
    if not n:
        raise ValueError("no training image can be read; yolov1_fo.inspect lists them")
    if config.batch_size > n:
        tiles = " and tiles" if config.tiles else ""
        raise ValueError(
            f"batch_size {config.batch_size} must be at most the number of readable "
            f"training images{tiles}, got {n}"
        )
