"""Starts jobs, after the checks that need no Keras."""

import os
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.media as fomm

from yolov1_fo.config import TrainConfig, class_names
from yolov1_fo.datasets import checks, class_lists, output_fields
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.evaluation import evaluation_keys
from yolov1_fo.jobs import control
from yolov1_fo.jobs.control import Job
from yolov1_fo.publishing import resolve
from yolov1_fo.runs import checkpoint, estimate, registry


def train(
    samples: fo_samples.Samples,
    gt_field: str,
    val_samples: fo_samples.Samples | None,
    run_key: str | None = None,
    settings: dict[str, Any] | None = None,
    *,
    runs_dir: str | os.PathLike[str] | None = None,
) -> Job:
    """Starts a training.

    Args:
        samples: the images to learn from
        gt_field: their field of Detections
        val_samples: images to measure mAP on; None measures nothing
        run_key (None): the run's name on the dataset; made up if None
        settings (None): fields of `TrainConfig`
        runs_dir (None): where checkpoints go, instead of FiftyOne's folder for datasets

    Raises:
        ValueError: if the samples, the field, the name or a setting does not fit
        OSError: if the job did not start
    """
    samples = fo_samples.flat(samples)
    if val_samples is not None:
        val_samples = fo_samples.flat(val_samples, "val_samples")
    config = check(samples, gt_field, val_samples, settings)
    dataset = samples._root_dataset
    run_key = run_key or registry.new_key(dataset, config.network, runs_dir)
    registry.check_key(dataset, run_key, registry.folder(dataset, run_key, runs_dir))
    said = {
        "view": fo_samples.stages(samples),
        "val_view": None if val_samples is None else fo_samples.stages(val_samples),
        "field": gt_field,
        "settings": settings or {},
    }
    return control.start(dataset, "train", run_key, said, runs_dir=runs_dir)


def check(
    samples: fo_samples.Samples,
    gt_field: str,
    val_samples: fo_samples.Samples | None,
    settings: dict[str, Any] | None = None,
    classes: list[str] | None = None,
) -> TrainConfig:
    """Returns the settings of a training, checked as far as no file is read.

    Args:
        samples: the images to learn from
        gt_field: their field of Detections
        val_samples: images to measure mAP on; None measures nothing
        settings (None): fields of `TrainConfig`
        classes (None): of the field, if they are known

    Raises:
        ValueError: if the samples, the field or a setting does not fit
    """
    checks.check_labelled(samples, gt_field, "gt_field")
    control.check_persistent(samples._root_dataset)
    if val_samples is not None:
        checks.check_labelled(val_samples, gt_field, "gt_field of val_samples")
    classes = classes or class_lists.classes_of(samples, gt_field)
    settings = settings or {}
    TrainConfig.check_names(settings, "C")
    config = TrainConfig(C=len(classes), **settings)
    check_batch(config, len(samples))
    return config


def check_batch(config: TrainConfig, images: int) -> None:
    """Raises a ValueError if a batch is larger than all training images."""
    if config.batch_size > images:
        raise ValueError(
            f"batch_size {config.batch_size} must be at most the number of training "
            f"images, got {images}"
        )


def foresee(
    dataset: fo.Dataset, config: TrainConfig, images: int, val_images: int
) -> estimate.Estimate:
    """Returns how long a training may take, and what memory, as far as can be known.

    Args:
        dataset: whose earlier runs tell more
        config: from `check`
        images: to learn from
        val_images: to measure on
    """
    known = [(key, registry.info(dataset, key)) for key in registry.newest(dataset)]
    return estimate.of(config, images, val_images, estimate.past(known))


