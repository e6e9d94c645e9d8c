"""A dataset of 100 000 samples: the form, the first step, writing predictions."""

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
from yolov1_fo.datasets import labels
from yolov1_fo.inference import prediction

CLASSES = list("abcde")
SETTINGS: dict[str, Any] = {
    "network": "micro",
    "image_size": 64,
    "S": 2,
    "epochs": 1,
    "batch_size": 16,
    "data": "stream",
    "progress": False,
}


class Seen(Exception):
    """Ends a training after its first step."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields seconds, memory by a sample, and writing beside FiftyOne's own."""
    NETWORKS["micro"] = MICRO
    n = 1000 if quick else 100_000
    split = read_coco(photographs / "highway" / "train")
    dataset = _dataset(split.listing.filepaths[:300], n)
    yield from _form(dataset)
    _first_step(dataset[:100])  # loads and compiles
    seconds, grown = _first_step(dataset)
    what = f"{n} samples"
    yield Figure(f"{what}: seconds to the first step", seconds, target=60, at_most=True)
    yield Figure(
        f"{what}: memory grown", grown / n / 1024, "KiB a sample", None, 1.0, True
    )
    yield from _writing(dataset)
    dataset.delete()


def _dataset(paths: list[str], n: int) -> fo.Dataset:
    rng = np.random.default_rng(0)
    kinds = [fol.Detections(detections=_detections(rng)) for _ in range(500)]
    dataset = fo.Dataset()
    dataset.add_samples(
        (
            fo.Sample(
                filepath=paths[row % len(paths)],
                ground_truth=kinds[row % len(kinds)].copy(),
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
    """Yields how long the form of Train takes to open, and after each change."""
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
    """Returns the seconds from the call to the first step, and the bytes grown by."""
    me = psutil.Process()
    start, before = time.perf_counter(), me.memory_info().rss
    seen = 0.0, 0

    def on_step(*_: int) -> None:
        nonlocal seen
        seen = time.perf_counter() - start, me.memory_info().rss - before
        raise Seen

    logging.disable(logging.WARNING)  # the run fails, as it is to
    try:
        yolov1_fo.train(samples, on_step=on_step, run_key="many", **SETTINGS)
    except Seen:
        samples._root_dataset.delete_run("many")
    finally:
        logging.disable(logging.NOTSET)
    return seen


def _writing(dataset: fo.Dataset) -> Iterator[Figure]:
    rng = np.random.default_rng(0)
    ids = dataset.values("id")
    found = [_found(rng) for _ in ids]
    start = time.perf_counter()
    with prediction._Writer(dataset, "ours") as writer:
        for sample_id, one in zip(ids, found, strict=True):
            writer.add(sample_id, labels.to_document(*one, CLASSES))
    ours = time.perf_counter() - start
    start = time.perf_counter()
    dataset.set_values("theirs", [labels.to_detections(*one, CLASSES) for one in found])
    theirs = time.perf_counter() - start
    what = f"writing {len(ids)} predictions of 3 boxes"
    yield Figure(f"{what}, ours", ours, "s")
    yield Figure(f"{what}, set_values", theirs, "s")
    yield Figure(f"{what}, ours by set_values", ours / theirs, "", None, 1.5, True)


def _found(rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Returns boxes, scores and class ids of three objects."""
    corners = np.sort(rng.uniform(size=(3, 2, 2)), axis=1).reshape(3, 4)
    scores = rng.uniform(size=3)
    return corners.astype(np.float32), scores.astype(np.float32), rng.integers(0, 5, 3)
