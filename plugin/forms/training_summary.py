"""Checks the form of a training, and sums up what it will do."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import fiftyone.operators.types as types
import humanize
import psutil

from yolov1_fo.config import TrainConfig
from yolov1_fo.config.plurals import counted
from yolov1_fo.datasets import annotations, checks, fiftyone_private
from yolov1_fo.jobs import launch, monitor
from yolov1_fo.pipeline import tiling
from yolov1_fo.runs import estimate, folders, gpus, registry
from yolov1_fo.runs.estimate import Estimate
from yolov1_fo.training.starting_weights import Source

from .. import dataset_values
from . import devices, form_widgets, label_changes, splits, start_from

LONG_SECONDS = 7 * 86400.0
"""Trainings that take longer get a warning."""
UNLABELED = "{} without labels are trained on as images without objects"


class Training(NamedTuple):
    """A training whose inputs were checked.

    Attributes:
        config: its settings
        classes: their names
        images: number of training images
        val_images: number of validation images
        unlabeled: number of samples without labels
        settings: those that are not the recipe's
        estimate: of its time and memory
    """

    config: TrainConfig
    classes: list[str]
    images: int
    val_images: int
    unlabeled: int
    settings: dict[str, Any]
    estimate: Estimate


def check(
    samples: Any,
    params: dict[str, Any],
    source: Source | None,
    settings: dict[str, Any],
) -> Training:
    """Returns the training of a form.

    Args:
        samples: the target
        params: the inputs, completed by `splits.add_inputs`
        source: what the training starts from; None without
        settings: of `setting_inputs.given`

    Raises:
        ValueError: if an input is missing or invalid, the splits overlap, or the
            memory of this machine does not suffice
    """
    dataset, field = fiftyone_private.root_dataset(samples), params["gt_field"]
    checks.check_detections(samples, field, "gt_field")
    if key := params.get("run_key"):
        folder = folders.run_folder(dataset, key)
        registry.check_key(dataset, key, folder, in_app=True)
    train, val, images, val_images = splits.preview(samples, params)
    classes = dataset_values.classes(train, field)
    devices.check(params)
    config = launch.check_train(
        *(train, field, val, settings, classes),
        source=source,
        images=images,
        val_images=val_images,
        device=devices.chosen(params),
    )
    found = launch.estimate_training(
        *(dataset, config, images, val_images),
        device=devices.chosen(params),
        has_max_epochs="epochs" in settings,
    )
    if not gpus.is_used(devices.chosen(params)):
        estimate.check_memory(found)
    unlabeled = dataset_values.computed(
        train, ("unlabeled", field), lambda: annotations.unlabeled_count(train, field)
    )
    return Training(config, classes, images, val_images, unlabeled, settings, found)


def add(
    form: types.Object,
    samples: Any,
    params: Mapping[str, Any],
    source: Source | None,
    training: Training,
) -> None:
    """Adds a line about the training, one about its classes, and warnings.

    Args:
        form: the operator's form
        samples: the target
        params: the inputs
        source: what the training starts from; None without
        training: from `check`
    """
    config, images, val_images = training.config, training.images, training.val_images
    epochs = counted(config.epochs, "epoch")
    if config.max_minutes:
        is_given = "epochs" in training.settings
        epochs = f"at most {epochs}" if is_given else "as many epochs as fit"
    tiles = tiling.count(config.tiles) - 1
    steps = images * (1 + tiles) // config.batch_size
    with_tiles = f" with {tiles} tiles each" if tiles else ""
    parts = (
        f"{counted(images, 'training image')}{with_tiles}, "
        f"{counted(val_images, 'validation image')}, "
        f"{counted(config.C, 'class')}",
        f"{config.batch_size} images per batch, "
        f"{counted(steps, 'batch')} per epoch, {epochs}",
        str(training.estimate),
    )
    text = "; ".join(parts)
    form_widgets.add_notice(form, "what", text)
    start_from.add_class_changes(form, source, training.classes)
    label_changes.add(form, samples, params, source)
    if training.unlabeled:
        text = UNLABELED.format(counted(training.unlabeled, "sample"))
        form_widgets.add_notice(form, "unlabeled", text, is_warning=True)
    _add_warnings(form, training.estimate)


def _add_warnings(form: types.Object, found: Estimate) -> None:
    """Warns of long trainings, memory that is not free, and jobs that are running."""
    free = psutil.virtual_memory().available
    if (found.seconds or 0) > LONG_SECONDS and found.source != estimate.TIME_LIMIT:
        text = "Training may take more than a week; set a time limit to end it earlier"
        form_widgets.add_notice(form, "time", text, is_warning=True)
    if found.memory > free:
        needed, there = map(humanize.naturalsize, (found.memory, free))
        text = f"Training may need {needed} of memory, but only {there} is free"
        form_widgets.add_notice(form, "memory", text, is_warning=True)
    if jobs := ", ".join(f"'{job.target}'" for job in monitor.active_jobs()):
        text = (
            f"Other jobs are running: {jobs}. This training waits for trainings on the "
            "same device; others slow it down"
        )
        form_widgets.add_notice(form, "jobs", text, is_warning=True)