def resume(dataset: fo.Dataset, run_key: str) -> Job:
    """Goes on with a training that was begun as a job.

    Raises:
        ValueError: if there is no such run, it has finished, or was no job
        FileNotFoundError: if its folder is gone
        OSError: if the job did not start
    """
    run_key = registry.find(dataset, run_key)
    registry.check_resumable(dataset, run_key)
    folder = registry.checkpoint_dir(dataset, run_key)
    before = control.find(Path(folder) / registry.JOB)
    if before is None:
        raise ValueError(
            f"run '{run_key}' was not begun in the App; go on with "
            f"yolov1_fo.train(..., resume='{run_key}')"
        )
    said = control.arguments(before.folder)
    root = before.folder.parents[2]
    return control.start(
        dataset, before.task, run_key, {**said, "resume": True}, runs_dir=root
    )


def apply(
    samples: fo_samples.Samples,
    model: str,
    label_field: str,
    *,
    batch_size: int = 16,
    skip_existing: bool = False,
    settings: dict[str, Any] | None = None,
) -> Job:
    """Starts predicting.

    Args:
        samples: a FiftyOne dataset or view of images or videos
        model: run key, checkpoint's folder, or name of a published model
        label_field: is made if it does not exist
        batch_size (16): images a forward pass
        skip_existing (False): leaves samples alone that have the field
        settings (None): of `YOLOv1ModelConfig`

    Raises:
        ValueError: if the samples, a field or a setting does not fit
        FileNotFoundError: if there is no such model
        OSError: if the job did not start
    """
    samples = fo_samples.flat(samples, kinds=(fomm.IMAGE, fomm.VIDEO))
    check_apply(samples, model, label_field, batch_size, skip_existing=skip_existing)
    said = {
        "view": fo_samples.stages(samples),
        "model": model,
        "settings": settings or {},
        "batch_size": batch_size,
        "skip_existing": skip_existing,
    }
    target = label_field.removeprefix("frames.")
    return control.start(samples._root_dataset, "apply", target, said)


def check_apply(
    samples: fo_samples.Samples,
    model: str,
    label_field: str,
    batch_size: int = 16,
    *,
    skip_existing: bool = False,
) -> dict[str, Any]:
    """Returns what the model's checkpoint says, checked as far as no Keras is needed.

    Args:
        samples: a FiftyOne dataset or view of images or videos
        model: run key, checkpoint's folder, or name of a published model
        label_field: is made if it does not exist
        batch_size (16): images a forward pass
        skip_existing (False): leaves samples alone that have the field

    Raises:
        ValueError: if the samples, a field or a setting does not fit
        FileNotFoundError: if there is no such model
    """
    control.check_persistent(samples._root_dataset)
    if samples.media_type == fomm.VIDEO:
        checks.check_videos(samples)
        if skip_existing:
            raise ValueError("skip_existing is for images, not for videos")
    else:
        checks.check_images(samples)
    output_fields.detections(samples, label_field, replaces=not skip_existing)
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    found = resolve.find(model, samples._root_dataset)
    if "checkpoint_dir" not in found:
        return {}  # one of ours in the zoo
    return checkpoint.read_metadata(Path(found["checkpoint_dir"]), "detect")


def evaluate(
    samples: fo_samples.Samples,
    pred_field: str,
    gt_field: str,
    eval_key: str,
    classes: list[str] | None = None,
    *,
    iou_thresh: float = 0.5,
) -> Job:
    """Starts an evaluation.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections with confidences
        gt_field: field of Detections
        eval_key: name of the evaluation on the dataset
        classes (None): classes to measure; by default those of `gt_field`
        iou_thresh (0.5): least overlap of a match

    Raises:
        ValueError: if the samples, a field or the name does not fit
        OSError: if the job did not start
    """
    samples = fo_samples.flat(samples)
    checks.check_labelled(samples, pred_field, "pred_field")
    checks.check_detections(samples, gt_field, "gt_field")
    if classes is not None:
        class_names.check(classes)
    evaluation_keys.check(samples, pred_field, gt_field, eval_key)
    dataset = samples._root_dataset
    said = {
        "view": fo_samples.stages(samples),
        "pred_field": pred_field,
        "gt_field": gt_field,
        "classes": classes,
        "iou_thresh": iou_thresh,
    }
    return control.start(dataset, "evaluate", eval_key, said)
