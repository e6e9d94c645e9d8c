"""What the benchmarks share: splits, one measured training, figures as JSON."""

import contextlib
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np

import yolov1_fo
from yolov1_fo.boxes import Array

SPLIT_SEED = 2015
TOOK = "took"
LIBRARIES = (
    *("keras", "tensorflow", "tensorflow-cpu", "jax", "fiftyone", "numpy"),
    *("opencv-python-headless", "torch", "onnxruntime", "openvino"),
)


def put_aside(samples: Any) -> tuple[Any, Any]:
    """Returns nine tenths of the samples, and the other tenth."""
    ids = np.array(samples.values("id"))
    shown = np.random.default_rng(SPLIT_SEED).permutation(len(ids))
    tenth = ids[shown[: len(ids) // 10]].tolist()
    return samples.exclude(tenth), samples.select(tenth)


def run(
    train: Any,
    val: Any,
    test: Any,
    iou_threshs: Sequence[float] = (0.5,),
    **settings: Any,
) -> dict[str, Any]:
    """Trains once, chooses on `val`, and reads `test` once.

    Args:
        train: samples to learn from
        val: samples that choose the epoch, and which overlap is one object
        test: samples that are reported
        iou_threshs: overlaps to choose from
        **settings: of the training
    """
    runs_dir = tempfile.mkdtemp()
    start = time.monotonic()
    result = yolov1_fo.train(train, val_samples=val, runs_dir=runs_dir, **settings)
    seconds = time.monotonic() - start

    def measured(samples: Any, iou_thresh: float) -> Any:
        model = yolov1_fo.load_model(result.checkpoint_dir, iou_thresh=iou_thresh)
        yolov1_fo.apply(samples, model, "yolov1", progress=False)
        return yolov1_fo.evaluate(samples, "yolov1", progress=False)

    chosen = iou_threshs[0]
    if len(iou_threshs) > 1:
        chosen = max(iou_threshs, key=lambda thresh: measured(val, thresh).voc07)
    report = measured(test, chosen)
    print(report, flush=True)
    shutil.rmtree(runs_dir)
    return {
        "voc07": report.voc07,
        "coco_map": report.coco_map,
        "per_class": {name: row["voc07"] for name, row in report.per_class.items()},
        "val_voc07": result.best["val_voc07"],
        "epoch": result.best["epoch"],
        "iou_thresh": chosen,
        "minutes": seconds / 60,
        "peak_gb_so_far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def line(row: dict[str, Any]) -> str:
    """Returns a run in one line."""
    return (
        f"VOC07 mAP@0.5 {row['voc07']:.3f} ({row['val_voc07']:.3f} on the tenth, "
        f"epoch {row['epoch']:.0f}), {row['minutes']:.1f} minutes, "
        f"{row['peak_gb_so_far']:.1f} GB so far"
    )


class Figure(NamedTuple):
    """Something that was measured.

    Attributes:
        what: was measured
        value: the median
        unit: of the value; a ratio has none
        noise: the interquartile range, as a part of the median; None where it was
            measured once
        target: what it must reach; a ratio that must stay below has `at_most`
        at_most: whether the target is the largest value, not the smallest
        note: what else there is to say
    """

    what: str
    value: float
    unit: str = ""
    noise: float | None = None
    target: float | None = None
    at_most: bool = False
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the target is met; None if there is none."""
        if self.target is None:
            return None
        return self.value <= self.target if self.at_most else self.value >= self.target

    def __str__(self) -> str:
        said = f"{self.what}: {self.value:.3g} {self.unit}".rstrip()
        if self.noise is not None:
            said += f" (+-{100 * self.noise / 2:.0f} %)"
        if self.target is not None:
            bound = "at most" if self.at_most else "at least"
            said += f"; {bound} {self.target:g}: {'yes' if self.holds else 'NO'}"
        return f"{said}; {self.note}" if self.note else said


def in_turns(
    contestants: dict[str, Callable[[], Any]], rounds: int, warm: int = 1
) -> dict[str, Array]:
    """Returns the seconds of each contestant's calls, who take turns.

    Args:
        contestants: what is called, by name
        rounds: calls of each
        warm (1): rounds before, which do not count
    """
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(warm + rounds):
        for name, call in contestants.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: np.array(taken[warm:]) for name, taken in times.items()}


def figure(what: str, values: Array, unit: str = "", **options: Any) -> Figure:
    """Returns the median of what was measured several times, with its noise."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return Figure(what, float(middle), unit, float((high - low) / middle), **options)


class Contestant:
    """A module that runs in a process of its own and sleeps until it is asked.

    Its `main` ends with `answer`.

    Args:
        module: with a `main`
        *arguments: of its command line

    Attributes:
        peak_gb: the most memory that it has held
    """

    def __init__(self, module: str, *arguments: Any) -> None:
        self.peak_gb = 0.0
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # __exit__ does
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def ask(self) -> float:
        """Returns the seconds of one call."""
        print("go", file=self.process.stdin, flush=True)
        for line in self.process.stdout or ():
            if line.startswith(TOOK):
                seconds, self.peak_gb = map(float, line.split()[1:])
                return seconds
        self.errors.seek(0)
        raise RuntimeError(self.errors.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.errors.close()


def asked_in_turns(
    contestants: dict[str, Contestant], rounds: int, warm: int = 1
) -> dict[str, Array]:
    """Returns the seconds that each contestant's calls took by its own clock.

    Args:
        contestants: by name
        rounds: calls of each
        warm (1): rounds before, which do not count
    """
    asked = [[one.ask() for one in contestants.values()] for _ in range(warm + rounds)]
    return dict(zip(contestants, np.array(asked[warm:]).T, strict=True))


def answer(call: Callable[[], Any]) -> None:
    """Times a call whenever it is asked, in the process of a `Contestant`.

    A call that returns a number has taken its own time.
    """
    for _ in sys.stdin:
        start = time.perf_counter()
        said = call()
        took = said if isinstance(said, float) else time.perf_counter() - start
        print(TOOK, took, peak_gb(), flush=True)


def peak_gb() -> float:
    """Returns the most memory that this process has held.

    On Linux the system's own count begins with what the parent held.
    """
    try:
        held = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    except OSError:
        held = None
    if held is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return int(held.group(1)) * 1024 / 1e9


def processor() -> str:
    """Returns the processor's name, and its units for half precision."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    name = re.search(r"model name\s*: (.*)", said)
    flags = set(said.split())
    units = [unit for unit in ("avx512_bf16", "amx_bf16") if unit in flags]
    return ", ".join([name.group(1) if name else platform.machine(), *units])


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Writes figures with where and with what they were measured."""
    if path is None:
        return
    about = {
        "date": date.today().isoformat(),
        "device": f"{os.cpu_count()} cores, {processor()}",
        "versions": dict(_versions()),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, **figures}, indent=2) + "\n")


def _versions() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)
