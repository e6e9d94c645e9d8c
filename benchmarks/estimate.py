"""Compares `yolov1_fo.runs.estimate` with trainings: seconds per epoch, peak memory.

Each training runs in a new process, on quickstart scenes. The first of three epochs,
which includes compiling, is not counted.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yolov1_fo
from benchmarks import measuring
from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import estimate, network_cost

TRANSFER = {"network": "yolov1-efficientnet-lite0", "image_size": 320, "S": 20}
PAPER = {"recipe": "paper", "batch_size": 8}
"""So that `TrainConfig` and `train` have the same settings."""

IMAGES, VAL_IMAGES, EPOCHS = 48, 16, 3
CASES: tuple[dict[str, Any], ...] = (
    {**TRANSFER, "image_size": 128, "S": 8},
    {**TRANSFER, "image_size": 320, "S": 20},
    {**TRANSFER, "image_size": 320, "S": 10, "freeze_to_stride": 16},
    {**TRANSFER, "image_size": 256, "S": 16, "batch_size": 4},
    {"network": "yolov1-mobilenetv2", "image_size": 224, "S": 7, "pretrained": False},
    {"network": "yolov1-resnet50v2", "image_size": 224, "S": 7, "pretrained": False},
    {"network": "fast-yolov1", "image_size": 448, "batch_size": 8, "dropout": 0.0},
    {
        "network": "fast-yolov1",
        "image_size": 224,
        "batch_size": 16,
        "optimizer": "adam",
    },
    {"network": "darknet-yolov1-tiny", "image_size": 448, "batch_size": 8},
    {"network": "yolov1", "image_size": 448, "batch_size": 8, "learning_rate": 1e-4},
)


def measure(case: dict[str, Any]) -> dict[str, Any]:
    """Trains once; returns what was measured and what was estimated."""
    settings = {**PAPER, **case, "epochs": EPOCHS, "learning_rate": 1e-5}
    dataset = yolov1_fo.load_quickstart()
    config = TrainConfig(**{**settings, "C": 10})
    seen = estimate.estimate_training(config, IMAGES, VAL_IMAGES)
    speed = estimate.processor_speed()
    run = yolov1_fo.train(
        dataset.match_tags("train").limit(IMAGES),
        val_samples=dataset.match_tags("val").limit(VAL_IMAGES),
        runs_dir=tempfile.mkdtemp(),
        progress=False,
        **settings,
    )
    seconds = run.history["seconds"]
    dataset.delete_run(run.run_key)
    return {
        "settings": case,
        "gflops_of_processor": speed / 1e9,
        "epoch_seconds": (seconds[-1] - seconds[0]) / (EPOCHS - 1),
        "foreseen_epoch_seconds": estimate.epoch_seconds(
            config, IMAGES, VAL_IMAGES, speed
        ),
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "foreseen_gb": seen.memory / 1e9,
        "cost": network_cost.total_cost(config)._asdict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    if arguments.case is not None:
        print(json.dumps(measure(CASES[arguments.case])))
        return
    rows = []
    for number, case in enumerate(CASES):
        command = [sys.executable, "-m", "benchmarks.estimate", "--case", str(number)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(
            f"{case['network']}, {case['image_size']} px: {row['epoch_seconds']:.1f} s "
            f"per epoch, {row['foreseen_epoch_seconds']:.1f} estimated; "
            f"{row['peak_gb']:.1f} GB, {row['foreseen_gb']:.1f} estimated",
            flush=True,
        )
    measuring.write(arguments.json, {"trainings": rows})


if __name__ == "__main__":
    main()
