"""Time of `evaluate`, compared with the `evaluate_detections` that it calls."""

from collections.abc import Iterator
from pathlib import Path

import fiftyone as fo
import fiftyone.core.labels as fol
import numpy as np

import yolov1_fo
from benchmarks import measuring
from benchmarks.measuring import Figure

FALSE_POSITIVES = 10
"""Per image."""


def figures(photographs: Path, quick: bool) -> Iterator[Figure]:
    """Yields seconds and their ratio."""
    dataset = yolov1_fo.load_quickstart().match_tags("val").clone(persistent=False)
    if quick:
        dataset.delete_samples(dataset.skip(10))
    _predict(dataset)
    n, boxes = len(dataset), dataset.count("predictions.detections")

    def evaluate_detections() -> None:
        dataset.evaluate_detections(
            "predictions",
            gt_field="ground_truth",
            eval_key="evaluate_detections",
            compute_mAP=True,
            progress=False,
        )

    times = measuring.alternate(
        {
            "evaluate": lambda: yolov1_fo.evaluate(
                dataset, "predictions", eval_key="evaluate", progress=False
            ),
            "evaluate_detections": evaluate_detections,
        },
        2 if quick else 5,
    )
    what = f"evaluation of {n} images, {boxes} boxes"
    for function, seconds in times.items():
        yield measuring.figure(f"{what}: {function}", seconds, "s")
    evaluate, alone = times.values()
    label = f"{what}: time of evaluate / evaluate_detections"
    yield measuring.figure(label, evaluate / alone)
    dataset.delete()


def _predict(dataset: fo.Dataset) -> None:
    """Writes the ground truth, slightly shifted, and false positives."""
    rng = np.random.default_rng(0)
    classes = dataset.distinct("ground_truth.detections.label")
    for sample in dataset.iter_samples(autosave=True):
        boxes = [
            (one.label, np.array(one.bounding_box) + rng.normal(0, 0.01, 4))
            for one in sample.ground_truth.detections
        ]
        boxes += [
            (str(rng.choice(classes)), rng.uniform(0.1, 0.5, 4))
            for _ in range(FALSE_POSITIVES)
        ]
        sample["predictions"] = fol.Detections(
            detections=[
                fol.Detection(
                    label=label,
                    bounding_box=np.clip(box, 0.01, 0.9).tolist(),
                    confidence=float(rng.uniform(0.01, 1)),
                )
                for label, box in boxes
            ]
        )
