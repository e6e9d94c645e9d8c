"""Datasets of labels and predictions made by hand; their files need not exist."""

from typing import Any

import fiftyone as fo
import numpy as np

BOXES = ([0.1, 0.1, 0.3, 0.3], [0.6, 0.5, 0.3, 0.4])
LABELS = ("cat", "dog")


def detection(label: str, box: Any, confidence: float | None = None) -> fo.Detection:
    return fo.Detection(
        label=label, bounding_box=[float(x) for x in box], confidence=confidence
    )


def detections(*labels: Any) -> fo.Detections:
    """Returns a field's value of triples of label, box and confidence."""
    return fo.Detections(detections=[detection(*one) for one in labels])


def dataset(count: int = 30, seed: int = 5) -> fo.Dataset:
    """Returns samples of two objects each, which a good model has predicted.

    Predictions are within 3 % of the objects and have scores from 0.7 to 0.9; each has
    the other class with a score below 0.1, and each image has noise of low scores.
    """
    rng = np.random.default_rng(seed)
    made = fo.Dataset()
    samples = []
    for number in range(count):
        true, found = [], []
        for label, box in zip(LABELS, BOXES, strict=True):
            box = np.array(box) + rng.uniform(-0.05, 0.05, 4)
            near = box + rng.uniform(-0.01, 0.01, 4)
            other = LABELS[label == LABELS[0]]
            true.append((label, box))
            found.append((label, near, float(rng.uniform(0.7, 0.9))))
            found.append((other, near, float(rng.uniform(0.01, 0.1))))
        corner = rng.uniform(0, 0.6, 2)
        found.append(("cat", [*corner, 0.2, 0.2], float(rng.uniform(0.01, 0.1))))
        samples.append(
            fo.Sample(
                f"{number:03}.jpg",
                ground_truth=detections(*true),
                predictions=detections(*found),
            )
        )
    made.add_samples(samples, progress=False)
    return made
