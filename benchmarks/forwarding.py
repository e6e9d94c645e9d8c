"""Speed of the forward pass, compared with other libraries on the same networks."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import measuring, peers, processes
from benchmarks.measuring import Figure
from benchmarks.peers import LIBRARIES, OURS
from benchmarks.processes import MeasuredProcess
from yolov1_fo.architectures import NETWORKS


class Case(NamedTuple):
    """A network, the side of its images in pixels, and the number of images."""

    network: str
    image_size: int
    batch: int

    @property
    def is_transfer(self) -> bool:
        """Whether the network has a pretrained backbone."""
        return bool(NETWORKS[self.network].backbone)

    def __str__(self) -> str:
        return f"forward of {self.network}, {self.image_size} px, batch {self.batch}"


CASES = (
    *(Case("fast-yolov1", 448, batch) for batch in (1, 8, 32)),
    *(Case("yolov1", 448, batch) for batch in (1, 8)),
)
DECISIVE = CASES[-1]
RATIOS = (
    (f"{OURS} float32", "ONNX Runtime float32", 0.9),
    (f"{OURS} bfloat16", f"{OURS} float32", 1.8),
    (f"{OURS} bfloat16", "OpenVINO bfloat16", 0.85),
)
"""Speed of the first divided by that of the second, for `DECISIVE`."""
OF_THE_BEST = 0.95
"""Lower limit: speed of our fastest runtime, divided by that of other libraries."""
IMAGES_PER_MEASUREMENT = 32


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields images per second and ratios of the paper's networks."""
    yield from measured([Case("fast-yolov1", 448, 2)] if quick else CASES, quick)


def measured(cases: Iterable[Case], quick: bool) -> Iterator[Figure]:
    """Yields images per second and ratios."""
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            yield from _case(Path(folder), case, 3 if quick else 9)


def _case(folder: Path, case: Case, rounds: int) -> Iterator[Figure]:
    """Yields the figures of each precision in turn, since both need much memory."""
    subprocess.run(  # frees its memory when it ends
        [
            sys.executable,
            "-m",
            "benchmarks.peers",
            peers.WRITE,
            folder,
            *map(str, case),
        ],
        check=True,
        capture_output=True,
    )
    reference = f"{OURS} float32"
    for precision in ("float32", "bfloat16"):
        group = [reference]
        for name, library in LIBRARIES.items():
            with_keras = library.runtime in ("", "keras")
            if library.precision != precision or not (case.is_transfer or with_keras):
                continue
            if package := peers.missing(name):
                note = f"{package} is missing"
                yield Figure(f"{case}, {name}", float("nan"), note=note)
            elif name != reference:
                group.append(name)
        yield from _group(folder, case, rounds, group)


def _group(folder: Path, case: Case, rounds: int, group: list[str]) -> Iterator[Figure]:
    repeats = max(1, IMAGES_PER_MEASUREMENT // case.batch) if case.is_transfer else 1
    with contextlib.ExitStack() as stack:
        started = {
            name: stack.enter_context(
                MeasuredProcess("benchmarks.peers", name, folder, repeats)
            )
            for name in group
        }
        measured = processes.alternate_processes(started, rounds)
    times = {name: seconds / repeats for name, seconds in measured.items()}
    expected = np.load(folder / f"{group[0]}.npy")
    for name, seconds in times.items():
        output = np.load(folder / f"{name}.npy")
        difference = np.abs(output - expected).max() / np.abs(expected).max()
        note = f"{difference:.0e} from {OURS}, {started[name].peak_gb:.1f} GB"
        yield measuring.figure(
            f"{case}, {name}", case.batch / seconds, "images/s", note=note
        )
    if case == DECISIVE:
        for one, other, target in RATIOS:
            if {one, other} <= set(group):
                ratio = times[other] / times[one]
                label = f"{case}, speed of {one} / {other}"
                yield measuring.figure(label, ratio, target=target)
    if case.is_transfer:
        yield from _best(case, times, LIBRARIES[group[-1]].precision)


def _best(case: Case, times: dict[str, np.ndarray], precision: str) -> Iterator[Figure]:
    """Yields the speed of the fastest runtime, divided by that of other libraries."""
    of = {
        name: t for name, t in times.items() if LIBRARIES[name].precision == precision
    }
    ours, others = (
        min(
            (t for name, t in of.items() if bool(LIBRARIES[name].runtime) is is_ours),
            key=np.median,
            default=None,
        )
        for is_ours in (True, False)
    )
    if ours is not None and others is not None:
        label = f"{case}, {precision}, speed of {OURS} / the fastest other library"
        yield measuring.figure(label, others / ours, target=OF_THE_BEST)
