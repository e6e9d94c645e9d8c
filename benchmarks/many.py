"""A dataset of 100 000 samples: the form of Train, the first step, predictions."""

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.labels as fol
import fiftyone.operators as foo
import numpy as np
import psutil
from fiftyone.operators.executor import ExecutionContext, Executor

import yolov1_fo
from benchmarks import measuring
from benchmarks.coco import read_coco
from benchmarks.measuring import Figure
from tests.micro import MICRO
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.datasets.predictions_field import PredictionsField

CLASSES = list("abcde")
SETTINGS: dict[str, Any] = {
    "network": "micro",
    "recipe": "paper",
    "image_size": 64,
    "S": 2,
    "epochs": 1,
    "batch_size": 16,
    "data": "stream",
    "val_fraction": 0.0,
    "progress": False,
}


class FirstStep(Exception):
    """Ends a training after its first step."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields seconds, memory per sample, and the relative time of writing."""
    NETWORKS["micro"] = MICRO
    n = 1000 if quick else 100_000
    split = read_coco(photographs / "highway" / "train")
    dataset = _dataset(split.listing.filepaths[:300], n)
    yield from _form(dataset)
    _first_step(dataset[:100])  # imports and compiles
    seconds, grown = _first_step(dataset)
    what = f"{n} samples"
    yield Figure(f"{what}: seconds to the first step", seconds, target=60, at_most=True)
    yield Figure(
        f"{what}: memory growth", grown / n / 1024, "KiB per sample", None, 1.0, True
    )
    yield from _writing(dataset)
    dataset.delete()


def _dataset(paths: list[str], n: int) -> fo.Dataset:
    rng = np.random.default_rng(0)
    truths = [fol.Detections(detections=_detections(rng)) for _ in range(500)]
    dataset = fo.Dataset()
    dataset.add_samples(
        (
            fo.Sample(
                filepath=paths[row % len(paths)],
                ground_truth=truths[row % len(truths)].copy(),
            )
            for row in range(n)
        ),
        progress=False,
        num_samples=n,
    )
    return dataset


def _detections(rng: np.random.Generator) -> list[fol.Detection]:
    return [
        fol.Detection(
            label=str(rng.choice(CLASSES)),
            bounding_box=[*rng.uniform(0, 0.5, 2), *rng.uniform(0.1, 0.5, 2)],
        )
        for _ in range(5)
    ]


def _form(dataset: fo.Dataset) -> Iterator[Figure]:
    """Yields the time to open the form of Train, and to change it."""
    operator = foo.get_operator("@yolov1-fo/yolov1/train_model")

    def resolve() -> float:
        context = ExecutionContext(
            request_params={"dataset_name": dataset.name, "params": {}},
            executor=Executor(),
            operator_uri=operator.uri,
        )
        start = time.perf_counter()
        operator.resolve_type(context, "inputs")
        return time.perf_counter() - start

    first, *later = [resolve() for _ in range(8)]
    what = f"form of Train on {len(dataset)} samples"
    yield Figure(f"{what}, opened", first, "s")
    yield measuring.figure(f"{what}, changed", np.array(later), "s")


def _first_step(samples: Any) -> tuple[float, int]:
    """Returns seconds until the first step, and memory growth in bytes."""
    process = psutil.Process()
    start, before = time.perf_counter(), process.memory_info().rss
    measured = 0.0, 0

    def on_step(*_: int) -> None:
        nonlocal measured
        measured = time.perf_counter() - start, process.memory_info().rss - before
        raise FirstStep

    logging.disable(logging.WARNING)  # the run fails as intended
    try:
        yolov1_fo.train(samples, on_step=on_step, run_key="many", **SETTINGS)
    except FirstStep:
        samples._root_dataset.delete_run("many")
    finally:
        logging.disable(logging.NOTSET)
    return measured


def _writing(dataset: fo.Dataset) -> Iterator[Figure]:
    rng = np.random.default_rng(0)
    ids = dataset.values("id")
    found = [_found(rng) for _ in ids]
    start = time.perf_counter()
    with PredictionsField(dataset, "apply") as output:
        for sample_id, one in zip(ids, found, strict=True):
            output.add(sample_id, fiftyone_boxes.to_document(*one, CLASSES))
    writer_seconds = time.perf_counter() - start
    start = time.perf_counter()
    dataset.set_values(
        "set_values", [fiftyone_boxes.to_detections(*one, CLASSES) for one in found]
    )
    set_values_seconds = time.perf_counter() - start
    what = f"writing {len(ids)} predictions of 3 boxes"
    yield Figure(f"{what}, apply", writer_seconds, "s")
    yield Figure(f"{what}, set_values", set_values_seconds, "s")
    ratio = writer_seconds / set_values_seconds
    yield Figure(f"{what}, apply / set_values", ratio, "", None, 1.5, True)


def _found(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Returns boxes, scores and class ids of three objects."""
    corners = np.sort(rng.uniform(size=(3, 2, 2)), axis=1).reshape(3, 4)
    scores = rng.uniform(size=3)
    return corners.astype(np.float32), scores.astype(np.float32), rng.integers(0, 5, 3)
