"""Measures how time and memory of each stage grow with the number of samples.

    python -m benchmarks.scaling --json benchmarks/results/scaling.json

Each size is measured in a process of its own. The samples have synthetic labels; in
`apply`, reading returns the same image and the forward pass the same output each time,
so that what remains is listing, decoding of outputs, and writing.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.images import ReadResult
from yolov1_fo.inference.prediction_pass import PredictionPass
from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig
from yolov1_fo.training import examples

CLASSES = list("abcde")
SIZES = (10_000, 100_000, 1_000_000)
EVALUATED = 100_000
"""Largest number of samples that are evaluated."""
PATTERNS, INSERTED = 500, 10_000
"""Number of different samples, and of samples that are added at a time."""
CONFIDENCE_THRESH = 0.4
"""Keeps about ten detections per image."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--size", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.size:
        print(json.dumps(measure(arguments.size)))
        return
    rows = measuring.read(arguments.json).get("rows", [])
    done = {row["samples"] for row in rows}
    for size in (one for one in arguments.sizes if one not in done):
        command = [sys.executable, "-m", "benchmarks.scaling", "--size", str(size)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True)
        rows += json.loads(printed.stdout.splitlines()[-1])
        measuring.write(arguments.json, {"rows": rows})
    print(tabulate(table(rows), headers="keys", tablefmt="github"))


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns a line per stage: ms per sample, and how time and memory grow.

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
            line[f"{row['samples']} samples"] = (
                f"{each:.3f} ms each, +{row['grown_mb']:.0f} MB"
            )
        if len(some) > 1:
            first, last = some[0], some[-1]
            growth = math.log(last["seconds"] / first["seconds"])
            exponent = growth / math.log(last["samples"] / first["samples"])
            line["exponent"] = f"{exponent:.2f}"
        lines.append(line)
    return lines


def measure(size: int) -> list[dict[str, Any]]:
    """Returns seconds and growth of memory of each stage."""
    NETWORKS["micro"] = MICRO
    dataset = make_dataset(size)
    model = fixed_model()
    yolov1_fo.apply(dataset.limit(100), model, "warm_up", progress=False)  # imports
    stages: dict[str, Callable[[], Any]] = {
        "reading labels": lambda: examples.load(dataset, "ground_truth", CLASSES),
        "apply without reading and network": lambda: yolov1_fo.apply(
            dataset, model, "predictions", batch_size=64, progress=False
        ),
    }
    if size <= EVALUATED:
        stages["evaluate"] = lambda: yolov1_fo.evaluate(
            dataset, "predictions", progress=False
        )
    rows = []
    for stage, call in stages.items():
        memory = psutil.Process().memory_info().rss
        started = time.perf_counter()
        call()
        seconds = time.perf_counter() - started
        grown = (psutil.Process().memory_info().rss - memory) / 1e6
        rows.append(
            {"samples": size, "stage": stage, "seconds": seconds, "grown_mb": grown}
        )
    dataset.delete()
    return rows


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
