"""Trains on the fruit photographs, three seeds, and reports mAP on the test images.

240 training and 60 test photographs of apples, bananas and oranges, as VOC XML. Epochs,
threshold and checkpoint are chosen on a tenth of the training images; the test images
are read once a seed.
"""

import argparse
import json
import logging
import os
import platform
import resource
import shutil
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import fiftyone as fo
import numpy as np

import yolov1_fo
from yolov1_fo import images

SEEDS = (0, 1, 2)
SPLIT_SEED = 2015
LIBRARIES = ("keras", "tensorflow-cpu", "fiftyone", "numpy")
SETTINGS: dict[str, Any] = {
    "network": "yolov1-efficientnet-lite0",
    "side": 320,
    "S": 10,
    "epochs": 40,
    "batch_size": 8,
    "batch_norm": True,
    "dropout": 0.2,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "frozen_stride": 16,
    "ema": 0.99,
    "validate_every": 2,
}


def load(folder: Path) -> fo.Dataset:
    """Returns the photographs, tagged train and test.

    Boxes are divided by the size that an image has: 37 annotation files state another.
    """
    dataset = fo.Dataset()
    samples = []
    for path in sorted((folder / "annotations_voc").glob("*/*.xml")):
        split = path.parent.name
        file = folder / "images" / split / f"{path.stem}.jpg"
        height, width = images.read(file).shape[:2]
        detections = []
        for item in ElementTree.parse(path).getroot().iter("object"):
            corners = [
                float(item.findtext(f"bndbox/{name}", ""))
                for name in ("xmin", "ymin", "xmax", "ymax")
            ]
            left, right = corners[0] / width, corners[2] / width
            top, bottom = corners[1] / height, corners[3] / height
            detections.append(
                fo.Detection(
                    label=item.findtext("name"),
                    bounding_box=[left, top, right - left, bottom - top],
                    difficult=item.findtext("difficult") == "1",
                )
            )
        truth = fo.Detections(detections=detections)
        samples.append(fo.Sample(filepath=str(file), tags=[split], ground_truth=truth))
    dataset.add_samples(samples, progress=False)
    return dataset


def put_aside(dataset: fo.Dataset) -> tuple[Any, Any]:
    """Returns nine tenths of the training images, and the other tenth."""
    ids = np.array(dataset.match_tags("train").values("id"))
    shown = np.random.default_rng(SPLIT_SEED).permutation(len(ids))
    tenth = ids[shown[: len(ids) // 10]].tolist()
    return dataset.match_tags("train").exclude(tenth), dataset.select(tenth)


def run(folder: Path, seed: int, **settings: Any) -> dict[str, Any]:
    """Trains once and reads the test images once."""
    dataset = load(folder)
    train, val = put_aside(dataset)
    runs_dir = tempfile.mkdtemp()
    start = time.monotonic()
    result = yolov1_fo.train(
        train, val_samples=val, seed=seed, runs_dir=runs_dir, **{**SETTINGS, **settings}
    )
    seconds = time.monotonic() - start
    test = dataset.match_tags("test")
    model = yolov1_fo.load_model(result.checkpoint_dir)
    yolov1_fo.apply(test, model, "yolov1", progress=False)
    report = yolov1_fo.evaluate(test, "yolov1", progress=False)
    print(report, flush=True)
    dataset.delete()
    shutil.rmtree(runs_dir)
    return {
        "seed": seed,
        "voc07": report.voc07,
        "coco_map": report.coco_map,
        "per_class": {name: row["voc07"] for name, row in report.per_class.items()},
        "val_voc07": result.best["val_voc07"],
        "epoch": result.best["epoch"],
        "minutes": seconds / 60,
        "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--json", type=Path, help="where the figures are written")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").addHandler(logging.StreamHandler())
    rows = [
        run(arguments.photographs / "fruit", seed, epochs=arguments.epochs)
        for seed in arguments.seeds
    ]
    for row in rows:
        print(
            f"seed {row['seed']}: VOC07 mAP@0.5 {row['voc07']:.3f} on test "
            f"({row['val_voc07']:.3f} on the tenth, epoch {row['epoch']:.0f}), "
            f"{row['minutes']:.1f} minutes, {row['peak_gb']:.1f} GB"
        )
    mean = float(np.mean([row["voc07"] for row in rows]))
    print(f"mean of {len(rows)} seeds: {mean:.3f}")
    if arguments.json:
        figures = {
            "date": date.today().isoformat(),
            "device": f"{os.cpu_count()} cores, {platform.machine()}",
            "versions": {name: version(name) for name in LIBRARIES},
            "settings": {**SETTINGS, "epochs": arguments.epochs},
            "mean_voc07": mean,
            "runs": rows,
        }
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
