"""Bad arguments: names of fields, runs, evaluations and models; settings; classes."""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import fiftyone as fo
import numpy as np

import yolov1_fo
from benchmarks import sandbox
from benchmarks.bad_files import Bad, Call, net_config
from benchmarks.mutating import ODD, bad_list, bad_name, mutate_json, pick
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build
from yolov1_fo.runs import checkpoint, deletion
from yolov1_fo.training import loop

GOOD = ["blue", "red"]


@contextlib.contextmanager
def planned_only() -> Iterator[None]:
    """Makes `train` end after its checks, before anything is written."""
    run = loop.run
    loop.run = lambda plan, *_, **__: plan
    try:
        yield
    finally:
        loop.run = run


def _train(samples: Any, **arguments: Any) -> None:
    with planned_only():
        yolov1_fo.train(samples, **{**sandbox.SETTINGS, **arguments})


@contextlib.contextmanager
def names() -> Iterator[Bad]:
    """Yields a maker of calls with bad names of fields, runs and models."""
    with _predicted() as (dataset, model, source):
        before, fields = _fingerprint(dataset), {*dataset.get_field_schema()}

        def checked(call: Call) -> None:
            try:
                call()
            finally:
                _clean(dataset, fields)
                if _fingerprint(dataset) != before:
                    raise AssertionError("the call has changed other data")

        def bad(rng: np.random.Generator) -> Call:
            calls = _calls(dataset, model, source, bad_name(rng))
            return functools.partial(checked, pick(rng, calls))

        yield bad


def _calls(dataset: fo.Dataset, model: Any, source: Any, name: Any) -> list[Call]:
    """Returns all calls with a name as argument."""

    def publish() -> None:
        yolov1_fo.publish(source, name)
        yolov1_fo.unpublish(name)

    one = dataset.limit(1)
    return [
        lambda: yolov1_fo.apply(one, model, name, progress=False),
        lambda: yolov1_fo.evaluate(one, name, progress=False),
        lambda: yolov1_fo.evaluate(one, "predictions", name, progress=False),
        lambda: yolov1_fo.evaluate(
            one, "predictions", eval_key=name or "_", progress=False
        ),
        lambda: yolov1_fo.inspect(one, name),
        lambda: yolov1_fo.write_losses(one, model, field=name, progress=False),
        lambda: yolov1_fo.write_losses(one, model, gt_field=name, progress=False),
        lambda: yolov1_fo.write_objectness(one, model, name, progress=False),
        lambda: yolov1_fo.compare(dataset, name),
        lambda: _train(one, run_key=name, batch_size=1),
        lambda: _train(one, gt_field=name, batch_size=1),
        lambda: _train(one, network=name, batch_size=1),
        lambda: _train(one, resume=name or "_", batch_size=1),
        lambda: _train(one, weights=name or "_", batch_size=1),
        lambda: yolov1_fo.load_model(name, dataset),
        lambda: yolov1_fo.load_model(name),
        lambda: deletion.delete_run(dataset, name),
        lambda: yolov1_fo.unpublish(name),
        publish,
    ]


@contextlib.contextmanager
def _predicted() -> Iterator[tuple[fo.Dataset, Any, Any]]:
    """Yields a dataset with predictions, a model, and its checkpoint."""
    dataset = sandbox.make_dataset()
    source = sandbox.home() / "fuzz" / "named"
    metadata = {"classes": GOOD, "settings": net_config().__dict__}
    with checkpoint.writing(source, 1, best=True) as folder:
        checkpoint.write(folder, build.detector(net_config()), metadata)
    model = yolov1_fo.load_model(source, confidence_thresh=0.0)
    yolov1_fo.apply(dataset, model, "predictions", progress=False)
    dataset.set_values("notes", [f"note {n}" for n in range(len(dataset))])
    yield dataset, model, source
    dataset.delete()


def _fingerprint(dataset: fo.Dataset) -> list[Any]:
    """Returns the data that no call with a bad name may change."""
    paths = ("ground_truth.detections.bounding_box", "ground_truth.detections.label")
    return dataset.values([*paths, "notes", "filepath", "tags"])


def _clean(dataset: fo.Dataset, fields: set[str]) -> None:
    """Deletes the results of a call that accepted a name."""
    dataset.reload()
    made = [name for name in dataset.get_field_schema() if name not in fields]
    if made:
        dataset.delete_sample_fields(made)
    for key in dataset.list_evaluations():
        dataset.delete_evaluation(key)


@contextlib.contextmanager
def settings() -> Iterator[Bad]:
    """Yields a maker of calls with bad settings."""
    good = {name: getattr(TrainConfig(C=2), name) for name in TrainConfig.names()}
    good = {**good, **sandbox.SETTINGS}
    del good["C"], good["progress"]
    with _predicted() as (dataset, model, source):
        of_load = _own(model.config.serialize())
        of_apply = {"batch_size": 16, "skip_existing": False, "num_workers": 0}
        of_evaluate = {"iou_thresh": 0.5, "inclusive_corners": False, "similar": None}
        of_inspect = {"S": 7, "image_size": 448, "tiny_px": 8.0, "num_workers": 0}
        one = dataset.limit(1)

        def evaluate(**given: Any) -> None:
            yolov1_fo.evaluate(one, "predictions", progress=False, **given)

        def apply(**given: Any) -> None:
            yolov1_fo.apply(one, model, "predictions", progress=False, **given)

        calls: list[tuple[Any, dict[str, Any]]] = [
            *[(lambda **given: _train(dataset, **given), good)] * 6,
            (lambda **given: yolov1_fo.load_model(source, **given), of_load),
            (apply, of_apply),
            (evaluate, of_evaluate),
            (lambda **given: yolov1_fo.inspect(one, **given), of_inspect),
        ]

        def bad(rng: np.random.Generator) -> Call:
            call, right = pick(rng, calls)
            name = pick(rng, list(right))
            value = pick(rng, ODD)
            if isinstance(right[name], list | tuple) and rng.random() < 0.5:
                value = mutate_json(rng, [[1, 0.1], [2, 0.01]])
            if right in (good, of_load) and rng.random() < 0.1:  # accept any name
                name = f"{name}_"
            return functools.partial(call, **{**right, name: value})

        yield bad


def _own(config: dict[str, Any]) -> dict[str, Any]:
    """Returns the settings of a model that `load_model` accepts."""
    from yolov1_fo.model.model_config import SETTINGS

    return {name: config[name] for name in SETTINGS}


@contextlib.contextmanager
def class_lists() -> Iterator[Bad]:
    """Yields a maker of calls with bad lists of classes."""
    with _predicted() as (dataset, _, source):
        one = dataset.limit(1)
        calls = [
            lambda some: _train(dataset, classes=some),
            lambda some: yolov1_fo.evaluate(
                one, "predictions", classes=some, progress=False
            ),
            lambda some: yolov1_fo.inspect(one, classes=some),
            lambda some: yolov1_fo.load_model(source, filter_classes=some),
            lambda some: yolov1_fo.load_model(
                "x.weights", network="micro", classes=some
            ),
            lambda some: yolov1_fo.evaluate(
                one, "predictions", similar=some, progress=False
            ),
            lambda some: yolov1_fo.to_tf_dataset(dataset, classes=some, image_size=32),
        ]

        def bad(rng: np.random.Generator) -> Call:
            return functools.partial(pick(rng, calls), bad_list(rng, GOOD))

        yield bad
