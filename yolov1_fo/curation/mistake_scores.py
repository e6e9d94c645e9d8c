"""Scores of possible mistakes in labels: how much each label looks like a broken one.

It works on arrays. How well a model's detections tell wrong labels from right ones
depends on the model and the images. Therefore it is learned from them: a tenth of the
labels is broken on purpose, in memory, for each kind of mistake, and a logistic
regression learns from the evidence which ones. Few real mistakes don't disturb this.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from yolov1_fo import boxes as _boxes
from yolov1_fo.boxes import Array
from yolov1_fo.curation import breaking, evidence
from yolov1_fo.curation.mistake_kinds import (
    KINDS,
    LOOSE_BOX,
    MISSING,
    OBJECT_KINDS,
    SPURIOUS,
    WRONG_CLASS,
)
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.average_precision import GroundTruth

BROKEN_SHARE = 0.1
"""Share of the objects that are broken, of each kind, to learn from."""
SHIFT = (0.3, 0.6)
"""Lowest and highest shift of loose boxes to learn from, relative to their size."""
OBJECTS = 4000
"""Number of objects to learn from; fewer are broken several times."""
MAX_ROUNDS, MAX_IMAGES = 40, 1000
"""Largest numbers of times, and of images."""
STRENGTH = 0.01
"""Inverse of the regularization, as scikit-learn's C."""
SEED = 1


class Mistake(NamedTuple):
    """A label that may be wrong.

    Attributes:
        kind: one of `MISTAKE_KINDS`
        score: in [0, 1]; from 0.5 on the label looks more like a broken one
        image: index of the image
        target: index of the object in the image; -1 for a missing object
        detection: index of the detection that contradicts it; -1 without
    """

    kind: str
    score: float
    image: int
    target: int
    detection: int


class _Regression:
    """A logistic regression on features and the products of each two.

    Products tell, for example, a confident detection that overlaps an object a little
    from a doubtful one.

    Args:
        features: (N, F) of labels
        is_broken: (N,) which of them are broken
    """

    def __init__(self, features: Array, is_broken: Array) -> None:
        self._pipeline: Any = None
        self._constant = float(is_broken.mean()) if len(is_broken) else BROKEN_SHARE
        if len(is_broken) and 0 < self._constant < 1:
            self._pipeline = _pipeline().fit(features, is_broken)

    def predict(self, features: Array) -> Array:
        """Returns the probability of being broken: (N,)."""
        if self._pipeline is None or not len(features):
            return np.full(len(features), self._constant)
        return self._pipeline.predict_proba(features)[:, 1]


def _pipeline() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(C=STRENGTH, max_iter=1000),
    )


def find(
    found: Sequence[Detections], objects: Sequence[GroundTruth], num_classes: int
) -> list[Mistake]:
    """Returns the possible mistakes in labels, the most likely first.

    An object has its most likely kind of mistake. Equal evidence has equal scores, and
    these are in the order of the images.

    Args:
        found: detections of all scores, by image
        objects: labels, by image; at least one object
        num_classes: number of classes
    """
    learned = _learn(found, objects, num_classes)
    known = evidence.gather(found, objects)
    return sorted(_likely(known, learned), key=lambda one: (-one.score, *one[2:]))


def _likely(known: evidence.Evidence, learned: dict[str, _Regression]) -> list[Mistake]:
    """Returns a mistake for each object, and each place that does not explain one."""
    of_objects = _of_objects(known, learned)
    contradicting: dict[tuple[int, int], float] = {}
    for one in of_objects:
        key = one.image, one.detection
        contradicting[key] = max(contradicting.get(key, 0.0), one.score)
    return [
        *of_objects,
        *(
            one
            for one in _of_places(known, learned)
            if one.score > contradicting.get((one.image, one.detection), 0.0)
        ),
    ]


def _learn(
    found: Sequence[Detections], objects: Sequence[GroundTruth], num_classes: int
) -> dict[str, _Regression]:
    """Returns the regression of each kind of mistake, learned from broken labels."""
    rng = np.random.default_rng(SEED)
    images = rng.permutation(len(objects))[:MAX_IMAGES].tolist()
    some_found, some = [found[k] for k in images], [objects[k] for k in images]
    count = sum(len(one.class_ids) for one in some)
    rounds = min(math.ceil(OBJECTS / max(count, 1)), MAX_ROUNDS)
    parts = []
    for _ in range(rounds):
        counts = {kind: int(rng.binomial(count, BROKEN_SHARE)) for kind in KINDS}
        broken = breaking.break_labels(some, num_classes, counts, rng, SHIFT)
        known = evidence.gather(some_found, broken.objects)
        parts.append((known, *_answers(known, broken, some_found)))
    features = np.concatenate([known.objects for known, _, _ in parts])
    kinds = np.concatenate([kinds for _, kinds, _ in parts])
    places = np.concatenate([known.places for known, _, _ in parts])
    is_removed = np.concatenate([removed for _, _, removed in parts])
    learned = {}
    for kind in OBJECT_KINDS:
        number = KINDS.index(kind)
        is_meant = np.isin(kinds, (number, breaking.INTACT))
        learned[kind] = _Regression(features[is_meant], kinds[is_meant] == number)
    learned[MISSING] = _Regression(places, is_removed)
    return learned


def _answers(
    known: evidence.Evidence, broken: breaking.Broken, found: Sequence[Detections]
) -> tuple[Array, Array]:
    """Returns the kind of each object, and which places are of removed objects."""
    kinds = [broken.kinds[image][row] for image, row, *_ in known.object_rows]
    is_removed = [
        _boxes.evaluation_iou(broken.removed[image], found[image].boxes[[row]]).max(
            initial=0
        )
        >= evidence.IS_LABELED
        for image, row in known.place_rows
    ]
    return np.array(kinds, int), np.array(is_removed, bool)


def _of_objects(
    known: evidence.Evidence, learned: dict[str, _Regression]
) -> list[Mistake]:
    """Returns the most likely mistake of each object."""
    scores = np.stack([learned[kind].predict(known.objects) for kind in OBJECT_KINDS])
    best = scores.argmax(axis=0)  # (M,)
    contradicting = {SPURIOUS: None, WRONG_CLASS: 3, LOOSE_BOX: 2}
    mistakes = []
    for number, row in enumerate(known.object_rows.tolist()):
        kind = OBJECT_KINDS[best[number]]
        column = contradicting[kind]
        detection = -1 if column is None else row[column]
        score = float(scores[best[number], number])
        mistakes.append(Mistake(kind, score, row[0], row[1], detection))
    return mistakes


def _of_places(
    known: evidence.Evidence, learned: dict[str, _Regression]
) -> list[Mistake]:
    scores = learned[MISSING].predict(known.places).tolist()
    return [
        Mistake(MISSING, score, image, -1, detection)
        for score, (image, detection) in zip(
            scores, known.place_rows.tolist(), strict=True
        )
    ]
