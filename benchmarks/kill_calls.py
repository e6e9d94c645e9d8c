"""The calls that are interrupted, each in a process of its own."""

from typing import Any

import fiftyone as fo

import yolov1_fo
from benchmarks import sandbox
from yolov1_fo.datasets import bulk_writer
from yolov1_fo.runs import records, registry

DATASET, KEY, KEPT = "kills", "doomed", "kept"
TRAINING: dict[str, Any] = {
    **sandbox.SETTINGS,
    "batch_size": 6,
    "epochs": 4,
    "dropout": 0.5,
    "optimizer": "adam",
    "ema_momentum": 0.9,
    "validation_freq": 2,
}
CACHE_GB = 1e-3
"""Enough to cache the decoded images of a run."""


def dataset() -> fo.Dataset:
    """Returns the dataset of all trials."""
    return fo.load_dataset(DATASET)


def train(mode: str, key: str = KEY, **settings: Any) -> None:
    """Trains with a run key."""
    yolov1_fo.train(
        dataset().match_tags("train"),
        val_samples=dataset().match_tags("val"),
        run_key=key,
        data=mode,
        cache_gb=CACHE_GB,
        **{**TRAINING, **settings},
    )


def resume(mode: str) -> None:
    """Resumes the run, or starts it if it was not registered."""
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
    bulk_writer.WRITE_EVERY = 8
    model = yolov1_fo.load_model(KEPT, confidence_thresh=0.0)
    yolov1_fo.apply(dataset(), model, field, progress=False)


def evaluate() -> float:
    """Evaluates; returns COCO's mAP."""
    report = yolov1_fo.evaluate(dataset(), "predictions", eval_key=KEY, progress=False)
    return report.coco_map


def publish() -> None:
    """Publishes a finished run."""
    yolov1_fo.publish(registry.existing_folder(dataset(), "undisturbed_host"), KEY)


def unpublish() -> None:
    """Unpublishes the model."""
    yolov1_fo.unpublish(KEY)


def interrupt_training() -> None:
    """Leaves a run that can be resumed after its second epoch."""

    def stop(epoch: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    train("host", on_epoch=stop)
