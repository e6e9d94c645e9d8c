"""Measures how time and memory of each stage grow with the number of samples.

    python -m benchmarks.scaling --json benchmarks/results/scaling.json

Each size is measured in a process of its own. The samples have synthetic labels; in
`apply`, reading returns the same image and the forward pass the same output each time,
so that what remains is listing, decoding of outputs, and writing. At most `EVALUATED`
samples are evaluated, which have a million predictions. Memory is the highest growth of
the process during a stage; what earlier stages have kept is not counted.
"""

import argparse
import json
import math
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import bson
import fiftyone as fo
import fiftyone.core.labels as fol
import numpy as np
import psutil
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring
from tests.micro import MICRO
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.datasets import fiftyone_private, splitting
from yolov1_fo.images import ReadResult
from yolov1_fo.inference.prediction_pass import PredictionPass, files_of
from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig
from yolov1_fo.training import examples

CLASSES = list("abcde")
SIZES = (10_000, 100_000, 1_000_000)
EVALUATED = 140_000
"""Largest number of samples that are evaluated."""
PATTERNS, INSERTED = 500, 10_000
"""Number of different samples, and of samples that are added at a time."""
CONFIDENCE_THRESH = 0.4
"""Keeps about seven detections per image."""
SECONDS_PER_LOOK = 0.05
"""How often memory is looked at."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--bytes", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size:
        print(json.dumps(measure(arguments.size)))
        return
    if arguments.bytes:
        print(json.dumps(bytes_per_sample()))
        return
    figures = measuring.read(arguments.json)
    rows = figures.get("rows", [])
    done = {row["size"] for row in rows}
    stored = figures.get("bytes_per_sample") or _run("--bytes")
    for size in (one for one in arguments.sizes if one not in done):
        rows += _run("--size", str(size))
        measuring.write(arguments.json, {"bytes_per_sample": stored, "rows": rows})
    print(table(rows))
    print(f"bytes per sample in the database: {stored}")


def _run(*options: str) -> Any:
    """Returns what another process prints, as JSON."""
    command = [sys.executable, "-m", "benchmarks.scaling", *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def table(rows: list[dict[str, Any]]) -> str:
    """Returns a line per stage: time per sample, highest memory growth, and exponent.

    The exponent is 1 if the time is proportional to the number of samples.
    """
    lines = []
    for stage in dict.fromkeys(row["stage"] for row in rows):
        some = sorted(
            (row for row in rows if row["stage"] == stage),
            key=lambda row: row["samples"],
        )
        line = {"stage": stage}
        for row in some:
            each = 1000 * row["seconds"] / row["samples"]
            line[f"{row['size']:,} samples"] = f"{each:.3f} ms, {row['peak_mb']:.0f} MB"
        if len(some) > 1:
            first, last = some[0], some[-1]
            growth = math.log(last["seconds"] / first["seconds"])
            exponent = growth / math.log(last["samples"] / first["samples"])
            line["exponent"] = f"{exponent:.2f}"
        lines.append(line)
    return tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


def measure(size: int) -> list[dict[str, Any]]:
    """Returns seconds and the highest memory use of each stage."""
    NETWORKS["micro"] = MICRO
    dataset = make_dataset(size)
    model = fixed_model()
    few = dataset.limit(100)
    yolov1_fo.apply(few, model, "warm_up", progress=False)  # imports
    yolov1_fo.evaluate(few, "warm_up", progress=False)
    some = dataset.limit(EVALUATED)
    stages: dict[str, tuple[int, Callable[[], Any]]] = {
        "ids and files": (size, lambda: files_of(dataset, model)),
        "split": (size, lambda: splitting.split(dataset)),
        "labels of a training": (
            size,
            lambda: examples.load(dataset, "ground_truth", CLASSES),
        ),
        "apply, without reading and network": (
            size,
            lambda: yolov1_fo.apply(
                dataset, model, "predictions", batch_size=64, progress=False
            ),
        ),
        "evaluate": (
            min(size, EVALUATED),
            lambda: yolov1_fo.evaluate(some, "predictions", progress=False),
        ),
        "evaluate, stored": (
            min(size, EVALUATED),
            lambda: yolov1_fo.evaluate(
                some, "predictions", eval_key="stored", progress=False
            ),
        ),
    }
    rows = []
    for stage, (samples, call) in stages.items():
        with PeakMemory() as memory:
            started = time.perf_counter()
            call()
            seconds = time.perf_counter() - started
        rows.append(
            {
                "size": size,
                "stage": stage,
                "samples": samples,
                "seconds": seconds,
                "peak_mb": memory.peak / 1e6,
            }
        )
    predictions = some.count("predictions.detections")
    dataset.delete()
    return [row | {"predictions": predictions} for row in rows]


def bytes_per_sample() -> dict[str, int]:
    """Returns the size of a sample in the database, before compression."""
    NETWORKS["micro"] = MICRO
    dataset = make_dataset(4 * PATTERNS)
    sizes = {"labels": _stored_bytes(dataset)}
    yolov1_fo.apply(dataset, fixed_model(), "predictions", progress=False)
    sizes["predictions"] = _stored_bytes(dataset)
    yolov1_fo.evaluate(dataset, "predictions", eval_key="stored", progress=False)
    sizes["evaluation"] = _stored_bytes(dataset)
    dataset.delete()
    return sizes


def _stored_bytes(dataset: fo.Dataset) -> int:
    collection = fiftyone_private.collection(dataset)
    statistics = collection.database.command("collstats", collection.name)
    return int(statistics["avgObjSize"])


class PeakMemory:
    """Measures by how much the memory of this process grows at most within `with`.

    Attributes:
        peak: in bytes
    """

    def __enter__(self) -> Self:
        self.process, self.peak, self.ended = psutil.Process(), 0, threading.Event()
        self.start = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def _look(self) -> None:
        while not self.ended.wait(SECONDS_PER_LOOK):
            grown = self.process.memory_info().rss - self.start
            self.peak = max(self.peak, grown)

    def __exit__(self, *_: Any) -> None:
        self.ended.set()
        self.thread.join()


def make_dataset(size: int) -> fo.Dataset:
    """Returns samples with five objects each; their files do not exist.

    FiftyOne adds the first ones; MongoDB is given copies of them directly.
    """
    rng = np.random.default_rng(0)
    dataset = fo.Dataset()
    first = [make_sample(row, rng) for row in range(PATTERNS)]
    dataset.add_samples(first, progress=False)
    collection = fiftyone_private.collection(dataset)
    patterns = [*collection.find()]
    for start in range(PATTERNS, size, INSERTED):
        collection.insert_many(
            patterns[row % PATTERNS]
            | {"_id": bson.ObjectId(), "filepath": f"/nowhere/{row}.jpg"}
            for row in range(start, min(start + INSERTED, size))
        )
    return dataset


def make_sample(row: int, rng: np.random.Generator) -> fo.Sample:
    """Returns a sample with five random objects."""
    detections = [
        fol.Detection(
            label=str(rng.choice(CLASSES)),
            bounding_box=[*rng.uniform(0, 0.5, 2), *rng.uniform(0.1, 0.5, 2)],
        )
        for _ in range(5)
    ]
    truth = fol.Detections(detections=detections)
    return fo.Sample(f"/nowhere/{row}.jpg", ground_truth=truth)


def fixed_model() -> YOLOv1Model:
    """Returns a model whose reading and forward pass take no time."""
    settings = {"network": "micro", "image_size": 64, "S": 2}
    config = {"settings": settings, "classes": CLASSES}
    model = YOLOv1Model(
        YOLOv1ModelConfig({**config, "confidence_thresh": CONFIDENCE_THRESH})
    )
    pixels = np.zeros((64, 64, 3), np.uint8)
    outputs = np.random.default_rng(0).uniform(
        0.1, 0.9, (64, model.network.output_shape[-1])
    )
    outputs = outputs.astype(np.float32)
    PredictionPass._read = lambda self, path: ReadResult(pixels, None, (64, 64))
    model.forward = lambda images: outputs[: len(images)]
    return model


if __name__ == "__main__":
    main()
