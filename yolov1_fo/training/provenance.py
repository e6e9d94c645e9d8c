"""What a run records about its origin: settings, images, labels, versions, devices."""

import importlib
import json
import logging
import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import keras

from yolov1_fo import __version__, hardware
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.pipeline.listing import Listing
from yolov1_fo.runs import estimate, records
from yolov1_fo.training import augmentation_layer, split_summary
from yolov1_fo.training.input_pipeline import InputPipeline
from yolov1_fo.training.plan import Plan

logger = logging.getLogger(__name__)


def record(plan: Plan, source: InputPipeline) -> dict[str, Any]:
    """Returns what a run stores at its start, as JSON.

    Args:
        plan: of the training
        source: its input pipeline, which has found out which images are readable
    """
    train = source.listing.untiled()
    val = source.validator.listing if source.validator else None
    backend = keras.backend.backend()
    return {
        "folder": str(plan.folder),
        "classes": plan.classes,
        "gt_field": plan.field,
        "task": plan.task.name,
        "weights": plan.parent and plan.parent["checkpoint"],
        "parent": plan.parent,
        "settings": asdict(plan.config),
        "max_epochs": plan.max_epochs,
        "put_aside": plan.put_aside,
        "augmentation": augmentation_layer.described(plan.augmentation),
        "data": source.mode,
        "device": estimate.device_name(accelerated=hardware.has_accelerator()),
        "devices": source.devices.count,
        "processes": source.devices.processes,
        "images": len(train.ids),
        "objects": len(train.objects.class_ids),
        "splits": _splits(plan, train, val),
        "dropped": train.dropped._asdict(),
        "samples_digest": fo_samples.digest(train.ids),
        "labels_digest": train.objects.digest(),
        "sample_weights_digest": source.sampler and source.sampler.digest(),
        "val_images": len(val.ids) if val else 0,
        "val_digest": fo_samples.digest(val.ids) if val else None,
        "val_labels_digest": val.objects.digest() if val else None,
        "skipped": len(source.skipped),
        "versions": {
            "yolov1-fo": __version__,
            "python": platform.python_version(),
            "keras": keras.__version__,
            "backend": f"{backend} {importlib.import_module(backend).__version__}",
            "fiftyone": version("fiftyone"),
        },
    }


def _splits(plan: Plan, train: Listing, val: Listing | None) -> dict[str, Any]:
    C = plan.config.C
    splits = {"train": split_summary.summarize(train, C)}
    return splits | ({"val": split_summary.summarize(val, C)} if val else {})


def check_same(plan: Plan, now: dict[str, Any]) -> None:
    """Checks that a run is resumed with the images that it started with.

    Args:
        plan: of a run that is resumed
        now: from `record`

    Raises:
        ValueError: if the images differ; other labels or versions are logged
    """
    then = records.info(plan.dataset, plan.run_key)
    given, wanted = now["augmentation"], getattr(then, "augmentation", None) or []
    if given != wanted:
        raise ValueError(
            f"augmentation must be that which run '{plan.run_key}' started with: "
            f"{_names(wanted)}; got {_names(given)}"
        )
    for argument, digest, images in (
        ("samples", "samples_digest", "images"),
        ("val_samples", "val_digest", "val_images"),
    ):
        if getattr(then, digest) != now[digest]:
            raise ValueError(
                f"{argument} must be those that run '{plan.run_key}' started with: "
                f"{getattr(then, images)} readable images then, "
                f"{now[images]} others now"
            )
    changing = ("labels_digest", "val_labels_digest", "sample_weights_digest")
    for what in (*changing, "versions"):
        if getattr(then, what, None) != now[what]:
            logger.warning(
                "%s changed since run '%s' started; it is resumed, but its result will "
                "differ from that of an uninterrupted training",
                what.removesuffix("_digest").replace("_", " "),
                plan.run_key,
            )


def _names(augmentation: list[dict[str, Any]]) -> str:
    """Returns the layers of an augmentation with their settings, in one line."""
    names = [f"{one['class_name']} {json.dumps(one['config'])}" for one in augmentation]
    return ", ".join(names) or "none"
