"""The forward pass of both paper networks, beside others' of the same network."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import measuring, peers
from benchmarks.measuring import Contestant, Figure
from benchmarks.peers import WRITE

CASES = (("fast-yolov1", 1), ("fast-yolov1", 8), ("fast-yolov1", 32), ("yolov1", 1))
DECISIVE = "yolov1", 8
RATIOS = (
    ("ours float32", "ONNX Runtime float32", 0.9),
    ("ours bfloat16", "ours float32", 1.8),
    ("ours bfloat16", "OpenVINO bfloat16", 0.85),
)
"""Speed of the first by the second, in the decisive case."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images a second, and their ratios."""
    for name, batch in [("fast-yolov1", 2)] if quick else [*CASES, DECISIVE]:
        with tempfile.TemporaryDirectory() as folder:
            yield from _case(Path(folder), name, batch, 3 if quick else 9)


def _case(folder: Path, name: str, batch: int, rounds: int) -> Iterator[Figure]:
    what = f"forward of {name}, batch {batch}"
    lacking = {one: package for one in peers.NEEDS if (package := peers.missing(one))}
    for one, package in lacking.items():
        yield Figure(f"{what}, {one}", float("nan"), note=f"{package} is missing")
    able = [one for one in peers.NEEDS if one not in lacking]
    subprocess.run(  # its memory is free when it ends
        [sys.executable, "-m", "benchmarks.peers", WRITE, folder, name, str(batch)],
        check=True,
        capture_output=True,
    )
    halves = [one for one in able if one.endswith("bfloat16")]
    wholes = [one for one in able if one not in halves]
    for group in (wholes, ["ours float32", *halves]):  # all at once are too large
        yield from _group(folder, name, batch, rounds, group)


def _group(
    folder: Path, name: str, batch: int, rounds: int, group: list[str]
) -> Iterator[Figure]:
    what, threads = f"forward of {name}, batch {batch}", os.cpu_count() or 1
    with contextlib.ExitStack() as running:
        contestants = {
            one: running.enter_context(
                Contestant("benchmarks.peers", one, folder, name, threads)
            )
            for one in group
        }
        times = measuring.asked_in_turns(contestants, rounds)
    expected = np.load(folder / "ours float32.npy")
    for one, taken in times.items():
        said = np.load(folder / f"{one}.npy")
        apart = np.abs(said - expected).max() / np.abs(expected).max()
        note = f"{apart:.0e} from ours, {contestants[one].peak_gb:.1f} GB"
        yield measuring.figure(f"{what}, {one}", batch / taken, "images/s", note=note)
    if (name, batch) == DECISIVE:
        for one, other, target in RATIOS:
            if {one, other} <= set(group):
                label = f"{what}, {one} by {other}"
                ratio = times[other] / times[one]
                yield measuring.figure(label, ratio, target=target)
