"""The main job on the embedded data: train, apply, evaluate, table, picture."""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fiftyone as fo
import PIL.Image
import PIL.ImageDraw

from yolov1_fo import evaluation, images, inference, quickstart, sources, training

logger = logging.getLogger(__name__)

SETTINGS: dict[str, Any] = {
    "network": "yolov1-efficientnet-lite0",
    "side": 256,
    "S": 16,
    "head_filters": 128,
    "epochs": 16,
    "batch_size": 4,
    "batch_norm": True,
    "dropout": 0.0,
    "frozen_stride": 8,
    "optimizer": "adam",
    "learning_rate": 1.5e-3,
    "schedule": "cosine",
    "warmup_epochs": 1.0,
    "ema": 0.99,
    "jitter": 0.15,
    "exposure": 1.2,
    "saturation": 1.2,
    "flip": 0.0,  # a mirrored digit is another sign
    "validate_every": 4,
    "iou_thresh": 0.4,  # as Darknet shows its detections
}
"""What serves a newcomer: a pretrained trunk, small enough for a laptop."""

PICTURED = 4
SHOWN_ABOVE = 0.3
PICTURE_SIDE = 400


def run(
    output: Path, say: Callable[[str], None], **settings: Any
) -> evaluation.EvaluationReport:
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
    result = training.train(train, val_samples=val, **settings)
    say(str(result))

    say("3/4 apply: predictions go into the field 'yolov1'")
    yolov1 = sources.load_model(
        result.checkpoint_dir, iou_thresh=settings["iou_thresh"]
    )
    inference.apply(dataset, yolov1, label_field="yolov1", batch_size=16)

    say("4/4 evaluate")
    report = evaluation.evaluate(val, "yolov1", eval_key="yolov1_demo", progress=False)
    (output / "table.txt").write_text(f"{report}\n")
    picture(val.limit(PICTURED), "yolov1").save(output / "predictions.png")
    say(f"\n{report}\n")
    say(f"table    {output / 'table.txt'}")
    say(f"picture  {output / 'predictions.png'} (above: truth, below: predictions)")
    say(f"time     {time.monotonic() - start:.0f} s")
    return report


def picture(samples: Any, pred_field: str) -> PIL.Image.Image:
    """Returns a sheet of samples: truth above, predictions below."""
    side = PICTURE_SIDE
    sheet = PIL.Image.new("RGB", (side * len(samples), 2 * side), "white")
    for column, sample in enumerate(samples):
        for row, field in enumerate(("ground_truth", pred_field)):
            tile = _drawn(images.read(sample.filepath, side), sample[field])
            sheet.paste(tile, (column * side, row * side))
    return sheet


def _drawn(pixels: Any, detections: fo.Detections) -> PIL.Image.Image:
    tile = PIL.Image.fromarray(pixels)
    draw = PIL.ImageDraw.Draw(tile)
    for detection in detections.detections:
        if detection.confidence is not None and detection.confidence < SHOWN_ABOVE:
            continue
        x, y, w, h = (PICTURE_SIDE * value for value in detection.bounding_box)
        text = detection.label
        if detection.confidence is not None:
            text += f" {detection.confidence:.2f}"
        colour = "lime" if detection.confidence is None else "yellow"
        draw.rectangle((x, y, x + w, y + h), outline=colour, width=3)
        where = (x, max(y - 16, 0))
        draw.rectangle(draw.textbbox(where, text, font_size=14), fill="black")
        draw.text(where, text, fill=colour, font_size=14)
    return tile
