"""The main job on the embedded data: train, apply, evaluate, table, picture."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
from PIL.Image import Image

from yolov1_fo import files, images
from yolov1_fo.boxes import Array
from yolov1_fo.datasets import class_lists, labels, quickstart
from yolov1_fo.evaluation import evaluation_keys, evaluator
from yolov1_fo.inference import prediction
from yolov1_fo.model import load
from yolov1_fo.training import detector
from yolov1_fo.visualize import drawing

logger = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {
    "network": "yolov1-efficientnet-lite0",
    "image_size": 256,
    "S": 16,
    "head_filters": 128,
    "epochs": 16,
    "batch_size": 4,
    "batch_norm": True,
    "dropout": 0.0,
    "freeze_to_stride": 8,
    "optimizer": "adam",
    "learning_rate": 1.5e-3,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "ema_momentum": 0.99,
    "jitter": 0.15,
    "exposure": 1.2,
    "saturation": 1.2,
    "flip": 0.0,  # a mirrored digit is another sign
    "validation_freq": 4,
    "iou_thresh": 0.4,  # as Darknet shows its detections
}
"""What serves a newcomer: a pretrained backbone, small enough for a laptop."""

EVAL_KEY = "yolov1_demo"
PICTURED = 4
SHOWN_ABOVE = 0.3
PICTURE_SIDE = 400


def run(
    output: Path, say: Callable[[str], None], **settings: Any
) -> evaluator.EvaluationReport:
    """Runs the main job and writes `table.txt` and `predictions.png`.

    Args:
        output: folder for what is written
        say: is told what happens, a line at a time
        **settings: of `TrainConfig`, instead of those in `SETTINGS`
    """
    start = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    if not os.access(output, os.W_OK):
        raise OSError(f"output folder '{output}' is not writable")
    say("1/4 data: 500 scenes of handwritten digits on photographs")
    dataset = quickstart.load_quickstart()
    train, val = dataset.match_tags("train"), dataset.match_tags("val")

    settings = {**SETTINGS, **settings}
    say(f"2/4 train on {len(train)} scenes, measure on {len(val)}")
    result = detector.train(train, val_samples=val, **settings)
    say(str(result))

    say("3/4 apply: predictions go into the field 'yolov1'")
    yolov1 = load.load_model(result.checkpoint_dir, iou_thresh=settings["iou_thresh"])
    prediction.apply(dataset, yolov1, label_field="yolov1", batch_size=16)

    say("4/4 evaluate")
    evaluation_keys.delete(dataset, EVAL_KEY)  # of an earlier demo, maybe another's
    report = evaluator.evaluate(val, "yolov1", eval_key=EVAL_KEY, progress=False)
    files.write(output / "table.txt", f"{report}\n")
    with files.whole_file(output / "predictions.png") as unfinished:
        drawing.save(picture(val.limit(PICTURED), "yolov1"), unfinished)
    say(f"\n{report}\n")
    say(f"table    {output / 'table.txt'}")
    say(f"picture  {output / 'predictions.png'} (above: truth, below: predictions)")
    say(f"time     {time.monotonic() - start:.0f} s")
    return report


def picture(samples: Any, pred_field: str, image_size: int = PICTURE_SIDE) -> Image:
    """Returns a sheet of samples: truth above, predictions below.

    Args:
        samples: a FiftyOne dataset or view of images
        pred_field: field of Detections; those of at least `SHOWN_ABOVE` are drawn
        image_size (`PICTURE_SIDE`): of each, in pixels
    """
    classes = class_lists.classes_of(samples, "ground_truth")
    tiles = [
        _drawn(images.read(sample.filepath, image_size), sample[field], classes)
        for field in ("ground_truth", pred_field)
        for sample in samples
    ]
    return drawing.beside(tiles, columns=len(samples), gap=0)


def _drawn(pixels: Array, detections: fo.Detections, classes: list[str]) -> Image:
    found = [
        one
        for one in detections.detections
        if one.confidence is None or one.confidence >= SHOWN_ABOVE
    ]
    boxes = labels.to_xyxy([one.bounding_box for one in found])
    colours = [drawing.colour_of(classes.index(one.label)) for one in found]
    names = [
        one.label if one.confidence is None else f"{one.label} {one.confidence:.2f}"
        for one in found
    ]
    return drawing.with_boxes(pixels, boxes, colours, names)
