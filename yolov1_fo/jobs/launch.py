"""Starts the jobs of the App, after all checks that need no Keras."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import fiftyone as fo

from yolov1_fo.config import TrainConfig, class_names
from yolov1_fo.datasets import (
    checks,
    class_lists,
    fiftyone_private,
    media_files,
    sample_weights_field,
    splitting,
)
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import evaluation_keys
from yolov1_fo.jobs import monitor, spawn
from yolov1_fo.jobs.job import Job, read_arguments
from yolov1_fo.pipeline import sampling, tiling
from yolov1_fo.publishing import model_sources
from yolov1_fo.runs import (
    automatic,
    checkpoint,
    estimate,
    folders,
    gpus,
    records,
    registry,
    run_json,
)
from yolov1_fo.training import matching_layers, starting_weights


def train(
    samples: fo_samples.Samples,
    gt_field: str,
    val_samples: fo_samples.Samples | None,
    run_key: str | None = None,
    settings: dict[str, Any] | None = None,
    *,
    weights: str | None = None,
    device: str | None = None,
    runs_dir: str | os.PathLike[str] | None = None,
) -> Job:
    """Starts a training.

    Args:
        samples: the training split
        gt_field: its field of Detections
        val_samples: the validation split; None puts a part aside, as `train` does
        run_key (None): the run's name on the dataset; None chooses an unused one
        settings (None): fields of `TrainConfig`; others come from the recipe
        weights (None): what to start from, as in `train`
        device (None): number of a GPU, or `cpu`
        runs_dir (None): replaces FiftyOne's folder for datasets

    Raises:
        ValueError: if the samples, the field, the name or a setting is invalid, the
            splits overlap, or the weights do not fit
        FileNotFoundError: if there are no such weights
        ImportError: if TensorFlow is needed and not installed
        OSError: if the job did not start
    """
    samples = fo_samples.ungrouped(samples)
    if val_samples is not None:
        val_samples = fo_samples.ungrouped(val_samples, "val_samples")
        splitting.check_disjoint(splitting.shared_count(samples, val_samples))
    dataset = fiftyone_private.root_dataset(samples)
    source = None if weights is None else starting_weights.find(dataset, weights)
    config = check_train(
        *(samples, gt_field, val_samples, settings), source=source, device=device
    )
    run_key = run_key or registry.new_key(dataset, config.network, runs_dir)
    folder = folders.run_folder(dataset, run_key, runs_dir)
    registry.check_key(dataset, run_key, folder)
    arguments = {
        "view": fo_samples.stages(samples),
        "val_view": None if val_samples is None else fo_samples.stages(val_samples),
        "field": gt_field,
        "settings": settings or {},
        "weights": weights,
        "device": device,
    }
    return spawn.start(dataset, "train", run_key, arguments, runs_dir=runs_dir)


def check_train(
    samples: fo_samples.Samples,
    gt_field: str,
    val_samples: fo_samples.Samples | None,
    settings: dict[str, Any] | None = None,
    classes: list[str] | None = None,
    *,
    source: starting_weights.Source | None = None,
    images: int | None = None,
    val_images: int = 0,
    device: str | None = None,
) -> TrainConfig:
    """Returns the settings of a training, checked without reading a file.

    The grid, which depends on the boxes, is the finest unless it is given.

    Args:
        samples: the training split
        gt_field: its field of Detections
        val_samples: the validation split; None puts a part aside
        settings (None): fields of `TrainConfig`
        classes (None): of the field, if the caller has read them already
        source (None): what to start from, of `starting_weights.find`
        images (None): number of training images, if it is known already
        val_images (0): number of validation images, if it is known already
        device (None): number of a GPU, or `cpu`

    Raises:
        ValueError: if the samples, the field or a setting is invalid, or the weights
            do not fit
        ImportError: if TensorFlow is not installed
    """
    spawn.check_backend()
    checks.check_labeled(samples, gt_field, "gt_field")
    spawn.check_persistent(fiftyone_private.root_dataset(samples))
    if val_samples is not None:
        checks.check_labeled(val_samples, gt_field, "gt_field of val_samples")
    classes = classes or class_lists.classes_of(samples, gt_field)
    draft = matching_layers.draft(settings or {}, len(classes), source)
    count = len(samples) if images is None else images
    has_gpu = gpus.is_used(device)
    facts = automatic.Facts(count, val_images, None, classes, has_gpu=has_gpu)
    config, _ = draft.preview(facts)
    check_batch_size(config, count)
    media_files.check(samples, config.media_field)
    if config.sample_weights not in ("", sampling.BALANCED):
        sample_weights_field.check(samples, config.sample_weights)
    return config


def check_batch_size(config: TrainConfig, images: int) -> None:
    """Raises a ValueError if a batch is larger than the training split."""
    count = images * tiling.count(config.tiles)
    if config.batch_size > count:
        tiles = " and tiles" if config.tiles else ""
        raise ValueError(
            f"batch_size {config.batch_size} must be at most the number of training "
            f"images{tiles}, got {count}"
        )


def estimate_training(
    dataset: fo.Dataset,
    config: TrainConfig,
    images: int,
    val_images: int,
    *,
    device: str | None = None,
    has_max_epochs: bool = False,
) -> estimate.Estimate:
    """Returns the estimated time and memory of a training.

    Args:
        dataset: whose earlier runs make the estimate better
        config: from `check_train`
        images: number of training images
        val_images: number of validation images
        device (None): number of a GPU, or `cpu`
        has_max_epochs (False): whether `epochs` limits a training with `max_minutes`
    """
    runs = [(key, records.info(dataset, key)) for key in registry.newest_first(dataset)]
    return estimate.estimate_training(
        *(config, images, val_images, estimate.find_past_runs(runs)),
        has_gpu=gpus.is_used(device),
        has_max_epochs=has_max_epochs,
    )


def is_resumable(dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether a run was started as a job, and stopped or failed."""
    if registry.status(dataset, run_key) not in registry.RESUMABLE:
        return False
    folder = records.folder_of(dataset, run_key)
    return folder is not None and monitor.find(folder / folders.JOB) is not None


