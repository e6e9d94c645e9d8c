"""Speed of the paper's networks on an accelerator, and a full training.

It needs only Keras with one backend, NumPy, OpenCV and photographs with a COCO
`labels.json` (`train/` and `val/`), and runs without TensorFlow and FiftyOne:

    KERAS_BACKEND=jax python -m benchmarks.gpu --photographs highway --json gpu.json

The peak is the speed of a large matrix product in the same precision, measured in the
same run.
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from benchmarks import measuring
from benchmarks.coco import Photographs, read_coco
from yolov1_fo import architectures, grid
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import error_lines
from yolov1_fo.networks import costs
from yolov1_fo.networks.predictor import Predictor
from yolov1_fo.pipeline import batches, image_cache, shuffling
from yolov1_fo.training import averaging, learner, validation

NETWORKS = ("fast-yolov1", "yolov1")
BATCHES = (1, 4, 16, 64, 256)
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
CLASSES = 20
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


def seconds(call: Callable[[], Any], repeats: int) -> float:
    """Returns the median time of a call and its result, after two warm-up calls."""
    times = []
    for _ in range(repeats + 2):
        start = time.perf_counter()
        np.asarray(call())
        times.append(time.perf_counter() - start)
    return float(np.median(times[2:]))


def peak(precision: str, size: int) -> float:
    """Returns the FLOP per second of a large matrix product."""
    rounds = 8
    matrix = ops.ones((size, size), dtype=precision)

    def product() -> Any:
        x = matrix
        for _ in range(rounds):
            x = ops.matmul(x, matrix) / size
        return ops.convert_to_numpy(ops.sum(ops.cast(x, "float32")))

    return rounds * 2 * size**3 / seconds(product, 5)


def flops(config: TrainConfig) -> float:
    """Returns the operations of one image's forward pass."""
    table = architectures.NETWORKS[config.network].layers
    _, count = costs.count(
        table, config.image_size, grid.output_size(config), batch_norm=False
    )
    return count


def synthetic(n: int, image_size: int) -> dict[str, Array]:
    """Returns a batch of noise with four objects per image."""
    rng = np.random.default_rng(0)
    corners = np.sort(rng.uniform(size=(n, 4, 2, 2)), axis=2).astype(np.float32)
    return {
        "images": rng.integers(0, 256, (n, image_size, image_size, 3), np.uint8),
        "boxes": corners.reshape(n, 4, 4),
        "class_ids": rng.integers(0, CLASSES, (n, 4)).astype(np.int32),
    }


def speeds(
    networks: list[str], batches: list[int], image_size: int, size: int, repeats: int
) -> Iterator[dict[str, Any]]:
    """Yields images per second of training and inference."""
    for precision, policy in PRECISIONS.items():
        best = peak(precision, size)
        yield {"what": "matrix product", "precision": precision, "tflops": best / 1e12}
        for network, batch in itertools.product(networks, batches):
            config = TrainConfig(
                network=network,
                C=CLASSES,
                image_size=image_size,
                batch_size=batch,
                precision=policy,
            )
            for what, passes, measure in (
                ("inference", 1, _inference),
                ("training", 3, _training),
            ):
                row = {
                    "what": what,
                    "network": network,
                    "precision": precision,
                    "batch": batch,
                }
                try:
                    rate = batch / measure(config, repeats)
                except Exception as error:
                    if not error_lines.is_out_of_memory(error):
                        raise
                    yield {**row, "skipped": "does not fit into memory"}
                    continue
                share = passes * flops(config) * rate / best
                yield {**row, "images_per_s": rate, "share_of_peak": share}


def _inference(config: TrainConfig, repeats: int) -> float:
    network = learner.uncompiled(replace(config, precision="float32")).network
    predict = Predictor(network, config.precision.removeprefix("mixed_"))
    images = synthetic(config.batch_size, config.image_size)["images"]
    return seconds(lambda: predict(images), repeats)


