"""What is killed in the middle; each call runs in a process of its own."""

from typing import Any

import fiftyone as fo

import yolov1_fo
from benchmarks import sandbox
from yolov1_fo.datasets import output_fields
from yolov1_fo.runs import records, registry

DATASET, KEY, KEPT = "kills", "doomed", "kept"
LEARNING: dict[str, Any] = {
    **sandbox.SETTINGS,
    "batch_size": 6,
    "epochs": 4,
    "dropout": 0.5,
    "optimizer": "adam",
    "ema_momentum": 0.9,
    "validation_freq": 2,
}
CACHE_GB = 1e-3
"""A run keeps its decoded images in a file."""


def dataset() -> fo.Dataset:
    """Returns the dataset of all trials."""
    return fo.load_dataset(DATASET)


def train(mode: str, key: str = KEY, **settings: Any) -> None:
    """Trains as a run of that name."""
    yolov1_fo.train(
        dataset().match_tags("train"),
        val_samples=dataset().match_tags("val"),
        run_key=key,
        data=mode,
        cache_gb=CACHE_GB,
        **{**LEARNING, **settings},
    )


def resume(mode: str) -> None:
    """Goes on with the run, or begins it anew where it never began."""
    if not registry.exists(dataset(), KEY):
        train(mode)
    elif records.info(dataset(), KEY).status != "finished":
        yolov1_fo.train(
            dataset().match_tags("train"),
            val_samples=dataset().match_tags("val"),
            resume=KEY,
            progress=False,
        )


def apply(field: str) -> None:
    """Predicts into a field, in several writes."""
    output_fields.WRITE_EVERY = 8
    model = yolov1_fo.load_model(KEPT, confidence_thresh=0.0)
    yolov1_fo.apply(dataset(), model, field, progress=False)


def evaluate() -> float:
    """Evaluates under a name; returns a number of it."""
    report = yolov1_fo.evaluate(dataset(), "predictions", eval_key=KEY, progress=False)
    return report.coco_map


def publish() -> None:
    """Publishes a run that has finished."""
    yolov1_fo.publish(registry.existing_folder(dataset(), "whole_host"), KEY)


def unpublish() -> None:
    """Takes away what was published before."""
    yolov1_fo.unpublish(KEY)


def interrupt_training() -> None:
    """Leaves a run that can go on after its second epoch."""

    def stop(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    train("host", on_epoch=stop)
