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
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import yolov1_fo
from yolov1_fo import files
from yolov1_fo.boxes import Array

LIBRARIES = (
    *("keras", "tensorflow", "tensorflow-cpu", "jax", "fiftyone", "numpy"),
    *("opencv-python-headless", "torch", "onnxruntime", "openvino"),
)


def train(train: Any, val: Any, test: Any, **settings: Any) -> dict[str, Any]:
    """Trains once, and evaluates `test` once.

    Args:
        train: training split
        val: validation split, which the checkpoint is chosen by
        test: split whose figures are returned
        **settings: arguments of `yolov1_fo.train`

    Returns:
        of `evaluate`; image_size; S, the cells per side; recall_ceiling, the share of
        the objects of `test` that have a cell of their own; val_thresh, the recommended
        threshold of the validation split; epoch of the best checkpoint; epochs;
        val_voc07 of each epoch; minutes; peak_gb_so_far
    """
    runs_dir, start = tempfile.mkdtemp(), time.monotonic()
    result = yolov1_fo.train(
        train, val_samples=val, runs_dir=runs_dir, progress=False, **settings
    )
    minutes = (time.monotonic() - start) / 60
    model = yolov1_fo.load_model(result.checkpoint_dir)
    figures = evaluate(test, model)
    shutil.rmtree(runs_dir)
    network = {"S": result.config.S, "image_size": result.config.image_size}
    return {
        **figures,
        **network,
        "recall_ceiling": yolov1_fo.inspect(test, **network).recall_ceiling,
        "val_thresh": val_thresh(result),
        "epoch": result.best["epoch"],
        "epochs": len(result.history["loss"]),
        "val_voc07": result.history["val_voc07"],
        "minutes": minutes,
        "peak_gb_so_far": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def val_thresh(result: yolov1_fo.TrainResult) -> float | None:
    """Returns the recommended threshold of a run's validation split."""
    point = result.operating_point
    return point.thresh if point else None


def evaluate(test: Any, model: Any) -> dict[str, Any]:
    """Returns the figures of a model.

    The median score is that of as many best detections as there are objects. The
    reliability is, for each tenth of the scores, the number of detections, and the
    share of them that are right.
    """
    yolov1_fo.apply(test, model, "yolov1", progress=False)
    report = yolov1_fo.evaluate(
        test, "yolov1", eval_key="figures", confidence_thresh=0, progress=False
    )
    scores, kinds = (
        np.array(test.values(f"yolov1.detections.{name}", unwind=True))
        for name in ("confidence", "figures")
    )
    count = test.count("ground_truth.detections")
    thresh = report.recommended_thresh
    point = report.at(0.0 if np.isnan(thresh) else thresh)  # NaN: nothing is right
    tenths = np.minimum((10 * scores).astype(int), 9)
    return {
        "voc07": report.voc07,
        "ap50": report.ap50,
        "coco_map": report.coco_map,
        "per_class": {name: row["voc07"] for name, row in report.per_class.items()},
        "best_f1": report.best_f1,
        "recommended_thresh": thresh,
        "precision": point.precision,
        "recall": point.recall,
        "highest_score": float(scores.max(initial=0)),
        "median_score": float(np.median(np.sort(scores)[::-1][:count])),
        "reliability": [
            (
                int(is_in.sum()),
                float((kinds[is_in] == "tp").mean()) if is_in.any() else 0,
            )
            for is_in in (tenths == tenth for tenth in range(10))
        ],
    }


def line(row: dict[str, Any]) -> str:
    """Returns the figures of a training in one line."""
    return (
        f"{row['dataset']:<11} seed {row['seed']}  VOC07 {row['voc07']:.3f}  AP50 "
        f"{row['ap50']:.3f}  mAP {row['coco_map']:.3f}  F1 {row['best_f1']:.3f} at "
        f"{row['recommended_thresh']:.2f}  score {row['median_score']:.2f}  epoch "
        f"{row['epoch']:.0f}/{row['epochs']}  {row['minutes']:.1f} min"
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
    files.write_text(path, json.dumps({**about, **figures}, indent=2) + "\n")


def read(path: Path | None) -> dict[str, Any]:
    """Returns what `write` wrote, to complete it; nothing without a file."""
    if path is None or not path.exists():
        return {}
    return json.loads(path.read_text())


def missing(
    wanted: Iterable[dict[str, Any]], rows: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Returns the measurements that are not among the rows.

    Args:
        wanted: what describes each measurement
        rows: of a file, descriptions with figures
    """
    done = [*rows]
    return [
        one for one in wanted if not any(one.items() <= row.items() for row in done)
    ]


def _versions() -> Iterator[tuple[str, str]]:
    for name in LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)
