"""One training on several devices and by several workers: the same losses, how fast.

Logical devices of a processor, and workers on one machine, share its cores, so here the
table shows what sharing costs, not what it gains.

    python -m benchmarks.sharing DATASET DEVICES SIDE IMAGES
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import Figure

EPOCHS, BATCH = 4, 16
SETTINGS: dict[str, Any] = {
    "network": "fast-yolov1",
    "dropout": 0.0,
    "learning_rate": 1e-6,  # see `figures`
    "schedule": "constant",
    "data": "host",
}
CASES = (
    ("tensorflow", 1, 1),
    ("tensorflow", 2, 1),
    ("jax", 1, 1),
    ("jax", 2, 1),
    ("jax", 1, 2),
)
"""Backend, devices of each worker, workers."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images a second, and how far the curves are from one device's.

    Steps are small, since this network makes much of little: at a rate of 1e-4 another
    order of the same sums moves the loss by 1e-2 within 24 steps, by 5e-4 on one device
    alone. A rate that doubled would still show.
    """
    import yolov1_fo

    dataset = yolov1_fo.load_quickstart()
    image_size, images = (64, 32) if quick else (224, 96)
    alone: dict[str, Any] = {}
    for backend, devices, num_workers in CASES:
        curves = _train(backend, num_workers, dataset.name, devices, image_size, images)
        seconds = np.array(curves["seconds"])
        rate = images * (EPOCHS - 1) / (seconds[-1] - seconds[0])
        what = f"{backend}, {devices} devices, {num_workers} workers"
        yield Figure(f"sharing fast-yolov1, {image_size} px: {what}", rate, "images/s")
        if devices == num_workers == 1:
            alone[backend] = curves
            continue
        apart = np.subtract(curves["loss"], alone[backend]["loss"])
        yield Figure(
            f"sharing fast-yolov1, {image_size} px: {what}: losses from one device's",
            float(np.abs(apart).max()),
            target=1e-4,
            at_most=True,
        )


def _train(backend: str, num_workers: int, *arguments: Any) -> dict[str, Any]:
    """Returns the curves of a training in processes of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {**os.environ, "KERAS_BACKEND": backend}
    if num_workers > 1:
        environment |= {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(num_workers),
        }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sharing", *map(str, arguments)],
            env={**environment, "KERAS_DISTRIBUTION_PROCESS_ID": str(worker)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for worker in range(num_workers)
    ]
    said = [process.communicate() for process in processes]
    out, error = said[0]
    if not out:
        raise RuntimeError(error)
    curves: dict[str, Any] = json.loads(out.splitlines()[-1])
    return curves


def main() -> None:
    name, devices, image_size, images = sys.argv[1:]
    import fiftyone as fo

    import yolov1_fo

    dataset = fo.load_dataset(name)
    key = "sharing"
    with tempfile.TemporaryDirectory() as runs_dir:
        run = yolov1_fo.train(
            dataset.match_tags("train").limit(int(images)),
            runs_dir=runs_dir,
            run_key=key,
            devices=int(devices),
            image_size=int(image_size),
            epochs=EPOCHS,
            batch_size=BATCH,
            progress=False,
            **SETTINGS,
        )
        if dataset.has_run(key):
            dataset.delete_run(key)
    print(json.dumps(run.history))


if __name__ == "__main__":
    main()
