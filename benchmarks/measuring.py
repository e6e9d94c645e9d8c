"""What the benchmarks share: splits, one measured training, figures as JSON."""

import json
import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import yolov1_fo

SPLIT_SEED = 2015
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


def write(path: Path | None, figures: dict[str, Any]) -> None:
    """Writes figures with where and with what they were measured."""
    if path is None:
        return
    about = {
        "date": date.today().isoformat(),
        "device": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": {name: version(name) for name in LIBRARIES},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, **figures}, indent=2) + "\n")
