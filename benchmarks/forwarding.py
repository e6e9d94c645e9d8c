"""Speed of the forward pass, compared with other libraries on the same networks."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import measuring, peers, processes
from benchmarks.measuring import Figure
from benchmarks.peers import WRITE
from benchmarks.processes import MeasuredProcess

CASES = (("fast-yolov1", 1), ("fast-yolov1", 8), ("fast-yolov1", 32), ("yolov1", 1))
DECISIVE = "yolov1", 8
RATIOS = (
    ("yolov1_fo float32", "ONNX Runtime float32", 0.9),
    ("yolov1_fo bfloat16", "yolov1_fo float32", 1.8),
    ("yolov1_fo bfloat16", "OpenVINO bfloat16", 0.85),
)
"""Speed of the first divided by that of the second, for `DECISIVE`."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second and ratios."""
    for name, batch in [("fast-yolov1", 2)] if quick else [*CASES, DECISIVE]:
        with tempfile.TemporaryDirectory() as folder:
            yield from _case(Path(folder), name, batch, 3 if quick else 9)


def _case(folder: Path, name: str, batch: int, rounds: int) -> Iterator[Figure]:
    what = f"forward of {name}, batch {batch}"
    missing = {one: package for one in peers.NEEDS if (package := peers.missing(one))}
    for one, package in missing.items():
        yield Figure(f"{what}, {one}", float("nan"), note=f"{package} is missing")
    available = [one for one in peers.NEEDS if one not in missing]
    subprocess.run(  # frees its memory when it ends
        [sys.executable, "-m", "benchmarks.peers", WRITE, folder, name, str(batch)],
        check=True,
        capture_output=True,
    )
    bfloat16 = [one for one in available if one.endswith("bfloat16")]
    float32 = [one for one in available if one not in bfloat16]
    for group in (
        float32,
        ["yolov1_fo float32", *bfloat16],
    ):  # not enough memory for all
        yield from _group(folder, name, batch, rounds, group)


def _group(
    folder: Path, name: str, batch: int, rounds: int, group: list[str]
) -> Iterator[Figure]:
    what, threads = f"forward of {name}, batch {batch}", os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        started = {
            one: stack.enter_context(
                MeasuredProcess("benchmarks.peers", one, folder, name, threads)
            )
            for one in group
        }
        times = processes.alternate_processes(started, rounds)
    expected = np.load(folder / "yolov1_fo float32.npy")
    for one, seconds in times.items():
        output = np.load(folder / f"{one}.npy")
        difference = np.abs(output - expected).max() / np.abs(expected).max()
        note = f"{difference:.0e} from yolov1_fo, {started[one].peak_gb:.1f} GB"
        yield measuring.figure(f"{what}, {one}", batch / seconds, "images/s", note=note)
    if (name, batch) == DECISIVE:
        for one, other, target in RATIOS:
            if {one, other} <= set(group):
                label = f"{what}, speed of {one} / {other}"
                ratio = times[other] / times[one]
                yield measuring.figure(label, ratio, target=target)
