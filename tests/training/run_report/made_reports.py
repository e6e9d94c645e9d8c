"""Runs with everything that a report shows, made without training."""

import json
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import PIL.Image
from bs4 import BeautifulSoup

from yolov1_fo.config import TrainConfig
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import average_precision, operating_point, stored_detections
from yolov1_fo.evaluation.average_precision import GroundTruth
from yolov1_fo.evaluation.stored_detections import SplitDetections
from yolov1_fo.runs import checkpoint, folders, history, records, registry
from yolov1_fo.visualize import sheets

CLASSES = ["blue", "red"]
HISTORY = {
    "loss": [40.0, 2.0, 0.5],
    "coord_xy": [20.0, 1.0, 0.2],
    "class_probs": [20.0, 1.0, 0.3],
    "val_loss": [50.0, None, 1.0],
    "val_voc07": [0.0, None, 0.75],
    "val_f1": [0.0, None, 0.5],
    "learning_rate": [0.1, 0.05, 0.0],
    "seconds": [10.0, 20.0, 125.0],
}
SPLITS = {
    "train": {
        "images": 6,
        "without_objects": 1,
        "objects": [4, 5],
        "sizes": [0, 0, 0, 0, 0, 0, 9, *[0] * 13],
    },
    "val": {
        "images": 2,
        "without_objects": 0,
        "objects": [1, 2],
        "sizes": [0, 0, 0, 0, 0, 0, 3, *[0] * 13],
    },
}


def split_of(painted_files, images=2):
    """Returns detections in the painted pictures: their objects, and noise."""
    found, truth = [], []
    for number, one in enumerate(painted_files[:images]):
        boxes = np.array([box for _, box in one["objects"]], np.float32).reshape(-1, 4)
        boxes = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
        ids = np.array([CLASSES.index(label) for label, _ in one["objects"]], np.int32)
        truth.append(GroundTruth(boxes, ids, np.zeros(len(ids), bool)))
        noise = np.array([[0.8, 0.8, 0.99, 0.99]], np.float32)
        scores = np.linspace(0.9, 0.8, len(ids), dtype=np.float32)
        found.append(
            Detections(
                np.concatenate([boxes, noise]),
                np.append(scores, 0.7 if number % 2 else 0.05).astype(np.float32),
                np.append(ids, 0).astype(np.int32),
            )
        )
    paths = [str(one["path"]) for one in painted_files[:images]]
    names = [f"{number:024x}" for number in range(images)]
    return SplitDetections(names, paths, found, truth)


def make_reportable(dataset, run_key="one", split=None, classes=CLASSES, **changed):
    """Makes a finished run of three epochs, the third the best; returns its folder.

    Args:
        dataset: that it belongs to
        run_key ("one"): its name
        split (None): the detections of its best checkpoint
        classes (`CLASSES`): their names
        **changed: parts of its record
    """
    folder = folders.run_folder(dataset, run_key)
    config = TrainConfig(C=len(classes), epochs=3, batch_size=4, S=7)
    parts = {
        "folder": str(folder),
        "settings": json.loads(json.dumps(asdict(config))),
        "classes": list(classes),
        "gt_field": "ground_truth",
        "task": "detect",
        "device": "CPU with 2 cores",
        "images": 6,
        "objects": 9,
        "val_images": 2 if split else 0,
        "splits": SPLITS if len(classes) == 2 else {},
        "versions": {"keras": "3.15"},
        **changed,
    }
    registry.register(dataset, run_key, **parts)
    metrics = {name: values[-1] for name, values in HISTORY.items()}
    metadata = {
        "format": 2,
        "run_key": run_key,
        "dataset": dataset.name,
        "epoch": 3,
        **parts,
        "metrics": metrics if split else {"loss": 0.5},
    }
    if split:
        curves = average_precision.curves(split.found, split.truth, len(classes))
        metadata["operating_point"] = operating_point.summary(curves, classes, 0.5)
    with checkpoint.writing(folder, 3, best=True) as unfinished:
        (unfinished / checkpoint.NETWORK).write_bytes(b"weights")
        (unfinished / checkpoint.METADATA).write_text(json.dumps(metadata))
        if split:
            stored_detections.write(unfinished, split)
    known = HISTORY if split else {k: v for k, v in HISTORY.items() if "val" not in k}
    history.write(folder, known)
    records.save_curves(dataset, run_key, known)
    tile = PIL.Image.new("RGB", (sheets.SIDE, sheets.SIDE), "#336699")
    jpeg = sheets.to_jpeg(sheets.make([tile] * 4))
    (folder / folders.TRAIN_BATCH).write_bytes(jpeg)
    best = {**metadata["metrics"], "epoch": 3}
    records.update(dataset, run_key, status="finished", epoch=3, best=best)
    return folder


def parsed(html):
    """Returns the parts of a page that tests look at."""
    soup = BeautifulSoup(html, "html.parser")
    facts = {
        one.select_one(".name").text: one.select_one(".value").text
        for one in soup.select(".fact")
    }
    return SimpleNamespace(
        soup=soup,
        text=" ".join(soup.text.split()),
        facts=facts,
        sections=[one["id"] for one in soup.select("section[id]")],
        charts=[one.text for one in soup.select(".chart figcaption")],
        notes=[one.text for one in soup.select(".notes li")],
        images=[one["src"] for one in soup.select("img")],
        rows=lambda table: [
            [cell.text.strip() for cell in row.select("th, td")]
            for row in soup.select(f"table.{table} tbody tr")
        ],
    )
