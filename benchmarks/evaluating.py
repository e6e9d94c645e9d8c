"""`evaluate`, beside FiftyOne's own `evaluate_detections` that it contains."""

from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import fiftyone.core.labels as fol
import numpy as np

import yolov1_fo
from benchmarks import measuring
from benchmarks.measuring import Figure

FALSE = 10
"""Boxes an image that show nothing."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields seconds, and their ratio."""
    dataset = yolov1_fo.load_quickstart().match_tags("val").clone(persistent=False)
    if quick:
        dataset.delete_samples(dataset.skip(10))
    _predict(dataset)
    n, boxes = len(dataset), dataset.count("predictions.detections")

    def theirs() -> None:
        dataset.evaluate_detections(
            "predictions",
            gt_field="ground_truth",
            eval_key="theirs",
            compute_mAP=True,
            progress=False,
        )

    times = measuring.in_turns(
        {
            "evaluate": lambda: yolov1_fo.evaluate(
                dataset, "predictions", eval_key="ours", progress=False
            ),
            "evaluate_detections": theirs,
        },
        2 if quick else 5,
    )
    what = f"evaluation of {n} images, {boxes} boxes"
    for way, taken in times.items():
        yield measuring.figure(f"{what}: {way}", taken, "s")
    ours, alone = times.values()
    label = f"{what}: evaluate by evaluate_detections"
    yield measuring.figure(label, ours / alone)
    dataset.delete()


def _predict(dataset: fo.Dataset) -> None:
    """Writes the truth, a little moved, and boxes that show nothing."""
    rng = np.random.default_rng(0)
    classes = dataset.distinct("ground_truth.detections.label")
    for sample in dataset.iter_samples(autosave=True):
        moved = [
            (one.label, np.array(one.bounding_box) + rng.normal(0, 0.01, 4))
            for one in sample.ground_truth.detections
        ]
        moved += [
            (str(rng.choice(classes)), rng.uniform(0.1, 0.5, 4)) for _ in range(FALSE)
        ]
        sample["predictions"] = fol.Detections(
            detections=[
                fol.Detection(
                    label=label,
                    bounding_box=np.clip(box, 0.01, 0.9).tolist(),
                    confidence=float(rng.uniform(0.01, 1)),
                )
                for label, box in moved
            ]
        )
