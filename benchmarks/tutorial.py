"""Training as the tutorial does it, beside ours, on the same photographs and network.

Its way, written anew: Keras' `fit` as it stands, one Python generator that reads a file
a step with Pillow and encodes its boxes with NumPy, batches of 1. Ours: `Learner` on
images that are kept in memory, batches of 8. Both take Adam and the same loss.

    python -m benchmarks.tutorial WAY PHOTOGRAPHS NETWORK SIDE
"""

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from PIL import Image

from benchmarks import measuring
from benchmarks.coco import Photographs, read_coco
from benchmarks.measuring import Contestant, Figure
from yolov1_fo import grid, hardware, loss
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build
from yolov1_fo.pipeline import batches, image_cache, shuffling
from yolov1_fo.training import learner

THEIRS, OURS, HALF = "tutorial", "ours float32", "ours mixed_bfloat16"
BATCH, IMAGES, STEPS = 8, 64, {THEIRS: 8, OURS: 2, HALF: 2}


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images a second of each way, and their ratios."""
    has_half = hardware.fastest_precision() == "bfloat16"
    ways = [THEIRS, OURS, HALF] if has_half else [THEIRS, OURS]
    name, image_size = ("fast-yolov1", 64) if quick else ("yolov1", 448)
    times: dict[str, Array] = {}
    peaks: dict[str, float] = {}
    for way in ways[1:]:  # three full networks with Adam's moments are too many
        rival = [THEIRS, way]
        with (
            Contestant(
                "benchmarks.tutorial", THEIRS, photographs, name, image_size
            ) as first,
            Contestant(
                "benchmarks.tutorial", way, photographs, name, image_size
            ) as second,
        ):
            pair = dict(zip(rival, (first, second), strict=True))
            asked = measuring.asked_in_turns(pair, 2 if quick else 5)
            peaks |= {one: contestant.peak_gb for one, contestant in pair.items()}
        times |= {f"{one} beside {way}": taken for one, taken in asked.items()}
    for way in ways[1:]:
        what = f"training {name}, {image_size} px"
        theirs = times[f"{THEIRS} beside {way}"] / STEPS[THEIRS]
        ours = times[f"{way} beside {way}"] / (STEPS[way] * BATCH)
        for one, taken in ((THEIRS, theirs), (way, ours)):
            note = f"{peaks[one]:.1f} GB"
            yield measuring.figure(f"{what}, {one}", 1 / taken, "images/s", note=note)
        yield measuring.figure(
            f"{what}, {way} by {THEIRS}",
            theirs / ours,
            target=2.0 if way == OURS else 3.0,
        )


def theirs(split: Photographs, name: str, image_size: int) -> Any:
    """Returns what trains a few steps as the tutorial does."""
    config = TrainConfig(network=name, image_size=image_size, C=len(split.classes))
    built = build.detector(config)

    def summed(y_true: Array, y_pred: Array) -> Array:
        terms = loss.weighted(loss.terms(y_true, y_pred, config, config), config)
        return sum(terms)

    built.compile(keras.optimizers.Adam(1e-5), loss=summed)

    def batches() -> Iterator[tuple[Array, Array]]:
        while True:
            for row, path in enumerate(split.listing.filepaths):
                with Image.open(path) as file:
                    image = file.convert("RGB").resize((image_size, image_size))
                boxes, class_ids = split.listing.objects.padded(np.array([row]), 64)
                scaled = np.asarray(image, np.float32)[None] / 255
                yield scaled, grid.encode(boxes, class_ids, config)

    endless = batches()
    return lambda: steps(built, endless, steps_per_epoch=STEPS[THEIRS])


def ours(split: Photographs, name: str, image_size: int, precision: str) -> Any:
    """Returns what trains a few steps as we do."""
    config = TrainConfig(
        network=name,
        image_size=image_size,
        C=len(split.classes),
        batch_size=BATCH,
        optimizer="adam",
        learning_rate=1e-5,
        weight_decay=0.0,
        schedule="constant",
        precision=precision,
    )
    learns = learner.uncompiled(config)
    learns.prepare(shuffling.steps_per_epoch(IMAGES, BATCH))
    kept, _ = image_cache.load(split.listing.filepaths, image_size)
    objects = split.listing.objects
    made = batches.HostBatches(
        kept, objects, batch_size=BATCH, seed=0, width=objects.max_per_image()
    )
    fed = made.endless()
    return lambda: steps(learns, fed, steps_per_epoch=STEPS[OURS], shuffle=False)


def steps(model: keras.Model, fed: Any, **options: Any) -> float:
    """Returns the seconds of a `fit` until its last step is done.

    Where Keras makes the dataset, TensorFlow may hold up the end of `fit` by as much
    again; over the tutorial's many epochs that is nothing, so it does not count.
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
    if way == THEIRS:
        measuring.answer(theirs(split, name, int(image_size)))
    else:
        measuring.answer(ours(split, name, int(image_size), way.removeprefix("ours ")))


if __name__ == "__main__":
    main()