def _training(config: TrainConfig, repeats: int) -> float:
    """Returns seconds per step, with images on the device."""
    learns = learner.uncompiled(config)
    learns.prepare(1000)
    learns.hold(synthetic(config.batch_size, config.image_size))
    rows = {"rows": np.arange(config.batch_size, dtype=np.int32)}
    steps = 5

    def several() -> Any:
        for _ in range(steps):
            logs = learns.train_on_batch(rows)
        return logs

    return seconds(several, max(repeats // steps, 2)) / steps


class Resident(NamedTuple):
    """A learner that holds the images of a split, and the arguments of its batches."""

    learner: learner.Learner
    pixels: Array
    options: dict[str, Any]


def resident(split: Photographs, config: TrainConfig) -> Resident:
    """Returns a learner for a split, with its images on the device."""
    kept, _ = image_cache.load(split.listing.filepaths, config.image_size)
    objects, width = split.listing.objects, split.listing.objects.max_per_image()
    learns = learner.uncompiled(config)
    learns.prepare(shuffling.steps_per_epoch(len(kept), config.batch_size))
    boxes, class_ids = objects.padded(np.arange(len(kept)), width)
    learns.hold({"images": kept, "boxes": boxes, "class_ids": class_ids})
    options = {"batch_size": config.batch_size, "seed": 0, "width": width}
    return Resident(learns, kept, {"objects": objects, **options})


def feeding(
    split: Photographs, batch: int, image_size: int, steps: int
) -> Iterator[dict[str, Any]]:
    """Yields images per second in training, with images on the device or the host."""
    settings = {**TRAINING, "batch_size": batch, "image_size": image_size}
    config = TrainConfig(**settings, C=len(split.classes))
    learns, kept, options = resident(split, config)
    for kind in (batches.DeviceBatches, batches.HostBatches) * 2:
        endless = kind(kept, **options).endless()
        times = []
        for turn in range(3):
            start = time.perf_counter()
            learns.fit(endless, steps_per_epoch=steps, shuffle=False, verbose=0)
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
    learns, kept, options = resident(split, config)
    seen, _ = image_cache.load(val.listing.filepaths, image_size)
    measure = validation.Validator(val.listing, config, seen)
    measured = []

    def after(epoch: int, logs: dict[str, float]) -> None:
        if (epoch + 1) % max(epochs // 10, 1) == 0:
            with averaging.averaged_weights(learns):
                measured.append({"epoch": epoch + 1, **measure(learns.network)})
            print(f"epoch {epoch + 1}: loss {logs['loss']:.2f}, {measured[-1]}")

    start = time.perf_counter()
    history = learns.fit(
        batches.DeviceBatches(kept, **options).endless(),
        steps_per_epoch=shuffling.steps_per_epoch(len(kept), config.batch_size),
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=after)],
    ).history
    return {
        "settings": {**TRAINING, "epochs": epochs, "image_size": image_size},
        "images": len(kept),
        "minutes": (time.perf_counter() - start) / 60,
        "loss": history["loss"],
        "measured": measured,
    }


def line(row: dict[str, Any]) -> str:
    """Returns a row as text."""
    parts = [str(row[k]) for k in ("what", "network", "precision") if k in row]
    if "batch" in row:
        parts.append(f"batch {row['batch']}")
    label = ", ".join(parts)
    if "tflops" in row:
        return f"{label}: {row['tflops']:.1f} TFLOP/s"
    if "skipped" in row:
        return f"{label}: {row['skipped']}"
    share = row.get("share_of_peak", math.nan)
    peak_share = "" if math.isnan(share) else f", {100 * share:.0f} % of the peak"
    return f"{label}: {row['images_per_s']:.1f} images/s{peak_share}"


def about() -> dict[str, Any]:
    """Returns device and backend."""
    return {
        "device": f"{len(keras.distribution.list_devices())} x {_kind()}",
        "backend": keras.backend.backend(),
    }


def _kind() -> str:
    if keras.backend.backend() == "jax":
        import jax

        return jax.devices()[0].device_kind
    return measuring.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, help="a folder with train and val")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument(
        "--image-size", type=int, default=448, help="of images, in pixels"
    )
    parser.add_argument("--matrix", type=int, default=8192, help="side of the product")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=100, help="of the full training")
    parser.add_argument("--images", type=int, help="most images of the full training")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {**about(), "rows": []}

    def save() -> None:
        measuring.write(arguments.json, figures)

    rows: Iterator[dict[str, Any]] = speeds(
        arguments.networks,
        arguments.batches,
        arguments.image_size,
        arguments.matrix,
        arguments.repeats,
    )
    if arguments.photographs:
        splits = [read_coco(arguments.photographs / name) for name in ("train", "val")]
        if arguments.images:
            splits = [
                split._replace(listing=split.listing.take(range(arguments.images)))
                for split in splits
            ]
        steps = max(arguments.repeats, 2)
        rows = itertools.chain(
            rows,
            feeding(splits[0], max(arguments.batches), arguments.image_size, steps),
        )
    for row in rows:
        figures["rows"].append(row)
        print(line(row), flush=True)
        save()
    if arguments.photographs:
        figures["training"] = train(*splits, arguments.image_size, arguments.epochs)
        save()


if __name__ == "__main__":
    main()
