"""Trains, applies and evaluates repeatedly in one process, and measures its memory.

    python -m benchmarks.soak --json benchmarks/results/soak.json

First twenty short trainings; then rounds of training, loading, applying and evaluating
for forty minutes. Leaks show as growing memory, or as open files.
"""

import argparse
import gc
import itertools
import logging
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

import yolov1_fo
from benchmarks import measuring, sandbox
from benchmarks.measuring import Figure
from yolov1_fo.runs import deletion

IMAGE_SIZE = 448
"""In pixels; a leaked learner then needs 50 MB."""
WARM_UP = 3
"""Trainings after which memory must not grow."""
MAX_TRAINING_GROWTH, MAX_SOAK_GROWTH = 0.03, 0.05
"""Largest relative growth of memory: over the trainings, over the rounds."""


class Usage(NamedTuple):
    """Memory and files of the process.

    Attributes:
        minutes: since the start
        megabytes: resident memory
        files: open files
        maps: memory-mapped files, without libraries
    """

    minutes: float
    megabytes: float
    files: list[str]
    maps: list[str]


def measure(start: float) -> Usage:
    """Returns the current memory and files of the process.

    Args:
        start: start of the benchmark, from `time.monotonic`
    """
    gc.collect()
    process = psutil.Process()
    home = str(sandbox.home())
    return Usage(
        (time.monotonic() - start) / 60,
        process.memory_info().rss / 1e6,
        sorted(one.path for one in process.open_files() if one.path.startswith(home)),
        sorted(
            {one.path for one in process.memory_maps() if one.path.startswith(home)}
        ),
    )


def repeat_trainings(count: int) -> list[Usage]:
    """Returns the usage after each of `count` short trainings."""
    dataset = sandbox.make_dataset()
    start = time.monotonic()
    usages = []
    for number in range(count):
        _train(dataset, f"run_{number}")
        usages.append(measure(start))
        print(_describe(f"training {number + 1}", usages[-1]), flush=True)
    dataset.delete()
    return usages


def repeat_rounds(minutes: float) -> list[Usage]:
    """Returns the usage after each round of all calls, for some minutes."""
    dataset = sandbox.make_dataset()
    start = time.monotonic()
    usages: list[Usage] = []
    for number in itertools.count(1):
        if usages and usages[-1].minutes >= minutes:
            break
        result = _train(dataset, "soak")
        model = yolov1_fo.load_model(result.checkpoint_dir, confidence_thresh=0.01)
        yolov1_fo.apply(dataset, model, "predictions", progress=False)
        yolov1_fo.evaluate(dataset, "predictions", eval_key="soak", progress=False)
        dataset.delete_evaluation("soak")
        deletion.delete_run(dataset, "soak")
        usages.append(measure(start))
        if number % 10 == 1:
            print(_describe(f"round {number}", usages[-1]), flush=True)
    dataset.delete()
    return usages


def _train(dataset: Any, run_key: str) -> Any:
    return yolov1_fo.train(
        dataset.match_tags("train"),
        val_samples=dataset.match_tags("val"),
        run_key=run_key,
        epochs=2,
        **{**sandbox.SETTINGS, "image_size": IMAGE_SIZE},
    )


def _describe(what: str, now: Usage) -> str:
    return (
        f"{what}: {now.minutes:.1f} minutes, {now.megabytes:.0f} MB, "
        f"{len(now.files)} files open, {len(now.maps)} mapped"
    )


def growth(before: list[float], after: list[float]) -> float:
    """Returns the relative growth of the median.

    Example:
        >>> growth([100.0, 100.0, 300.0], [103.0])
        0.03
    """
    return round(float(np.median(after) / np.median(before)) - 1, 4)


def figures(trained: list[Usage], used: list[Usage]) -> list[Figure]:
    """Returns the figures that have a limit.

    Args:
        trained: from `repeat_trainings`
        used: from `repeat_rounds`
    """
    found = []
    if len(trained) > WARM_UP:
        memory = [one.megabytes for one in trained]
        grown = growth(memory[WARM_UP - 1 : WARM_UP], memory[-1:])
        what = f"relative memory growth, training {WARM_UP} to {len(trained)}"
        found.append(Figure(what, grown, target=MAX_TRAINING_GROWTH, at_most=True))
    if used:
        quarter = used[-1].minutes / 4
        second, last = (
            [one.megabytes for one in used if low <= one.minutes / quarter <= low + 1]
            for low in (1, 3)
        )
        what = (
            f"relative memory growth, minutes {quarter:.0f}-{2 * quarter:.0f} to the "
        )
        what += f"last {quarter:.0f}"
        found.append(
            Figure(what, growth(second, last), target=MAX_SOAK_GROWTH, at_most=True)
        )
    kept = {path for one in (trained[-1:], used[-1:]) for h in one for path in h.files}
    mapped = {path for one in (trained[-1:], used[-1:]) for h in one for path in h.maps}
    what = "files still open or mapped"
    return [*found, Figure(what, len(kept | mapped), target=0, at_most=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainings", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    sandbox.register_network()
    trained = repeat_trainings(arguments.trainings)
    used = repeat_rounds(arguments.minutes) if arguments.minutes else []
    found = figures(trained, used)
    for one in found:
        print(one)
    measuring.write(
        arguments.json,
        {
            "figures": [{**one._asdict(), "holds": one.holds} for one in found],
            "trainings": [one._asdict() for one in trained],
            "rounds": [one._asdict() for one in used],
        },
    )
    return int(any(one.holds is False for one in found))


if __name__ == "__main__":
    sandbox.enter(main)
