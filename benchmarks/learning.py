"""Compares variants of the training: loss, head, augmentation, on several datasets.

Variants are compared on a fifth of the training split; nothing is chosen on the
validation scenes of the quickstart dataset or on the test photographs.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import yolov1_fo
from benchmarks import measuring, photographs

SPLIT = 0.2
"""Share of the training split that variants are compared on."""
EPOCHS = {"quickstart": 14, "fruit": 16}
PAPER_LOSS = {
    "output_activation": "linear",
    "box_loss": "squared",
    "score_loss": "squared",
    "rescore": True,
    "neighbor_cells": False,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "the recipe": {},
    "squared errors": {**PAPER_LOSS, "scale_noobj": True},
    "no mosaics": {"mosaic": 0.0},
    "mosaic=1": {"mosaic": 1.0},
    "no neighbor cells": {"neighbor_cells": False},
    "scale_noobj": {"scale_noobj": True},
    "lambda_noobj=1": {"lambda_noobj": 1.0},
    "lambda_coord=2.5": {"lambda_coord": 2.5},
    "rescore (IoU target)": {"rescore": True},
    "head of 3 x 3 convolutions": {"separable_head": False},
    "head_filters=128": {"head_filters": 128},
    "learning_rate=2e-3": {"learning_rate": 2e-3},
    "learning_rate=5e-4": {"learning_rate": 5e-4},
    "batch_size=4": {"batch_size": 4},
    "image_size=256": {"image_size": 256},
    "mixed_bfloat16": {"precision": "mixed_bfloat16"},
    "freeze_to_stride=16": {"freeze_to_stride": 16},
    "freeze_to_stride=4": {"freeze_to_stride": 4},
    "backbone_lr_multiplier=0.3": {"backbone_lr_multiplier": 0.3},
    "dropout=0.1": {"dropout": 0.1},
    "jitter=0.3": {"jitter": 0.3},
    "efficientnet-lite1": {"network": "yolov1-efficientnet-lite1"},
    "efficientnet-lite2": {"network": "yolov1-efficientnet-lite2"},
}
"""What differs from the recipe."""


def screen(samples: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on four fifths of the samples, and evaluates on the rest."""
    train, val = yolov1_fo.split(samples, SPLIT)
    return measuring.train(train, val, val, **settings)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--datasets", nargs="*", choices=EPOCHS, default=EPOCHS)
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--epochs", type=int, help="of each training")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    rows = []
    for name in arguments.datasets:
        samples, _ = photographs.load(name, arguments.photographs)
        for variant in arguments.variants:
            for seed in arguments.seeds:
                settings = {
                    "epochs": arguments.epochs or EPOCHS[name],
                    "seed": seed,
                    **VARIANTS[variant],
                }
                row = {"dataset": name, "variant": variant, "seed": seed}
                row |= screen(samples, settings)
                rows.append(row)
                print(f"{variant:<42}{measuring.line(row)}", flush=True)
                measuring.write(arguments.json, {"runs": rows})


if __name__ == "__main__":
    main()
