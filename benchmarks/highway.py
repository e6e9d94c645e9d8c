"""Trains on the highway photographs; reports mAP on `val`, compared with a baseline.

1831 and 245 road photographs of five kinds of vehicles and persons, as COCO. Images in
both splits are excluded from training. Epoch and NMS threshold are chosen on a tenth of
`train`; `val` is evaluated once. The baseline trains only the head, on a frozen
backbone at 224 px, without augmentation.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import fiftyone as fo

import yolov1_fo
from benchmarks import measuring

IOU_THRESHS = (0.3, 0.4, 0.5, 0.6)
SETTINGS: dict[str, Any] = {
    "network": "yolov1-efficientnet-lite0",
    "recipe": "paper",  # for the settings that are not listed
    "image_size": 320,
    "S": 20,
    "head_filters": 128,
    "epochs": 24,
    "batch_size": 8,
    "batch_norm": True,
    "dropout": 0.1,
    "optimizer": "adam",
    "learning_rate": 1.5e-3,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "freeze_to_stride": 8,
    "ema_momentum": 0.999,
    "validation_freq": 4,
}
BASELINE: dict[str, Any] = {
    **SETTINGS,
    "image_size": 224,
    "S": 7,
    "freeze_to_stride": 32,
    "ema_momentum": 0.0,
    "jitter": 0.0,
    "flip": 0.0,
    "exposure": 1.0,
    "saturation": 1.0,
}


def load(folder: Path) -> fo.Dataset:
    """Returns the photographs, tagged train and val."""
    dataset = fo.Dataset()
    for split in ("train", "val"):
        dataset.add_dir(
            dataset_dir=str(folder / split),
            dataset_type=fo.types.COCODetectionDataset,
            label_types="detections",
            label_field="ground_truth",
            tags=split,
            progress=False,
        )
    return dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=SETTINGS["epochs"])
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").addHandler(logging.StreamHandler())
    dataset = load(arguments.photographs / "highway")
    shared = yolov1_fo.inspect(dataset).view("shared").match_tags("train")
    print(f"excluded from training: {shared.values('filepath')}", flush=True)
    train, tenth = measuring.split_off_validation(
        dataset.match_tags("train").exclude(shared)
    )
    val = dataset.match_tags("val")
    rows = {}
    for name, settings in (("ours", SETTINGS), ("baseline", BASELINE)):
        settings = {**settings, "epochs": arguments.epochs}
        rows[name] = measuring.run(train, tenth, val, IOU_THRESHS, **settings)
        rows[name]["settings"] = settings
        print(name, measuring.line(rows[name]), flush=True)
    dataset.delete()
    measuring.write(arguments.json, {"runs": rows})


if __name__ == "__main__":
    main()
