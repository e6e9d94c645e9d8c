"""Compares the checkpoint that a small validation split chooses with the best one.

    python -m benchmarks.checkpoints --photographs FOLDER --json FILE

Of 120 photographs with one object each, 12 validate and the others train, three times
with other photographs. The checkpoint of each epoch is evaluated on the test split. The
figures are written after each training; a file that lacks some is completed.
"""

import argparse
import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fiftyone as fo
import keras

import yolov1_fo
from benchmarks import measuring, photographs
from yolov1_fo.runs import checkpoint

IMAGES, SPLITS, EPOCHS = 12, 3, 30
TARGET = 0.03
"""Largest difference between the best checkpoint on the test split and the chosen."""


class TestCurve(keras.callbacks.Callback):
    """Evaluates the checkpoint of each epoch on the test split.

    Args:
        runs_dir: folder of the run
        test: test split

    Attributes:
        voc07: VOC07 mAP@0.5 by epoch
    """

    def __init__(self, runs_dir: str, test: Any) -> None:
        super().__init__()
        self.runs_dir, self.test = runs_dir, test
        self.voc07: dict[int, float] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Evaluates what the epoch has written."""
        name = checkpoint.epoch_name(epoch + 1)
        for folder in Path(self.runs_dir).rglob(name):
            model = yolov1_fo.load_model(folder)
            yolov1_fo.apply(self.test, model, "curve", progress=False)
            report = yolov1_fo.evaluate(self.test, "curve", progress=False)
            self.voc07[epoch + 1] = report.voc07


def splits(samples: Any, images: int = IMAGES) -> Iterator[tuple[Any, Any]]:
    """Yields training and validation splits; no sample validates twice.

    Args:
        samples: all
        images (12): validation images of each split
    """
    left = samples
    for _ in range(SPLITS):
        left, val = yolov1_fo.split(left, images / len(left))
        yield samples.exclude(val), val


def run(train: Any, val: Any, test: Any, **settings: Any) -> dict[str, Any]:
    """Trains once; returns the chosen epoch and both curves."""
    runs_dir = tempfile.mkdtemp()
    curve = TestCurve(runs_dir, test)
    result = yolov1_fo.train(
        train,
        val_samples=val,
        runs_dir=runs_dir,
        callbacks=[curve],
        progress=False,
        **settings,
    )
    shutil.rmtree(runs_dir)
    chosen, best = int(result.best["epoch"]), max(curve.voc07, key=curve.voc07.get)
    return {
        "images": {"train": len(train), "val": len(val), "test": len(test)},
        "epoch": chosen,
        "test_voc07": curve.voc07[chosen],
        "best_epoch": best,
        "best_test_voc07": curve.voc07[best],
        "difference": curve.voc07[best] - curve.voc07[chosen],
        "val_curve": result.history["val_voc07"],
        "test_curve": list(curve.voc07.values()),
        "val_thresh": measuring.val_thresh(result),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    fo.config.show_progress_bars = False
    samples, test = photographs.load("one-object", arguments.photographs)
    rows = measuring.read(arguments.json).get("runs", [])
    wanted = [{"split": k, "epochs": arguments.epochs} for k in range(SPLITS)]
    found = [*splits(samples)]
    for about in measuring.missing(wanted, rows):
        number = about["split"]
        train, val = found[number]
        row = about | run(train, val, test, epochs=arguments.epochs)
        rows.append(row)
        measuring.write(arguments.json, {"runs": rows})
        print(
            f"split {number}: epoch {row['epoch']} with {row['test_voc07']:.3f}; the "
            f"best is {row['best_epoch']} with {row['best_test_voc07']:.3f}",
            flush=True,
        )
    largest = max(row["difference"] for row in rows)
    print(f"largest difference {largest:.3f}; at most {TARGET} is the target")


if __name__ == "__main__":
    main()
