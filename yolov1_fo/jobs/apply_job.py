"""Starts applying a model, after all checks that need no Keras."""

from collections.abc import Mapping
from typing import Any

import fiftyone.core.media as fomm

from yolov1_fo.config import RUNTIMES, packages, spelling
from yolov1_fo.datasets import checks, fiftyone_private, media_files, new_field
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.inference.apply_options import ApplyOptions
from yolov1_fo.jobs import launch, spawn
from yolov1_fo.jobs.job import Job
from yolov1_fo.runs import gpus, run_json

TASKS = (run_json.DETECT, run_json.KERAS)
"""Tasks of the models that can be applied."""
DEFAULTS = ApplyOptions()


def start(
    samples: fo_samples.Samples,
    model: str,
    label_field: str,
    options: ApplyOptions = DEFAULTS,
    *,
    settings: dict[str, Any] | None = None,
) -> Job:
    """Starts applying a model.

    Args:
        samples: a FiftyOne dataset or view of images or videos
        model: run key, checkpoint folder, or name of a published model
        label_field: created if it does not exist
        options: of `apply`
        settings (None): of `YOLOv1ModelConfig`

    Raises:
        ValueError: if the samples, a field, an option or a setting is invalid
        FileNotFoundError: if there is no such model
        ImportError: if a package is needed and not installed
        OSError: if the job did not start
    """
    samples = fo_samples.ungrouped(samples, media_types=(fomm.IMAGE, fomm.VIDEO))
    settings = settings or {}
    check(samples, model, label_field, options, settings)
    arguments = {
        "view": fo_samples.stages(samples),
        "model": model,
        "settings": settings,
        "options": options._asdict(),
    }
    target = label_field.removeprefix("frames.")
    return spawn.start(
        fiftyone_private.root_dataset(samples), "apply", target, arguments
    )


def check(
    samples: fo_samples.Samples,
    model: str,
    label_field: str,
    options: ApplyOptions,
    settings: Mapping[str, Any],
    *,
    documents: bool = True,
) -> dict[str, Any]:
    """Returns the metadata of the model's checkpoint, after all checks without Keras.

    Args:
        samples: a FiftyOne dataset or view of images or videos
        model: run key, checkpoint folder, or name of a published model
        label_field: created if it does not exist
        options: of `apply`
        settings: of `YOLOv1ModelConfig`; others than the runtime are not checked
        documents (True): searches all samples for annotations that predictions would
            overwrite, which takes long on large datasets

    Raises:
        ValueError: if the samples, a field, an option or a setting is invalid
        FileNotFoundError: if there is no such model
        ImportError: if a package is not installed
    """
    dataset = fiftyone_private.root_dataset(samples)
    spawn.check_backend()
    spawn.check_persistent(dataset)
    checks.check_images_or_videos(samples)
    _check_options(samples, options, settings)
    metadata = launch.read_metadata(dataset, model, TASKS)
    if run_json.task_of(metadata) == run_json.KERAS:
        for name in (*options.given(), *settings):
            if name != "batch_size":
                raise ValueError(f"{name} is not for a Keras model")
        new_field.check(samples, label_field, "label_field")
        return metadata
    options.check_model(metadata, has_gpu=gpus.is_used(None))
    PredictionsField(
        *(samples, label_field),
        replaces=documents and not options.skip_existing,
        gt_field=metadata.get("gt_field"),
    )
    return metadata


def _check_options(
    samples: fo_samples.Samples, options: ApplyOptions, settings: Mapping[str, Any]
) -> None:
    options.check()
    if samples.media_type == fomm.VIDEO:
        options.check_videos()
    elif options.media_field is not None:
        media_files.check(samples, options.media_field)
    runtime = settings.get("runtime")
    if runtime is not None:
        spelling.check_choice("runtime", runtime, RUNTIMES)
        packages.require_runtime(runtime)
