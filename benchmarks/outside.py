"""Where the time of the demo goes: training steps, and everything else.

python -m benchmarks.outside --json benchmarks/results/outside.json
"""

import argparse
import functools
import tempfile
import time
from pathlib import Path
from typing import Any

import keras
import psutil
from tabulate import tabulate

from benchmarks import measuring
from yolov1_fo.cli import demo
from yolov1_fo.datasets import quickstart
from yolov1_fo.evaluation import evaluator
from yolov1_fo.inference import prediction
from yolov1_fo.model import load
from yolov1_fo.training import detector, loop, run_writer

PARTS = (
    ("loading the data", quickstart, "load_quickstart"),
    ("training", detector, "train"),
    ("validation", loop.Session, "_validated"),
    ("checkpoints", run_writer.RunWriter, "save"),
    ("state of the run", run_writer.RunWriter, "update"),
    ("report of the run", loop.Session, "_write_report"),
    ("loading the model", load, "load_model"),
    ("apply", prediction, "apply"),
    ("evaluate", evaluator, "evaluate"),
    ("picture", demo, "picture"),
)
"""What is timed: a name, and the function that does it."""
DURING_TRAINING = ("validation", "checkpoints", "state of the run", "report of the run")
STEPS, TO_FIRST, FIRST = "other steps", "start of the training", "first step, compiled"


class Clock(keras.callbacks.Callback):
    """Measures the steps of a training.

    Attributes:
        seconds: from the start to the first step, of the first step, and of the others
    """

    def __init__(self) -> None:
        super().__init__()
        self.seconds = {TO_FIRST: 0.0, FIRST: 0.0, STEPS: 0.0}
        self.start = self.began = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Starts a measurement."""
        self.began = time.perf_counter()
        if not self.seconds[TO_FIRST]:
            self.seconds[TO_FIRST] = self.began - self.start

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Ends a measurement."""
        part = STEPS if self.seconds[FIRST] else FIRST
        self.seconds[part] += time.perf_counter() - self.began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=demo.SETTINGS["epochs"])
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures = measure(arguments.epochs)
    measuring.write(arguments.json, figures)
    print(table(figures))
    print(f"VOC07 {figures['voc07']:.3f}, COCO mAP {figures['coco_map']:.3f}")


def measure(epochs: int) -> dict[str, Any]:
    """Returns the seconds of each part of the demo, and its figures."""
    imported = time.time() - psutil.Process().create_time()
    seconds = {name: 0.0 for name, _, _ in PARTS}
    for part in PARTS:
        _time(seconds, *part)
    clock, start = Clock(), time.perf_counter()
    training = demo.detector.train

    def train(*samples: Any, **settings: Any) -> Any:
        clock.start = time.perf_counter()
        return training(*samples, callbacks=[clock], **settings)

    demo.detector.train = train
    with tempfile.TemporaryDirectory() as folder:
        report = demo.run(Path(folder), print, epochs=epochs)
    whole = imported + time.perf_counter() - start
    seconds = {"importing": imported, **seconds, **clock.seconds}
    inside = (*DURING_TRAINING, *clock.seconds)
    seconds["between steps, and the rest of the training"] = seconds.pop(
        "training"
    ) - sum(seconds[name] for name in inside)
    seconds["the rest"] = whole - sum(seconds.values())
    return {
        "epochs": epochs,
        "seconds": whole,
        "parts": seconds,
        "voc07": report.voc07,
        "coco_map": report.coco_map,
    }


def _time(seconds: dict[str, float], name: str, home: Any, function: str) -> None:
    """Makes a function add its time to that of a part."""
    timed = getattr(home, function)

    @functools.wraps(timed)
    def run(*arguments: Any, **named: Any) -> Any:
        start = time.perf_counter()
        try:
            return timed(*arguments, **named)
        finally:
            seconds[name] += time.perf_counter() - start

    setattr(home, function, run)


def table(figures: dict[str, Any]) -> str:
    """Returns a line per part: its seconds, and its share of the whole."""
    whole = figures["seconds"]
    parts = {**figures["parts"], "all": whole, "all but steps": 0.0}
    parts["all but steps"] = whole - figures["parts"][STEPS]
    lines = [
        (name, f"{part:.1f}", f"{part / whole:.1%}") for name, part in parts.items()
    ]
    return tabulate(
        lines, ("part", "seconds", "share"), tablefmt="github", disable_numparse=True
    )


if __name__ == "__main__":
    main()
