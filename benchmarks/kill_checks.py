"""What a user had before a call was killed, and what must hold after."""

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
from yolov1_fo.jobs import status
from yolov1_fo.networks import keras_file
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, deletion, folders, records, registry

USERS = ("ground_truth", "others", "notes", "tags", "filepath")
"""Fields that no call may touch."""


def prepare(names: list[str]) -> None:
    """Makes what a user has, and what an undisturbed call gives.

    Args:
        names: of the scenes that will be disturbed
    """
    made = sandbox.make_dataset(DATASET, repeats=5)
    made.clone_sample_field("ground_truth", "others")
    made.set_values("notes", [f"note {number}" for number in range(len(made))])
    train("host", "whole_host")
    if "train, stream" in names:
        train("stream", "whole_stream")
    yolov1_fo.publish(registry.existing_folder(made, "whole_host"), KEPT)
    apply("predictions")
    made.reload()
    report = yolov1_fo.evaluate(made, "predictions", eval_key="before", progress=False)
    given = {"boxes": boxes("predictions"), "coco_map": report.coco_map}
    (sandbox.home() / "expected.json").write_text(json.dumps(given))


def expected(name: str) -> Any:
    """Returns what an undisturbed call has given: boxes, or coco_map."""
    return json.loads((sandbox.home() / "expected.json").read_text())[name]


def fingerprint() -> dict[str, str]:
    """Returns a digest of each thing of the user's, by its name."""
    samples = dataset()
    documents = samples._sample_collection.find(sort=[("_id", 1)])
    rows = [{name: _theirs(row.get(name)) for name in USERS} for row in documents]
    found = {"samples": _digest(rows)}
    before = samples.load_evaluation_results("before").serialize()
    found["evaluation 'before'"] = _digest(before)
    for key in registry.keys(samples):
        if key != KEY:
            found[f"run '{key}'"] = _digest(records.info(samples, key).serialize())
            found |= _files(Path(records.info(samples, key).folder))
    found |= _files(Path(fo.config.model_zoo_dir) / "yolov1-published" / KEPT)
    return found


def _theirs(value: Any) -> Any:
    """Returns a value without what the killed evaluation adds to objects."""
    if isinstance(value, dict):
        return {k: _theirs(v) for k, v in value.items() if not k.startswith(KEY)}
    return [_theirs(one) for one in value] if isinstance(value, list) else value


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
    """Returns what a field holds of each sample, as the database has it."""
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
    """Returns the last weights of a run, and its curves but for the seconds."""
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
    """The run goes on and ends with the bits of one that was left in peace."""
    samples = dataset()
    if registry.exists(samples, KEY) and records.info(samples, KEY).status == "running":
        rows = {row.run_key: row.status for row in status.rows(samples)}
        if rows[KEY] == "running":
            yield "its run says that it is still running"
    resume(mode)
    ours, theirs = weights(KEY), weights(f"whole_{mode}")
    pairs = zip(ours, theirs, strict=True)
    if not all(np.array_equal(a, b, equal_nan=True) for a, b in pairs):
        yield "the resumed run has other bits"
    folder = Path(records.info(dataset(), KEY).folder)
    yield from _left_over(folder)
    yield from _left_over(folders.image_cache_folder(folder))
    deletion.delete_run(dataset(), KEY)
    if folder.exists():
        yield f"the deleted run left {sorted(p.name for p in folder.iterdir())}"


def _left_over(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        if path.name.endswith(files.UNFINISHED):
            yield f"'{path.name}' is left over"


def after_applying(field: str) -> Iterator[str]:
    """Each sample has all that was found in it or what it had; the next call works."""
    whole = expected("boxes")
    for ours, theirs in zip(boxes(field), whole, strict=True):
        if ours not in (None, theirs):
            yield f"a sample has half a prediction in '{field}'"
    apply(field)
    if boxes(field) != whole:
        yield f"the next call gives other predictions in '{field}'"
    if field != "predictions":
        dataset().delete_sample_field(field)


def after_evaluating() -> Iterator[str]:
    """The same evaluation goes through under the same name."""
    samples = dataset()
    again, whole = evaluate(), expected("coco_map")
    if again != whole:
        yield f"the next evaluation gives {again}, not {whole}"
    samples.reload()
    samples.load_evaluation_results(KEY)
    samples.delete_evaluation(KEY)
    fields = [name for name in samples.get_field_schema() if name.startswith(KEY)]
    if fields:
        yield f"the deleted evaluation left {', '.join(fields)}"


def after_publishing() -> Iterator[str]:
    """The model is there whole, or not at all; the next call works."""
    if local_zoo.folder_of(KEY):
        _same_model(KEY)
        yolov1_fo.unpublish(KEY)
    publish()
    _same_model(KEY)
    yolov1_fo.unpublish(KEY)
    root = Path(fo.config.model_zoo_dir) / "yolov1-published"
    others = {path.name for path in root.iterdir()} - {KEPT, local_zoo.LOCK}
    if others:
        yield f"publishing left {', '.join(sorted(others))}"


def _same_model(name: str) -> None:
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    ours, theirs = (yolov1_fo.load_model(one).forward(picture) for one in (name, KEPT))
    np.testing.assert_array_equal(ours, theirs)


def clean() -> None:
    """Takes away whatever a trial has left that went wrong."""
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
