"""Bad labels in the database, after FiftyOne's own checks."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import bson
import numpy as np

import yolov1_fo
from benchmarks import sandbox
from benchmarks.attempts import ACCEPTED, Verdict, attempt
from benchmarks.bad_arguments import planned_only
from benchmarks.mutating import ODD, pick

BATCH = 32
FIELDS = ("ground_truth", "predictions")
PLACES = ("bounding_box",) * 6 + ("label", "confidence", "iscrowd", "attributes")


def _evaluate(view: Any) -> None:
    yolov1_fo.evaluate(view, "predictions", eval_key="fuzz", progress=False)


def _train(view: Any) -> None:
    with planned_only():
        yolov1_fo.train(view, **{**sandbox.SETTINGS, "batch_size": 1})


CALLS: dict[str, Callable[[Any], Any]] = {
    "labels, evaluated": _evaluate,
    "labels, inspected": lambda view: print(yolov1_fo.inspect(view), file=_NullFile()),
    "labels, trained on": _train,
}


class _NullFile:
    """Discards what is printed to it."""

    def write(self, text: str) -> None:
        """Discards the text."""


def verdicts(kind: str, numbers: list[int], seed: int) -> Iterator[Verdict]:
    """Yields how a call ended for each bad label.

    Labels are tried in one call; if it is not accepted, in two halves, and so on.

    Args:
        kind: a key of `CALLS`
        numbers: numbers of the inputs; each depends on its number and the seed
        seed: seed of all inputs
    """
    dataset = sandbox.make_dataset(repeats=-(-BATCH // 8))
    dataset.delete_samples(dataset.skip(BATCH))
    dataset.clone_sample_field("ground_truth", "predictions")
    documents = [
        dataset._sample_collection.find_one({"_id": bson.ObjectId(one)})
        for one in dataset.values("id")
    ]
    for start in range(0, len(numbers), BATCH):
        part = numbers[start : start + BATCH]
        rows = []
        for number, document in zip(part, documents, strict=False):
            rng = np.random.default_rng([seed, number])
            fields = _bad_fields(rng)
            dataset._sample_collection.update_one(
                {"_id": document["_id"]}, {"$set": fields}
            )
            rows.append(str(document["_id"]))
        yield from _bisect(dataset, rows, CALLS[kind])
    dataset.delete()


def _bisect(dataset: Any, rows: list[str], call: Callable[[Any], Any]) -> list[Verdict]:
    view = dataset.select(rows)
    verdict = attempt(lambda: call(view))
    with contextlib.suppress(ValueError):  # it does not exist
        dataset.delete_evaluation("fuzz")
    if verdict.outcome == ACCEPTED or len(rows) == 1:
        return [verdict] * len(rows)
    half = len(rows) // 2
    return [
        *_bisect(dataset, rows[:half], call),
        *_bisect(dataset, rows[half:], call),
    ]


def _bad_fields(rng: np.random.Generator) -> dict[str, Any]:
    """Returns both fields of a sample, one of them bad."""
    fields = {field: _labels(rng) for field in FIELDS}
    field = pick(rng, FIELDS)
    detections = fields[field]["detections"]
    bad = pick(rng, detections)
    way = int(rng.integers(12))
    if way == 0:
        fields[field] = pick(rng, (None, {"_cls": "Detections"}))
    elif way == 1:
        fields[field]["detections"] = pick(rng, (None, []))
    elif way == 2:
        del bad[pick(rng, ("label", "bounding_box", "confidence"))]
    else:
        place = pick(rng, PLACES)
        bad[place] = _box(rng) if place == "bounding_box" else _odd(rng)
    return fields


def _labels(rng: np.random.Generator) -> dict[str, Any]:
    return {
        "_cls": "Detections",
        "detections": [
            {
                "_id": bson.ObjectId(),
                "_cls": "Detection",
                "attributes": {},
                "tags": [],
                "label": pick(rng, ("red", "blue")),
                "bounding_box": [*rng.uniform(0, 0.5, 2), *rng.uniform(0.1, 0.5, 2)],
                "confidence": float(rng.uniform()),
            }
            for _ in range(3)
        ],
    }


def _box(rng: np.random.Generator) -> Any:
    """Returns a bad box."""
    way = int(rng.integers(4))
    if way == 0:
        return _odd(rng)
    if way == 1:
        return rng.uniform(-1, 2, int(rng.integers(0, 7))).tolist()
    box: list[Any] = rng.uniform(-1, 2, 4).tolist()
    for _ in range(way - 1):
        box[int(rng.integers(4))] = _odd(rng)
    return box


def _odd(rng: np.random.Generator) -> Any:
    """Returns one of `ODD` that MongoDB can store."""
    value = pick(rng, ODD)
    is_large = isinstance(value, int) and abs(value) >= 2**63
    return str(value) if is_large or value == {"$gt": 0} else value
