"""Trains, applies and evaluates for long in one process, and follows its memory.

    python -m benchmarks.soak --json benchmarks/results/soak.json

First twenty short trainings; then rounds of training, loading, applying and evaluating
for forty minutes. What a training leaves in memory, or open, shows as a slope.
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

SIDE = 448
"""In pixels; a learner that is not let go then weighs 50 MB."""
WARM = 3
"""After so many trainings memory must stay level."""
LEVEL, STEADY = 0.03, 0.05
"""The most that it may grow by, as a part: over the trainings, over the soak."""


class Held(NamedTuple):
    """What the process holds.

    Attributes:
        minutes: since the start
        megabytes: of resident memory
        files: that are open
        maps: files that are mapped to memory, libraries left out
    """

    minutes: float
    megabytes: float
    files: list[str]
    maps: list[str]


def held(start: float) -> Held:
    """Returns what the process holds now.

    Args:
        start: of the measurement, by `time.monotonic`
    """
    gc.collect()
    me = psutil.Process()
    home = str(sandbox.home())
    return Held(
        (time.monotonic() - start) / 60,
        me.memory_info().rss / 1e6,
        sorted(one.path for one in me.open_files() if one.path.startswith(home)),
        sorted({one.path for one in me.memory_maps() if one.path.startswith(home)}),
    )


def train_often(count: int) -> list[Held]:
    """Returns what is held after each of so many short trainings."""
    dataset = sandbox.make_dataset()
    start = time.monotonic()
    seen = []
    for number in range(count):
        _train(dataset, f"run_{number}")
        seen.append(held(start))
        print(_said(f"training {number + 1}", seen[-1]), flush=True)
    dataset.delete()
    return seen


def use_long(minutes: float) -> list[Held]:
    """Returns what is held after each round of all calls, for so many minutes."""
    dataset = sandbox.make_dataset()
    start = time.monotonic()
    seen: list[Held] = []
    for number in itertools.count(1):
        if seen and seen[-1].minutes >= minutes:
            break
        result = _train(dataset, "soak")
        model = yolov1_fo.load_model(result.checkpoint_dir, confidence_thresh=0.01)
        yolov1_fo.apply(dataset, model, "predictions", progress=False)
        yolov1_fo.evaluate(dataset, "predictions", eval_key="soak", progress=False)
        dataset.delete_evaluation("soak")
        deletion.delete_run(dataset, "soak")
        seen.append(held(start))
        if number % 10 == 1:
            print(_said(f"round {number}", seen[-1]), flush=True)
    dataset.delete()
    return seen


def _train(dataset: Any, run_key: str) -> Any:
    return yolov1_fo.train(
        dataset.match_tags("train"),
        val_samples=dataset.match_tags("val"),
        run_key=run_key,
        epochs=2,
        **{**sandbox.SETTINGS, "image_size": SIDE},
    )


def _said(what: str, now: Held) -> str:
    return (
        f"{what}: {now.minutes:.1f} minutes, {now.megabytes:.0f} MB, "
        f"{len(now.files)} files open, {len(now.maps)} mapped"
    )


def growth(before: list[float], after: list[float]) -> float:
    """Returns by which part the median has grown.

    Example:
        >>> growth([100.0, 100.0, 300.0], [103.0])
        0.03
    """
    return round(float(np.median(after) / np.median(before)) - 1, 4)


def figures(trained: list[Held], used: list[Held]) -> list[Figure]:
    """Returns what must hold.

    Args:
        trained: from `train_often`
        used: from `use_long`
    """
    found = []
    if len(trained) > WARM:
        level = [one.megabytes for one in trained]
        grown = growth(level[WARM - 1 : WARM], level[-1:])
        what = f"memory grown from training {WARM} to {len(trained)}, as a part"
        found.append(Figure(what, grown, target=LEVEL, at_most=True))
    if used:
        quarter = used[-1].minutes / 4
        second, last = (
            [one.megabytes for one in used if low <= one.minutes / quarter <= low + 1]
            for low in (1, 3)
        )
        what = f"memory grown from minutes {quarter:.0f}-{2 * quarter:.0f} to the last"
        what += f" {quarter:.0f}, as a part"
        found.append(Figure(what, growth(second, last), target=STEADY, at_most=True))
    kept = {path for one in (trained[-1:], used[-1:]) for h in one for path in h.files}
    mapped = {path for one in (trained[-1:], used[-1:]) for h in one for path in h.maps}
    what = "files left open or mapped"
    return [*found, Figure(what, len(kept | mapped), target=0, at_most=True)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trainings", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=40)
    parser.add_argument("--json", type=Path, help="where the figures are written")
    arguments = parser.parse_args()
    logging.getLogger("yolov1_fo").setLevel(logging.ERROR)
    sandbox.register_network()
    trained = train_often(arguments.trainings)
    used = use_long(arguments.minutes) if arguments.minutes else []
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
