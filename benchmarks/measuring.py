"""Shared by the benchmarks: splits, measured trainings, figures as JSON."""

import contextlib
import json
import os
import platform
import re
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import yolov1_fo
from yolov1_fo.boxes import Array

SPLIT_SEED = 2015
LIBRARIES = (
    *("keras", "tensorflow", "tensorflow-cpu", "jax", "fiftyone", "numpy"),
    *("opencv-python-headless", "torch", "onnxruntime", "openvino"),
)


def split_off_validation(samples: Any) -> tuple[Any, Any]:
    """Returns nine tenths of the samples, and one tenth, chosen at random."""
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
    """Trains once, chooses on `val`, and evaluates `test` once.

    Args:
        train: training split
        val: validation split, for the choice of epoch and NMS threshold
        test: split whose mAP is returned
        iou_threshs: NMS IoU thresholds to choose from
        **settings: settings of the training
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
    """Returns the result of a run in one line."""
    return (
        f"VOC07 mAP@0.5 {row['voc07']:.3f} ({row['val_voc07']:.3f} in validation, "
        f"epoch {row['epoch']:.0f}), {row['minutes']:.1f} minutes, "
        f"{row['peak_gb_so_far']:.1f} GB so far"
    )


class Figure(NamedTuple):
    """A measured value.

    Attributes:
        what: its name
        value: median of the measurements
        unit: unit of the value; empty for a ratio
        noise: interquartile range divided by the median; None for one measurement
        target: limit of the value; None if there is none
        at_most: whether the target is an upper limit, not a lower one
        note: other information
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
        text = f"{self.what}: {self.value:.3g} {self.unit}".rstrip()
        if self.noise is not None:
            text += f" (+-{100 * self.noise / 2:.0f} %)"
        if self.target is not None:
            bound = "at most" if self.at_most else "at least"
            text += f"; {bound} {self.target:g}: {'yes' if self.holds else 'NO'}"
        return f"{text}; {self.note}" if self.note else text


def alternate(
    calls: dict[str, Callable[[], Any]], rounds: int, warm_up: int = 1
) -> dict[str, Array]:
    """Returns the seconds of each call, alternating between them.

    Args:
        calls: by name
        rounds: number of measurements of each
        warm_up (1): additional rounds at the start, which are not counted
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(warm_up + rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: np.array(seconds[warm_up:]) for name, seconds in times.items()}


def figure(what: str, values: Array, unit: str = "", **options: Any) -> Figure:
    """Returns the median of several measurements, with its noise."""
    low, middle, high = np.percentile(values, (25, 50, 75))
    return Figure(what, float(middle), unit, float((high - low) / middle), **options)


def processor() -> str:
    """Returns the name of the processor, and its instructions for half precision."""
    try:
        info = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.machine()
    name = re.search(r"model name\s*: (.*)", info)
    flags = set(info.split())
    units = [unit for unit in ("avx512_bf16", "amx_bf16") if unit in flags]
    return ", ".join([name.group(1) if name else platform.machine(), *units])


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Writes figures with date, device and versions."""
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
