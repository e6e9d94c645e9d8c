"""Compares the engines of `apply` on photographs; each also loses a worker half-way.

    python -m benchmarks.engines --photographs FOLDER --json FILE

The detections of all engines are compared. The time includes starting the processes,
but for Ray not the cluster.
"""

import argparse
import itertools
import os
import time
from pathlib import Path
from typing import Any

import fiftyone as fo
import ray
from tabulate import tabulate

import yolov1_fo
from benchmarks import measuring
from tests.engine_workers import Killer
from tests.same import assert_same

MODEL = "yolov1-highway"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--num-workers", type=int, default=2)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    dataset = load(arguments.photographs, arguments.images)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=arguments.num_workers, log_to_driver=False)
    rows = []
    for engine, dies in itertools.product(("thread", "process", "ray"), (False, True)):
        if engine == "thread" and dies:
            continue
        rows.append(run(dataset, engine, dies, arguments.num_workers))
        rows[-1]["time / thread"] = rows[-1]["seconds"] / rows[0]["seconds"]
        measuring.write(arguments.json, {"rows": rows})
    print(tabulate(rows, headers="keys", tablefmt="github", floatfmt=".2f"))
    ray.shutdown()


def load(folder: Path, images: int) -> fo.Dataset:
    """Returns a dataset of photographs, some of them more than once."""
    paths = sorted(str(path) for path in (folder / "highway").rglob("*.jpg"))
    dataset = fo.Dataset()
    dataset.add_samples(
        [fo.Sample(path) for path in itertools.islice(itertools.cycle(paths), images)],
        progress=False,
    )
    return dataset


def run(
    dataset: fo.Dataset, engine: str, dies: bool, num_workers: int
) -> dict[str, Any]:
    """Applies the model once; checks that each sample is predicted, and as before."""
    model = yolov1_fo.load_model(MODEL, runtime="keras")
    killer = Killer(engine, len(dataset) // 2) if dies else None
    started = time.monotonic()
    yolov1_fo.apply(
        *(dataset, model, engine),
        engine=engine,
        num_workers=0 if engine == "thread" else num_workers,
        progress=killer or False,
    )
    seconds = time.monotonic() - started
    for found, alone in zip(*dataset.values([engine, "thread"]), strict=True):
        assert_same(found, alone)
    if killer is not None and (killer.killed, killer.images) != (1, len(dataset)):
        raise RuntimeError(f"{killer.images} images, {killer.killed} workers killed")
    return {
        "engine": engine,
        "a worker is killed": dies,
        "seconds": seconds,
        "images/s": len(dataset) / seconds,
    }


if __name__ == "__main__":
    main()
