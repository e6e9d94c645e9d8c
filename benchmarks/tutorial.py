"""Speed of training, compared with a typical Keras tutorial.

The tutorial, rewritten: plain `fit`, a Python generator that reads one file per step
with Pillow and encodes its boxes with NumPy, batches of 1. The library: `Learner` on
images in memory, batches of 8. Both use Adam and the same loss.

    python -m benchmarks.tutorial WAY PHOTOGRAPHS NETWORK IMAGE_SIZE
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from benchmarks import measuring, processes
from benchmarks.coco import Photographs, read_coco
from benchmarks.measuring import Figure
from benchmarks.processes import MeasuredProcess
from yolov1_fo import grid, hardware, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build
from yolov1_fo.pipeline import batches, image_cache, shuffling
from yolov1_fo.training.learner_builder import uncompiled

TUTORIAL, FLOAT32, BFLOAT16 = (
    "tutorial",
    "yolov1_fo float32",
    "yolov1_fo mixed_bfloat16",
)
BATCH_SIZE, IMAGES, STEPS = 8, 64, {TUTORIAL: 8, FLOAT32: 2, BFLOAT16: 2}


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second, and ratios."""
    has_bfloat16 = hardware.fastest_precision() == "bfloat16"
    has_more = has_bfloat16 and not quick
    ways = [TUTORIAL, FLOAT32, BFLOAT16] if has_more else [TUTORIAL, FLOAT32]
    name, image_size = ("fast-yolov1", 64) if quick else ("yolov1", 448)
    times: dict[str, Array] = {}
    peaks: dict[str, float] = {}
    for way in ways[1:]:  # not enough memory for three networks with Adam
        names = [TUTORIAL, way]
        with (
            MeasuredProcess(
                "benchmarks.tutorial", TUTORIAL, photographs, name, image_size
            ) as first,
            MeasuredProcess(
                "benchmarks.tutorial", way, photographs, name, image_size
            ) as second,
        ):
            pair = dict(zip(names, (first, second), strict=True))
            measured = processes.alternate_processes(pair, 2 if quick else 5)
            peaks |= {one: process.peak_gb for one, process in pair.items()}
        times |= {f"{one} with {way}": taken for one, taken in measured.items()}
    for way in ways[1:]:
        what = f"training {name}, {image_size} px"
        tutorial = times[f"{TUTORIAL} with {way}"] / STEPS[TUTORIAL]
        library = times[f"{way} with {way}"] / (STEPS[way] * BATCH_SIZE)
        for one, taken in ((TUTORIAL, tutorial), (way, library)):
            note = f"{peaks[one]:.1f} GB"
            yield measuring.figure(f"{what}, {one}", 1 / taken, "images/s", note=note)
        yield measuring.figure(
            f"{what}, speed of {way} / {TUTORIAL}",
            tutorial / library,
            target=2.0 if way == FLOAT32 else 3.0,
        )


def train_as_tutorial(split: Photographs, name: str, image_size: int) -> Any:
    """Returns a function that trains a few steps as the tutorial does."""
    config = TrainConfig(network=name, image_size=image_size, C=len(split.classes))
    network = build.detector(config)

    def summed(y_true: Array, y_pred: Array) -> Array:
        terms = loss.weighted(
            loss.terms(y_true, y_pred, config, config), config, config.S
        )
        return sum(terms)

    network.compile(keras.optimizers.Adam(1e-5), loss=summed)

    def batches() -> Iterator[tuple[Array, Array]]:
        while True:
            for row, path in enumerate(split.listing.filepaths):
                with Image.open(path) as file:
                    image = file.convert("RGB").resize((image_size, image_size))
                boxes, class_ids = split.listing.objects.padded(np.array([row]), 64)
                scaled = np.asarray(image, np.float32)[None] / 255
                yield scaled, grid.encode(boxes, class_ids, config)

    endless = batches()
    return lambda: steps(network, endless, steps_per_epoch=STEPS[TUTORIAL])


def train_with_library(
    split: Photographs, name: str, image_size: int, precision: str
) -> Any:
    """Returns a function that trains a few steps with this library."""
    config = TrainConfig(
        network=name,
        image_size=image_size,
        C=len(split.classes),
        batch_size=BATCH_SIZE,
        optimizer="adam",
        learning_rate=1e-5,
        weight_decay=0.0,
        schedule="constant",
        precision=precision,
    )
    learner = uncompiled(config)
    learner.prepare(shuffling.steps_per_epoch(IMAGES, BATCH_SIZE))
    pixels = image_cache.load(split.listing.filepaths, image_size).pixels
    objects = split.listing.objects
    made = batches.HostBatches(
        pixels, objects, batch_size=BATCH_SIZE, seed=0, width=objects.max_per_image()
    )
    fed = made.endless()
    return lambda: steps(learner, fed, steps_per_epoch=STEPS[FLOAT32], shuffle=False)


def steps(model: keras.Model, fed: Any, **options: Any) -> float:
    """Returns the seconds of a `fit`, until its last step.

    TensorFlow can delay the end of `fit` by as much again if Keras creates the dataset;
    in the tutorial's many epochs this is negligible, and it is not counted.
    """
    marks: list[float] = []

    def mark(*_: Any) -> None:
        marks.append(time.perf_counter())

    watch = keras.callbacks.LambdaCallback(on_train_begin=mark, on_train_end=mark)
    model.fit(fed, verbose=0, callbacks=[watch], **options)
    return marks[1] - marks[0]


def main() -> None:
    way, photographs, name, image_size = sys.argv[1:]
    split = read_coco(Path(photographs) / "highway" / "train")
    split = split._replace(listing=split.listing.take(range(IMAGES)))
    if way == TUTORIAL:
        processes.serve(train_as_tutorial(split, name, int(image_size)))
    else:
        processes.serve(
            train_with_library(
                split, name, int(image_size), way.removeprefix("yolov1_fo ")
            )
        )


if __name__ == "__main__":
    main()