def resume(dataset: fo.Dataset, run_key: str) -> Job:
    """Resumes a training that was started as a job.

    Raises:
        ValueError: if there is no such run, it has finished, or was not a job
        FileNotFoundError: if its folder does not exist
        ImportError: if TensorFlow is not installed
        OSError: if the job did not start
    """
    spawn.check_backend()
    run_key = registry.find(dataset, run_key)
    registry.check_resumable(dataset, run_key)
    folder = registry.existing_folder(dataset, run_key)
    before = monitor.find(Path(folder) / folders.JOB)
    if before is None:
        raise ValueError(
            f"run '{run_key}' was not started in the App, which does not know its "
            f"samples; resume it in Python: train(samples, resume='{run_key}')"
        )
    arguments = {**read_arguments(before.folder), "resume": True}
    return spawn.start(dataset, before.task, run_key, arguments, folder=before.folder)


def read_metadata(
    dataset: fo.Dataset, model: str, tasks: Collection[str] = (run_json.DETECT,)
) -> dict[str, Any]:
    """Returns the metadata of a model's checkpoint; none of an untrained network.

    Args:
        dataset: that its run may belong to
        model: run key, checkpoint folder, or name of a published model
        tasks (detect): of which it must be one

    Raises:
        ValueError: if it is for another task
        FileNotFoundError: if there is no such model
    """
    config = model_sources.find_config(model, dataset)
    if "checkpoint_dir" not in config:
        return {}  # an entry of our zoo manifest
    folder = Path(config["checkpoint_dir"])
    task = run_json.task_of(checkpoint.read_metadata(folder))
    required = task if task in tasks else run_json.DETECT
    return checkpoint.read_metadata(folder, required)


def evaluate(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    classes: list[str] | None = None,
    *,
    iou_thresh: float = 0.5,
    confidence_thresh: float | None = None,
) -> Job:
    """Starts an evaluation.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections with confidences
        gt_field: field of Detections
        eval_key: name of the evaluation on the dataset
        classes (None): classes to evaluate; None evaluates those of `gt_field`
        iou_thresh (0.5): IoU from which a prediction matches an object
        confidence_thresh (None): confidence from which predictions count, except in
            mAP; None is that of best F1

    Raises:
        ValueError: if the samples, a field or the name is invalid
        OSError: if the job did not start
    """
    samples = fo_samples.ungrouped(samples)
    checks.check_labeled(samples, pred_field, "pred_field")
    checks.check_detections(samples, gt_field, "gt_field")
    if classes is not None:
        class_names.check(classes)
    evaluation_keys.check(samples, pred_field, gt_field, eval_key)
    arguments = {
        "view": fo_samples.stages(samples),
        "pred_field": pred_field,
        "gt_field": gt_field,
        "classes": classes,
        "iou_thresh": iou_thresh,
        "confidence_thresh": confidence_thresh,
    }
    return spawn.start(
        fiftyone_private.root_dataset(samples), "evaluate", eval_key, arguments
    )
