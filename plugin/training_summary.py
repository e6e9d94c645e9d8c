"""Checks the form of a training, and sums up what it will do."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import fiftyone.operators.types as types
import humanize
import psutil

from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import checks, fiftyone_private
from yolov1_fo.jobs import launch, monitor
from yolov1_fo.runs import folders, registry
from yolov1_fo.training.starting_weights import Source

from . import (
    dataset_values,
    devices,
    form_widgets,
    label_changes,
    setting_inputs,
    splits,
    start_from,
)


class Training(NamedTuple):
    """A training whose inputs were checked.

    Attributes:
        config: its settings
        classes: their names
        images: number of training images
        val_images: number of validation images
    """

    config: TrainConfig
    classes: list[str]
    images: int
    val_images: int


def check(samples: Any, params: dict[str, Any], source: Source | None) -> Training:
    """Returns the training of a form.

    Args:
        samples: the target
        params: the inputs, completed by `splits.add_inputs`
        source: what the training starts from; None without

    Raises:
        ValueError: if an input is missing or invalid
    """
    dataset, field = fiftyone_private.root_dataset(samples), params["gt_field"]
    checks.check_detections(samples, field, "gt_field")
    if key := params.get("run_key"):
        registry.check_key(dataset, key, folders.run_folder(dataset, key))
    train, val, images, val_images = splits.preview(samples, params)
    classes = dataset_values.classes(train, field)
    devices.check(params)
    config = launch.check_train(
        *(train, field, val, setting_inputs.given(params), classes),
        source=source,
        images=images,
        device=devices.chosen(params),
    )
    return Training(config, classes, images, val_images)


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
    has_max_epochs = "epochs" in setting_inputs.given(params)
    estimate = launch.estimate_training(
        *(fiftyone_private.root_dataset(samples), config, images, val_images),
        device=devices.chosen(params),
        has_max_epochs=has_max_epochs,
    )
    epochs = _count(config.epochs, "epoch")
    if config.max_minutes:
        epochs = f"at most {epochs}" if has_max_epochs else "as many epochs as fit"
    text = (
        f"{_count(images, 'training image')}, {_count(val_images, 'validation image')},"
        f" {_count(config.C, 'class', 'classes')}; batch size {config.batch_size}, "
        f"{_count(images // config.batch_size, 'step')} per epoch, {epochs}; {estimate}"
    )
    form_widgets.add_notice(form, "what", text)
    start_from.add_class_changes(form, source, training.classes)
    label_changes.add(form, samples, params, source)
    _add_warnings(form, estimate.memory)


def _count(number: int, noun: str, nouns: str = "") -> str:
    """Returns a number with its noun."""
    return f"{number or 'no'} {noun if number == 1 else nouns or f'{noun}s'}"


def _add_warnings(form: types.Object, memory: float) -> None:
    """Warns if the memory, in bytes, is not free, or other jobs are running."""
    free = psutil.virtual_memory().available
    if memory > free:
        needed, there = map(humanize.naturalsize, (memory, free))
        text = f"Training may need {needed} of memory, but only {there} is free"
        form_widgets.add_notice(form, "memory", text, is_warning=True)
    if jobs := ", ".join(f"'{job.target}'" for job in monitor.active_jobs()):
        text = (
            f"Other jobs are running: {jobs}. This training waits for trainings on the "
            "same device; others slow it down"
        )
        form_widgets.add_notice(form, "jobs", text, is_warning=True)
