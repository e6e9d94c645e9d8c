"""Trainings on photographs, with images on the device or the host; used by `gpu`."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarks.coco import Photographs
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build
from yolov1_fo.pipeline import batches, image_cache, shuffling
from yolov1_fo.training import averaging, validation
from yolov1_fo.training.learner import Learner

TRAINING: dict[str, Any] = {
    "network": "fast-yolov1",
    "batch_norm": True,
    "batch_size": 32,
    "optimizer": "adam",
    "learning_rate": 5e-4,
    "schedule": "cosine",
    "dropout": 0.2,
    "ema_momentum": 0.999,
    "precision": "mixed_bfloat16",
}


class Resident(NamedTuple):
    """A learner that holds the images of a split, and the arguments of its batches."""

    learner: Learner
    pixels: Array
    options: dict[str, Any]


def resident(split: Photographs, config: TrainConfig) -> Resident:
    """Returns a learner for a split, with its images on the device."""
    pixels = image_cache.load(split.listing.filepaths, config.image_size).pixels
    objects, width = split.listing.objects, split.listing.objects.max_per_image()
    network = build.detector(config, precision=config.precision)
    learner = Learner(network, config)
    learner.prepare(shuffling.steps_per_epoch(len(pixels), config.batch_size))
    boxes, class_ids = objects.padded(np.arange(len(pixels)), width)
    learner.hold({"images": pixels, "boxes": boxes, "class_ids": class_ids})
    options = {"batch_size": config.batch_size, "seed": 0, "width": width}
    return Resident(learner, pixels, {"objects": objects, **options})


def feeding(
    split: Photographs, batch: int, image_size: int, steps: int
) -> Iterator[dict[str, Any]]:
    """Yields images per second in training, with images on the device or the host."""
    settings = {**TRAINING, "batch_size": batch, "image_size": image_size}
    config = TrainConfig(**settings, C=len(split.classes))
    learner, pixels, options = resident(split, config)
    for kind in (batches.DeviceBatches, batches.HostBatches) * 2:
        endless = kind(pixels, **options).endless()
        times = []
        for turn in range(3):
            start = time.perf_counter()
            learner.fit(endless, steps_per_epoch=steps, shuffle=False, verbose=0)
            if turn:  # the first includes compiling
                times.append(time.perf_counter() - start)
        yield {
            "what": f"fed from the {'device' if 'Device' in kind.__name__ else 'host'}",
            "network": config.network,
            "precision": config.precision,
            "batch": batch,
            "images_per_s": batch * steps / float(np.median(times)),
        }


def train(
    split: Photographs, val: Photographs, image_size: int, epochs: int
) -> dict[str, Any]:
    """Trains on the device; returns the curves."""
    config = TrainConfig(
        **TRAINING, image_size=image_size, C=len(split.classes), epochs=epochs
    )
    learner, pixels, options = resident(split, config)
    val_pixels = image_cache.load(val.listing.filepaths, image_size).pixels
    validate = validation.Validator(val.listing, config, val_pixels)
    measured = []

    def after(epoch: int, logs: dict[str, float]) -> None:
        if (epoch + 1) % max(epochs // 10, 1) == 0:
            with averaging.averaged_weights(learner):
                measured.append({"epoch": epoch + 1, **validate(learner.network)})
            print(f"epoch {epoch + 1}: loss {logs['loss']:.2f}, {measured[-1]}")

    start = time.perf_counter()
    history = learner.fit(
        batches.DeviceBatches(pixels, **options).endless(),
        steps_per_epoch=shuffling.steps_per_epoch(len(pixels), config.batch_size),
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after)],
    ).history
    return {
        "settings": {**TRAINING, "epochs": epochs, "image_size": image_size},
        "images": len(pixels),
        "minutes": (time.perf_counter() - start) / 60,
        "loss": history["loss"],
        "measured": measured,
    }
