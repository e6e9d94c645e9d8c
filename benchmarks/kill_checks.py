"""Checks after an interruption: the user's data is unchanged, and calls work again."""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bson.json_util
import fiftyone as fo
import numpy as np

import yolov1_fo
from benchmarks import sandbox
from benchmarks.kill_calls import (
    DATASET,
    KEPT,
    KEY,
    apply,
    dataset,
    evaluate,
    publish,
    resume,
    train,
)
from yolov1_fo import files
from yolov1_fo.jobs import runs_table
from yolov1_fo.networks import keras_file
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, deletion, folders, records, registry

USERS = ("ground_truth", "others", "notes", "tags", "filepath")
"""Fields that no call may change."""


def prepare(names: list[str]) -> None:
    """Makes the user's data, and the results of undisturbed calls.

    Args:
        names: scenes that will be disturbed
    """
    samples = sandbox.make_dataset(DATASET, repeats=5)
    samples.clone_sample_field("ground_truth", "others")
    samples.set_values("notes", [f"note {number}" for number in range(len(samples))])
    train("host", "undisturbed_host")
    if "train, stream" in names:
        train("stream", "undisturbed_stream")
    yolov1_fo.publish(registry.existing_folder(samples, "undisturbed_host"), KEPT)
    apply("predictions")
    samples.reload()
    report = yolov1_fo.evaluate(
        samples, "predictions", eval_key="before", progress=False
    )
    results = {"boxes": boxes("predictions"), "coco_map": report.coco_map}
    (sandbox.home() / "expected.json").write_text(json.dumps(results))


def expected(name: str) -> Any:
    """Returns the result of an undisturbed call: boxes or coco_map."""
    return json.loads((sandbox.home() / "expected.json").read_text())[name]


def fingerprint() -> dict[str, str]:
    """Returns a digest of each part of the user's data, by name."""
    samples = dataset()
    documents = samples._sample_collection.find(sort=[("_id", 1)])
    rows = [
        {name: _without_evaluation(row.get(name)) for name in USERS}
        for row in documents
    ]
    found = {"samples": _digest(rows)}
    before = samples.load_evaluation_results("before").serialize()
    found["evaluation 'before'"] = _digest(before)
    for key in registry.keys(samples):
        if key != KEY:
            found[f"run '{key}'"] = _digest(records.info(samples, key).serialize())
            found |= _files(Path(records.info(samples, key).folder))
    found |= _files(Path(fo.config.model_zoo_dir) / "yolov1-published" / KEPT)
    return found


def _without_evaluation(value: Any) -> Any:
    """Returns a value without the attributes that the evaluation adds to objects."""
    if isinstance(value, dict):
        return {
            k: _without_evaluation(v) for k, v in value.items() if not k.startswith(KEY)
        }
    return (
        [_without_evaluation(one) for one in value]
        if isinstance(value, list)
        else value
    )


def _digest(value: Any) -> str:
    text = bson.json_util.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def boxes(field: str) -> list[Any]:
    """Returns the boxes in a field of each sample, from the database."""
    documents = dataset()._sample_collection.find(sort=[("_id", 1)])
    return [
        [
            [one["label"], one["bounding_box"], one["confidence"]]
            for one in row[field]["detections"]
        ]
        if row.get(field)
        else None
        for row in documents
    ]


def weights(key: str) -> list[Any]:
    """Returns the last weights of a run, and its curves except the seconds."""
    folder = Path(registry.existing_folder(dataset(), key))
    last = checkpoint.read_pointer(folder, "last")
    if last is None:
        raise FileNotFoundError(f"run '{key}' has no last checkpoint")
    history = dataset().load_run_results(key).history
    return [
        *keras_file.load(last / checkpoint.NETWORK).get_weights(),
        [np.float64(v) for k, v in history.items() if k != "seconds"],
    ]


def after_training(mode: str) -> Iterator[str]:
    """The run is resumed; its result is bit-identical to an undisturbed run."""
    samples = dataset()
    if registry.exists(samples, KEY) and records.info(samples, KEY).status == "running":
        rows = {row.run_key: row.status for row in runs_table.rows(samples)}
        if rows[KEY] == "running":
            yield "its run has the status running"
    resume(mode)
    resumed, undisturbed = weights(KEY), weights(f"undisturbed_{mode}")
    pairs = zip(resumed, undisturbed, strict=True)
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
        yield "the resumed run has other weights or curves"
    folder = Path(records.info(dataset(), KEY).folder)
    yield from _leftovers(folder)
    yield from _leftovers(folders.image_cache_folder(folder))
    deletion.delete_run(dataset(), KEY)
    if folder.exists():
        yield f"the deleted run left {sorted(p.name for p in folder.iterdir())}"


def _leftovers(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.name.endswith(files.UNFINISHED):
            yield f"'{path.name}' is left over"


def after_applying(field: str) -> Iterator[str]:
    """Each sample has all its predictions or none; the next call works."""
    complete = expected("boxes")
    for found, wanted in zip(boxes(field), complete, strict=True):
        if found not in (None, wanted):
            yield f"a sample has incomplete predictions in '{field}'"
    apply(field)
    if boxes(field) != complete:
        yield f"the next call gives other predictions in '{field}'"
    if field != "predictions":
        dataset().delete_sample_field(field)


def after_evaluating() -> Iterator[str]:
    """The evaluation works again under the same key."""
    samples = dataset()
    found, wanted = evaluate(), expected("coco_map")
    if found != wanted:
        yield f"the next evaluation returns {found}, not {wanted}"
    samples.reload()
    samples.load_evaluation_results(KEY)
    samples.delete_evaluation(KEY)
    fields = [name for name in samples.get_field_schema() if name.startswith(KEY)]
    if fields:
        yield f"the deleted evaluation left {', '.join(fields)}"


def after_publishing() -> Iterator[str]:
    """The model is complete or not there; the next call works."""
    if local_zoo.folder_of(KEY):
        _compare_models(KEY)
        yolov1_fo.unpublish(KEY)
    publish()
    _compare_models(KEY)
    yolov1_fo.unpublish(KEY)
    root = Path(fo.config.model_zoo_dir) / "yolov1-published"
    others = {path.name for path in root.iterdir()} - {KEPT, local_zoo.LOCK}
    if others:
        yield f"publishing left {', '.join(sorted(others))}"


def _compare_models(name: str) -> None:
    image = np.zeros((1, 32, 32, 3), np.uint8)
    outputs = (yolov1_fo.load_model(one).forward(image) for one in (name, KEPT))
    np.testing.assert_array_equal(*outputs)


def clean() -> None:
    """Deletes everything that a failed trial has left."""
    samples = dataset()
    if samples.has_run(KEY):
        samples.delete_run(KEY)
    shutil.rmtree(folders.run_folder(samples, KEY), ignore_errors=True)
    if samples.has_evaluation(KEY):
        samples.delete_evaluation(KEY)
    made = [name for name in samples.get_field_schema() if name.startswith(KEY)]
    if samples.has_field("fresh"):
        made.append("fresh")
    if made:
        samples.delete_sample_fields(made)
    if local_zoo.folder_of(KEY):
        yolov1_fo.unpublish(KEY)
    for path in (Path(fo.config.model_zoo_dir) / "yolov1-published").glob(".*"):
        files.remove(path)
