"""Trains, applies and evaluates on the quickstart data."""

import logging
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import fiftyone as fo
import humanize
from PIL.Image import Image
from tabulate import tabulate

from yolov1_fo import files, images
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import class_lists, fiftyone_boxes, quickstart
from yolov1_fo.evaluation import evaluator, registration
from yolov1_fo.inference import prediction
from yolov1_fo.model import load
from yolov1_fo.training import detector
from yolov1_fo.visualize import drawing

logger = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {"epochs": 17, "validation_freq": 4}
"""Settings that take five minutes on a laptop; the others are the recipe's."""

LABEL_FIELD, EVAL_KEY = "yolov1", "yolov1_demo"
NUM_PICTURED = 4
SHOWN_ABOVE = 0.3
PICTURE_SIZE = 400


def run(
    output: Path, echo: Callable[[str], None], **settings: Any
) -> evaluator.EvaluationReport:
    """Runs the demo; writes `table.txt` and `predictions.png`.

    Args:
        output: folder to write to
        echo: called with each line of output
        **settings: fields of `TrainConfig`, which replace those in `SETTINGS`
    """
    start = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    if not os.access(output, os.W_OK):
        raise OSError(f"output folder '{output}' is not writable")
    echo("1/4 Load data: 500 scenes of handwritten digits on photographs")
    dataset = quickstart.load_quickstart()
    train, val = dataset.match_tags("train"), dataset.match_tags("val")

    defaults = {k: v for k, v in SETTINGS.items() if k != "epochs"}
    if not settings.get("max_minutes"):
        defaults["epochs"] = SETTINGS["epochs"]
    settings = {**defaults, **settings}
    echo(f"2/4 Train on {len(train)} scenes, validate on {len(val)}")
    result = detector.train(train, val_samples=val, **settings)
    echo(result.summary())

    echo(f"3/4 Apply: write predictions to the field '{LABEL_FIELD}'")
    model = load.load_model(result.checkpoint_dir)
    prediction.apply(dataset, model, label_field=LABEL_FIELD, batch_size=16)

    echo("4/4 Evaluate on the validation split")
    registration.delete(dataset, EVAL_KEY)  # of an earlier run of the demo
    report = evaluator.evaluate(val, LABEL_FIELD, eval_key=EVAL_KEY, progress=False)
    files.write_text(output / "table.txt", f"{report}\n")
    with files.atomic_file(output / "predictions.png") as unfinished:
        drawing.save(picture(val.limit(NUM_PICTURED), LABEL_FIELD), unfinished)
    echo(f"\n{report}\n")
    elapsed = timedelta(seconds=time.monotonic() - start)
    results = (
        ("Table", output / "table.txt"),
        ("Picture", f"{output / 'predictions.png'} (ground truth above predictions)"),
        ("Time", humanize.precisedelta(elapsed, format="%0.0f")),
        ("App", f"fiftyone app launch {dataset.name}"),
    )
    echo(tabulate(results, tablefmt="plain", disable_numparse=True))
    return report


def picture(samples: Any, pred_field: str, image_size: int = PICTURE_SIZE) -> Image:
    """Returns a picture of samples: ground truth above, predictions below.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections; those of at least `SHOWN_ABOVE` are drawn
        image_size (`PICTURE_SIZE`): side of each image, in pixels
    """
    classes = class_lists.classes_of(samples, "ground_truth")
    pictures = [
        _drawn(images.read(sample.filepath, image_size), sample[field], classes)
        for field in ("ground_truth", pred_field)
        for sample in samples
    ]
    return drawing.tile(pictures, columns=len(samples), gap=0)


def _drawn(pixels: Array, detections: fo.Detections, classes: list[str]) -> Image:
    shown = [
        one
        for one in detections.detections
        if one.confidence is None or one.confidence >= SHOWN_ABOVE
    ]
    boxes = fiftyone_boxes.to_xyxy([one.bounding_box for one in shown])
    colors = [drawing.color_of(classes.index(one.label)) for one in shown]
    names = [
        one.label if one.confidence is None else f"{one.label} {one.confidence:.2f}"
        for one in shown
    ]
    return drawing.with_boxes(pixels, boxes, colors, names)
