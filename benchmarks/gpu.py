"""Speed and memory of networks on an accelerator, and a full training.

It needs only Keras with one backend, NumPy, OpenCV and photographs with a COCO
`labels.json` (`train/` and `val/`), and runs without TensorFlow and FiftyOne:

    KERAS_BACKEND=jax python -m benchmarks.gpu --photographs highway --json gpu.json

The peak is the speed of a large matrix product in the same precision, measured in the
same run. Memory is the most that was in use since the program started, so that it
belongs to the largest network and batch so far.
"""

import argparse
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from benchmarks import gpu_training, measuring
from benchmarks.coco import read_coco
from yolov1_fo import architectures
from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import error_lines
from yolov1_fo.networks import build
from yolov1_fo.networks.predictor import Predictor
from yolov1_fo.runs import network_cost
from yolov1_fo.training.learner import Learner

NETWORKS = ("yolov1-efficientnet-lite0", "fast-yolov1", "yolov1")
BATCHES = (1, 4, 16, 64, 256)
PRECISIONS = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
CLASSES = 20


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


def settings(network: str, image_size: int, batch: int, precision: str) -> TrainConfig:
    """Returns the settings of a network; those of a transfer network are its recipe's.

    Weights are random, so that none are needed.
    """
    common = {
        "C": CLASSES,
        "image_size": image_size,
        "batch_size": batch,
        "precision": precision,
    }
    if not architectures.NETWORKS[network].backbone:
        return TrainConfig(network=network, **common)
    config = TrainConfig.for_network(network)
    return replace(config, **common, S=image_size // 16, pretrained=False)


def flops(config: TrainConfig, what: str) -> float:
    """Returns the operations of one image's forward pass, or of its share of a step.

    Gradients need twice the operations of the layers that are trained.
    """
    forward = network_cost.total_cost(config).flops
    if what == "inference":
        return forward
    return forward + 2 * network_cost.trained_cost(config).flops


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
            config = settings(network, image_size, batch, policy)
            for what, measure in (("inference", _inference), ("training", _training)):
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
                share = flops(config, what) * rate / best
                yield {
                    **row,
                    "images_per_s": rate,
                    "share_of_peak": share,
                    "peak_gb_so_far": memory(),
                }


def memory() -> float | None:
    """Returns the peak memory use of the device in GB; None if it is not known."""
    if keras.backend.backend() != "jax":
        return None
    import jax

    found = jax.devices()[0].memory_stats() or {}
    return found["peak_bytes_in_use"] / 1e9 if "peak_bytes_in_use" in found else None


def _inference(config: TrainConfig, repeats: int) -> float:
    network = build.detector(config)
    predict = Predictor(network, config.precision.removeprefix("mixed_"))
    images = synthetic(config.batch_size, config.image_size)["images"]
    return seconds(lambda: predict(images), repeats)


def _training(config: TrainConfig, repeats: int) -> float:
    """Returns seconds per step, with images on the device."""
    network = build.detector(config, precision=config.precision)
    learner = Learner(network, config)
    learner.prepare(1000)
    learner.hold(synthetic(config.batch_size, config.image_size))
    rows = {"rows": np.arange(config.batch_size, dtype=np.int32)}
    steps = 5

    def several() -> Any:
        for _ in range(steps):
            logs = learner.train_on_batch(rows)
        return logs

    return seconds(several, max(repeats // steps, 2)) / steps


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
    peak_gb = row.get("peak_gb_so_far")
    used = "" if peak_gb is None else f", {peak_gb:.1f} GB"
    return f"{label}: {row['images_per_s']:.1f} images/s{peak_share}{used}"


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


def _parse_arguments() -> argparse.Namespace:
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
    return parser.parse_args()


def main() -> None:
    arguments = _parse_arguments()
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
            gpu_training.feeding(
                splits[0], max(arguments.batches), arguments.image_size, steps
            ),
        )
    for row in rows:
        figures["rows"].append(row)
        print(line(row), flush=True)
        save()
    if arguments.photographs:
        figures["training"] = gpu_training.train(
            *splits, arguments.image_size, arguments.epochs
        )
        save()


if __name__ == "__main__":
    main()
