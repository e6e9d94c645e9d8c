"""mAP of a trained network on the fruit photographs in each precision."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import yolov1_fo
from benchmarks.measuring import Figure
from benchmarks.photographs import fruit

SETTINGS = {"S": 10, "epochs": 16, "validation_freq": 4}
SMALL = {**SETTINGS, "epochs": 1, "validation_freq": 1, "image_size": 64, "S": 2}


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields mAP, and its difference from float32."""
    logging.disable(logging.WARNING)  # hides messages about loading
    dataset = fruit(photographs / "fruit")
    train, val = yolov1_fo.split(dataset.match_tags("train"))
    test = dataset.match_tags("test")
    settings = SMALL if quick else SETTINGS
    with tempfile.TemporaryDirectory() as runs_dir:
        run = yolov1_fo.train(
            train, val_samples=val, runs_dir=runs_dir, progress=False, **settings
        )
        scores = {}
        for precision in ("float32", "bfloat16", "float16"):
            model = yolov1_fo.load_model(run.checkpoint_dir, precision=precision)
            yolov1_fo.apply(test, model, precision, progress=False)
            report = yolov1_fo.evaluate(test, precision, progress=False)
            scores[precision] = report.voc07
    what = f"VOC07 of {len(test)} fruit photographs"
    for precision, score in scores.items():
        yield Figure(f"{what}, {precision}", score)
        if precision != "float32":
            difference = abs(score - scores["float32"])
            label = f"{what}, {precision}: difference from float32"
            yield Figure(label, difference, target=0.005, at_most=True)
    dataset.delete()
