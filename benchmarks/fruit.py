"""Trains on the fruit photographs with three seeds; reports mAP on the test split.

240 training and 60 test photographs of apples, bananas and oranges, as VOC XML. The
checkpoint is chosen on a tenth of the training images; the test split is evaluated once
per seed.
"""

import argparse
import logging
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import fiftyone as fo
import numpy as np

from benchmarks import measuring
from yolov1_fo import images

SEEDS = (0, 1, 2)
SETTINGS: dict[str, Any] = {
    "network": "yolov1-efficientnet-lite0",
    "recipe": "paper",  # for the settings that are not listed
    "image_size": 320,
    "S": 10,
    "epochs": 40,
    "batch_size": 8,
    "batch_norm": True,
    "dropout": 0.2,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "freeze_to_stride": 16,
    "ema_momentum": 0.99,
    "validation_freq": 2,
}


def load(folder: Path) -> fo.Dataset:
    """Returns the photographs, tagged train and test.

    Boxes are divided by the size of the image file; 37 annotation files state another.
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


def run(folder: Path, seed: int, **settings: Any) -> dict[str, Any]:
    """Trains once and evaluates the test split once."""
    dataset = load(folder)
    train, val = measuring.split_off_validation(dataset.match_tags("train"))
    test = dataset.match_tags("test")
    row = measuring.run(train, val, test, seed=seed, **{**SETTINGS, **settings})
    dataset.delete()
    return {"seed": seed, **row}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").addHandler(logging.StreamHandler())
    rows = [
        run(arguments.photographs / "fruit", seed, epochs=arguments.epochs)
        for seed in arguments.seeds
    ]
    for row in rows:
        print(f"seed {row['seed']}: {measuring.line(row)}")
    mean = float(np.mean([row["voc07"] for row in rows]))
    print(f"mean of {len(rows)} seeds: {mean:.3f}")
    settings = {**SETTINGS, "epochs": arguments.epochs}
    figures = {"settings": settings, "mean_voc07": mean, "runs": rows}
    measuring.write(arguments.json, figures)


if __name__ == "__main__":
    main()
