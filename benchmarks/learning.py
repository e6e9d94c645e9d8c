"""Compares variants of the training: loss, head, augmentation, on several datasets.

Variants are compared on a fifth of the training split; nothing is chosen on the
validation scenes of the quickstart dataset or on the test photographs.
"""

import argparse
import logging
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import yolov1_fo
from benchmarks import fruit, measuring

SPLIT = 0.2
"""Share of the training split that variants are compared on."""
EPOCHS = {"quickstart": 14, "fruit": 16}
PAPER_LOSS = {
    "output_activation": "linear",
    "box_loss": "squared",
    "score_loss": "squared",
    "rescore": True,
    "neighbour_cells": False,
}
CIOU = {
    "output_activation": "sigmoid",
    "box_loss": "ciou",
    "score_loss": "cross-entropy",
    "rescore": False,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "squared errors": PAPER_LOSS,
    "cross-entropy and CIoU, lambda_noobj 0.5": {**CIOU, "scale_noobj": False},
    "cross-entropy and CIoU": CIOU,
    "IoU as confidence target": {**CIOU, "rescore": True},
    "neighbour cells": {**CIOU, "neighbour_cells": True},
    "neighbour cells, lambda_noobj 0.5": {
        **CIOU,
        "neighbour_cells": True,
        "scale_noobj": False,
    },
    "128 filters": {**CIOU, "head_filters": 128},
}


def load(name: str, photographs: Path | None) -> Any:
    """Returns the training split of a dataset."""
    if name == "quickstart":
        return yolov1_fo.load_quickstart().match_tags("train")
    assert photographs is not None, "--photographs is needed"
    return fruit.load(photographs / name).match_tags("train")


def screen(samples: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Trains on four fifths of the samples, and evaluates on the rest."""
    train, val = yolov1_fo.split(samples, SPLIT)
    runs_dir, start = tempfile.mkdtemp(), time.monotonic()
    result = yolov1_fo.train(
        train, val_samples=val, runs_dir=runs_dir, progress=False, **settings
    )
    minutes = (time.monotonic() - start) / 60
    model = yolov1_fo.load_model(result.checkpoint_dir)
    yolov1_fo.apply(val, model, "yolov1", progress=False)
    report = yolov1_fo.evaluate(val, "yolov1", progress=False)
    scores = np.sort(val.values("yolov1.detections.confidence", unwind=True))[::-1]
    count = val.count("ground_truth.detections")
    shutil.rmtree(runs_dir)
    point = report.at(report.recommended_thresh)
    return {
        "voc07": report.voc07,
        "ap50": report.ap50,
        "coco_map": report.coco_map,
        "best_f1": report.best_f1,
        "recommended_thresh": report.recommended_thresh,
        "precision": point.precision,
        "recall": point.recall,
        "highest_score": float(scores[0]),
        "median_score": float(np.median(scores[:count])),
        "epoch": result.best["epoch"],
        "history": result.history["val_voc07"],
        "minutes": minutes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path)
    parser.add_argument("--datasets", nargs="*", default=["quickstart", "fruit"])
    parser.add_argument("--variants", nargs="*", default=VARIANTS)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--epochs", type=int, help="of each training")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    rows = []
    for name in arguments.datasets:
        samples = load(name, arguments.photographs)
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
                print(_line(row), flush=True)
                measuring.write(arguments.json, {"runs": rows})


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['dataset']:<11}{row['variant']:<42}{row['seed']:>2}  "
        f"VOC07 {row['voc07']:.3f}  AP50 {row['ap50']:.3f}  "
        f"mAP {row['coco_map']:.3f}  F1 {row['best_f1']:.3f} at "
        f"{row['recommended_thresh']:.2f}  median {row['median_score']:.2f}  "
        f"epoch {row['epoch']:.0f}  {row['minutes']:.1f} min"
    )


if __name__ == "__main__":
    main()
