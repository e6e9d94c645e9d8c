"""Trains with the default recipe on several datasets, and reports mAP on test splits.

Each training is the line `yolov1_fo.train(train, val_samples=val, max_minutes=...)`.
The checkpoint is chosen on a tenth of the training split; the test split is evaluated
once per training. The figures are written after each training; a file that lacks some
is completed.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np

import yolov1_fo
from benchmarks import measuring, photographs
from benchmarks.learning import PAPER_LOSS

MINUTES = {"quickstart": 5, "fruit": 12, "one-object": 8, "highway": 45, "bccd": 25}
SEEDS = {"fruit": (0, 1, 2), "one-object": (0, 1, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument(
        "--datasets", nargs="*", choices=photographs.NAMES, default=photographs.NAMES
    )
    parser.add_argument("--seeds", type=int, nargs="*")
    parser.add_argument("--max-minutes", type=float, help="of each training")
    parser.add_argument(
        "--paper-loss", action="store_true", help="with squared errors, to compare"
    )
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").addHandler(logging.StreamHandler())
    wanted = [
        {
            "dataset": name,
            "seed": seed,
            "settings": {
                "max_minutes": arguments.max_minutes or MINUTES[name],
                "seed": seed,
                **(PAPER_LOSS if arguments.paper_loss else {}),
            },
        }
        for name in arguments.datasets
        for seed in arguments.seeds or SEEDS.get(name, (0,))
    ]
    rows = measuring.read(arguments.json).get("runs", [])
    for one in measuring.missing(wanted, rows):
        rows.append(run(**one, folder=arguments.photographs))
        print(measuring.line(rows[-1]), flush=True)
        measuring.write(arguments.json, {"runs": rows})
    for name in arguments.datasets:
        found = [row for row in rows if row["dataset"] == name]
        means = (
            f"{metric} {np.mean([row[metric] for row in found]):.3f}"
            for metric in ("voc07", "ap50", "coco_map")
        )
        print(f"{name}, mean of {len(found)}: {', '.join(means)}")


def run(
    dataset: str, seed: int, settings: dict[str, Any], folder: Path
) -> dict[str, Any]:
    """Trains once on a dataset."""
    samples, test = photographs.load(dataset, folder)
    train, val = samples, test
    if dataset != "quickstart":
        train, val = yolov1_fo.split(samples)
    row = {"dataset": dataset, "seed": seed, "settings": settings}
    return row | measuring.train(train, val, test, **settings)


if __name__ == "__main__":
    main()
