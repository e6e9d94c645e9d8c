"""Chooses images that are worth a label: doubtful, and different from each other.

It works on arrays.
"""

from collections.abc import Sequence

import numpy as np

from yolov1_fo.boxes import Array
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.thresholds import Thresholds

STRONGEST = 3
"""Number of the most doubtful detections of an image that count."""
LEAST_DOUBT = 0.1
"""Weight of an image without any doubt."""


def doubt(found: Detections, classes: Sequence[str], limits: Thresholds) -> float:
    """Returns how doubtful a model is about an image.

    A detection at the threshold of its class is as doubtful as can be, 1; one of score
    0 or 1 is not, 0. The most doubtful detections count.

    Args:
        found: detections of all scores
        classes: names by class id
        limits: the model's operating point

    Returns:
        mean of the three highest, in [0, 1]; detections that lack count 0

    Example:
        >>> found = Detections(np.zeros((2, 4)), np.array([0.4, 0.1]), np.array([0, 0]))
        >>> round(doubt(found, ["car"], Thresholds(0.4, {})), 4)  # (1 + 0.25 + 0) / 3
        0.4167
    """
    names = [classes[class_id] for class_id in found.class_ids.tolist()]
    thresh = np.clip(limits.of(names), 0.01, 0.99)
    scores = np.clip(np.asarray(found.scores, float), 0, 1)
    doubts = np.minimum(scores / thresh, (1 - scores) / (1 - thresh))
    return float(np.sort(doubts)[::-1][:STRONGEST].sum() / STRONGEST)


def choose(doubts: Array, embeddings: Array, labeled: Array, count: int) -> list[int]:
    """Returns the images to label next, the most useful first.

    Greedy: the next image is that of the highest product of its doubt and its distance
    to the nearest image that is labeled or chosen already. Of equal ones it is the
    first.

    Args:
        doubts: (N,) in [0, 1]
        embeddings: (N, D) of the same images
        labeled: (M, D) of images that have labels
        count: number of images to choose; at most N are
    """
    embeddings, labeled = _normalized(embeddings), _normalized(labeled)
    weights = LEAST_DOUBT + (1 - LEAST_DOUBT) * np.asarray(doubts, float)
    distances = np.full(len(weights), 2.0)  # the largest of unit vectors
    for one in labeled:
        distances = np.minimum(distances, _distances(embeddings, one))
    chosen: list[int] = []
    is_left = np.ones(len(weights), bool)
    for _ in range(min(count, len(weights))):
        best = int(np.where(is_left, weights * distances, -1).argmax())
        chosen.append(best)
        is_left[best] = False
        distances = np.minimum(distances, _distances(embeddings, embeddings[best]))
    return chosen


def _normalized(embeddings: Array) -> Array:
    embeddings = np.asarray(embeddings, float)
    length = np.linalg.norm(embeddings, axis=-1, keepdims=True)
    return embeddings / np.where(length > 0, length, 1)


def _distances(embeddings: Array, one: Array) -> Array:
    """Returns the distances of unit vectors (N, D) to one (D,): (N,)."""
    return np.linalg.norm(embeddings - one, axis=-1)
