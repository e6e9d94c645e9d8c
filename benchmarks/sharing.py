"""Trainings on several devices and by several processes: losses and speed.

Logical devices of one CPU, and processes on one machine, share its cores; therefore the
speed shows the overhead of distribution, not its benefit.

    python -m benchmarks.sharing DATASET DEVICES IMAGE_SIZE IMAGES
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
    "recipe": "paper",  # no batch normalization, which depends on the devices
    "dropout": 0.0,
    "learning_rate": 1e-6,  # see `figures`
    "schedule": "constant",
    "data": "host",
    "val_fraction": 0.0,
}
CASES = (
    ("tensorflow", 1, 1),
    ("tensorflow", 2, 1),
    ("jax", 1, 1),
    ("jax", 2, 1),
    ("jax", 1, 2),
)
"""Backend, devices per process, processes."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second, and the difference in loss from one device.

    The learning rate is small, since rounding errors grow: at a rate of 1e-4, sums in
    another order change the loss by 1e-2 within 24 steps, and by 5e-4 on one device. A
    doubled learning rate would still be noticed.
    """
    import yolov1_fo

    dataset = yolov1_fo.load_quickstart()
    image_size, images = (64, 32) if quick else (224, 96)
    alone: dict[str, Any] = {}
    for backend, devices, processes in CASES:
        curves = _train(backend, processes, dataset.name, devices, image_size, images)
        seconds = np.array(curves["seconds"])
        rate = images * (EPOCHS - 1) / (seconds[-1] - seconds[0])
        what = f"{backend}, {devices} devices, {processes} processes"
        yield Figure(f"sharing fast-yolov1, {image_size} px: {what}", rate, "images/s")
        if devices == processes == 1:
            alone[backend] = curves
            continue
        difference = np.subtract(curves["loss"], alone[backend]["loss"])
        yield Figure(
            f"sharing fast-yolov1, {image_size} px: {what}: loss - one device's",
            float(np.abs(difference).max()),
            target=1e-4,
            at_most=True,
        )


def _train(backend: str, count: int, *arguments: Any) -> dict[str, Any]:
    """Returns the curves of a training in new processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = {**os.environ, "KERAS_BACKEND": backend}
    if count > 1:
        environment |= {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
        }
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sharing", *map(str, arguments)],
            env={**environment, "KERAS_DISTRIBUTION_PROCESS_ID": str(number)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    outputs = [process.communicate() for process in processes]
    out, error = outputs[0]
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
