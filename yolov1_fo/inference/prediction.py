"""Applies a model: the same detections as FiftyOne's `apply_model`, but faster."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone.core.media as fomm

from yolov1_fo import hardware
from yolov1_fo.config import MAX_TILES, arguments
from yolov1_fo.datasets import checks, connection, fiftyone_private, media_files
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.datasets.predictions_field import PredictionsField
from yolov1_fo.inference import (
    engine_worker,
    engines,
    keras_application,
    prediction_pass,
    video_prediction,
)
from yolov1_fo.inference.apply_options import ApplyOptions
from yolov1_fo.model.checkpoint_model import CheckpointModel
from yolov1_fo.model.keras_tasks.task_model import KerasTaskModel
from yolov1_fo.model.yolov1_model import YOLOv1Model


@connection.one_line_errors()
def apply(
    samples: fo_samples.Samples,
    model: YOLOv1Model | KerasTaskModel,
    label_field: str = "predictions",
    *,
    batch_size: int = 16,
    skip_existing: bool = False,
    engine: str = "thread",
    num_workers: int = 0,
    store_logits: bool = False,
    tiles: int | None = None,
    media_field: str | None = None,
    progress: bool | Callable[..., Any] | None = None,
) -> dict[str, str]:
    """Writes the model's detections to a field of the samples.

    A model of `from_keras` writes its labels, of any kind, to a new field of images,
    as `apply_model` does; `skip_existing`, `store_logits`, `tiles`, `engine`,
    `num_workers` and `media_field` are not for it.

    Threads decode files while the network computes, and detections are written in bulk.
    An unreadable file gets no detections; a truncated one gets those of the part that
    can be decoded, as with `apply_model`. Both are returned.

    All frames of a video are predicted; its earlier predictions are replaced when all
    frames are done. Detections on a view of frames are written to the frames of the
    videos.

    Only predictions that `apply` has written are replaced. Other labels in the field
    are an error, also those that a view hides or that another process has just written;
    so are objects without confidence, which are annotations, and the field that the
    model was trained on. If an error occurs, earlier detections are kept.

    Args:
        samples: a FiftyOne dataset or view of images or videos; the active slice of
            groups
        model: from `load_model`
        label_field ("predictions"): created if it does not exist
        batch_size (16): images per forward pass
        skip_existing (False): skips samples that have a value in the field
        engine ("thread"): where the network computes: in this process, while threads
            decode images; "process": in other processes of this machine; "ray": in a
            Ray cluster, see docs/cluster.md. The last two are for images
        num_workers (0): number of threads that decode images, or of processes; 0 means
            one per CPU core or, in a Ray cluster with GPUs, one per GPU
        store_logits (False): whether each object gets an attribute `logits`: those of
            its classes, in the order of `model.classes`
        tiles (that of the model): predicts tiles x tiles overlapping parts of each
            image too, for small objects; 0 is none
        media_field (that of the training): the field with the image files: filepath,
            or a field of paths or URLs such as s3://bucket/image.jpg
        progress (None): as in FiftyOne: True, False, None for its default, or a
            callback

    Returns:
        unreadable and truncated image files, with what is wrong with each

    Raises:
        TypeError: if `samples` is not a collection, or `model` not one
            from `load_model`
        ValueError: if the collection, the field or another argument is invalid, or the
            field holds anything but predictions
        ImportError: if the engine or a URL needs a package that is missing
        OSError: if the database does not answer, or processes die repeatedly
    """
    options = ApplyOptions(batch_size, skip_existing, engine, num_workers, media_field)
    options.check()
    arguments.check_bool("store_logits", store_logits)
    samples = fo_samples.ungrouped(samples, media_types=(fomm.IMAGE, fomm.VIDEO))
    if isinstance(model, KerasTaskModel):
        _check_keras_task(options, store_logits=store_logits, tiles=tiles)
        return keras_application.apply_to_new_field(
            *(samples, model, label_field), batch_size=batch_size, progress=progress
        )
    check_model(model)
    if engine != "thread":
        options.check_model(model.metadata, has_gpu=hardware.has_accelerator())
    tiles = model.tiles if tiles is None else tiles
    arguments.check_integer("tiles", tiles, 0, MAX_TILES)
    store_logits = store_logits or model.store_logits
    if samples.media_type == fomm.VIDEO:
        options.check_videos()
        return video_prediction.apply_to_videos(
            *(samples, model, label_field, batch_size, progress),
            about=describe(model),
            tiles=tiles,
            store_logits=store_logits,
        )
    checks.check_images(samples)
    if media_field is not None:
        media_files.check(samples, media_field)
    output = PredictionsField(
        *(samples, label_field),
        replaces=not skip_existing,
        gt_field=model.metadata.get("gt_field"),
        model=describe(model),
        has_logits=store_logits,
    )
    existing = output.filled_ids() if skip_existing else set()
    files = prediction_pass.files_of(
        samples, model, skip=existing, media_field=media_field
    )
    if engine == "thread":
        batches = prediction_pass.PredictionPass(
            *(files, model, batch_size, num_workers, progress), tiles=tiles
        )
        engine_worker.write(batches, output, model, store_logits=store_logits)
        faults = batches.faults
    else:
        task = _task(model, output, batch_size, tiles, store_logits)
        try:
            faults = engines.predict(
                *(engine, files, task, output.declare),
                num_workers=num_workers,
                progress=progress,
            )
        finally:
            output.reload_samples()
    if output.is_declared:
        is_whole = len(files) == len(fo_samples.all_samples(samples).view())
        output.record(replaces=is_whole)
    return faults


def _check_keras_task(
    options: ApplyOptions, *, store_logits: bool, tiles: int | None
) -> None:
    """Raises a ValueError if an option is not for a model of `from_keras`."""
    given = [name for name in options.given() if name != "batch_size"]
    given += ["store_logits"] * store_logits + ["tiles"] * (tiles is not None)
    if given:
        raise ValueError(f"{given[0]} is not for a KerasTaskModel; use apply_model")


def _task(
    model: YOLOv1Model,
    output: PredictionsField,
    batch_size: int,
    tiles: int,
    store_logits: bool,
) -> engine_worker.Task:
    """Returns what each process of an engine does."""
    config = model.config.serialize()
    config["confidence_thresh"] = (
        model.config.confidence_thresh or 0.0
    )  # as it predicts
    for name in ("checkpoint_dir", "model_path", "weights_path"):
        if config.get(name):
            config[name] = str(Path(config[name]).absolute())
    return engine_worker.Task(
        config=json.dumps(config),
        targets=tuple(
            (
                *(
                    target.samples.name,
                    str(fiftyone_private.dataset_id(target.samples)),
                ),
                *(target.path, target.key_field),
            )
            for target in output.targets
        ),
        batch_size=batch_size,
        tiles=tiles,
        store_logits=store_logits,
    )


def describe(model: YOLOv1Model) -> dict[str, Any]:
    """Returns what a field of predictions records about its model, as JSON.

    Returns:
        model, its name; run_folder of its training, with the ids of its training
        samples, or None; thresh and class_threshs of its operating point, if it was
        measured, the latter as pairs, since keys of a database can't be any name
    """
    metadata, config = model.metadata, model.config
    names = (
        *(metadata.get("run_key"), config.model_name, config.released),
        *(config.weights_path, metadata.get("origin"), "a network without a name"),
    )
    point = metadata.get("operating_point") or {}
    return {
        "model": next(name for name in names if name),
        "run_folder": metadata.get("folder"),
        "thresh": point.get("thresh"),
        "class_threshs": [list(one) for one in point.get("class_threshs", {}).items()],
    }


def check_model(model: YOLOv1Model) -> None:
    """Raises a TypeError unless the model is a `YOLOv1Model`."""
    if isinstance(model, CheckpointModel) and not isinstance(model, YOLOv1Model):
        raise TypeError(
            f"model must be a YOLOv1Model, got a {type(model).__name__}; apply it with "
            "dataset.apply_model(model, label_field=...)"
        )
    if not isinstance(model, YOLOv1Model):
        is_source = isinstance(model, str)
        got = repr(model) if is_source else f"a {type(model).__name__}"
        argument = repr(model) if is_source else "..."
        raise TypeError(
            f"model must be a YOLOv1Model, got {got}; load one with "
            f"yolov1_fo.load_model({argument})"
        )
