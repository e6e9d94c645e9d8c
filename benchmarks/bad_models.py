"""Bad folders of runs and published models, and bad model configs."""

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.zoo as foz
import numpy as np

import yolov1_fo
from benchmarks import attempts, sandbox
from benchmarks.bad_files import Bad, Call, folder, mutate_file, net_config
from benchmarks.mutating import ODD, mutate_json, pick
from yolov1_fo.config import TrainConfig
from yolov1_fo.jobs import runs_table
from yolov1_fo.networks import build
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint
from yolov1_fo.training import resume
from yolov1_fo.training.learner_builder import build_learner

NAME = "fuzzed"
"""Name of a published model."""


@contextlib.contextmanager
def run_folders() -> Iterator[Bad]:
    """Yields a maker of bad run folders and of calls that read them."""
    dataset = sandbox.make_dataset()
    _stop_after_an_epoch(dataset)
    root = Path(dataset.get_run_info("stopped").config.folder)
    config = dataset.get_run_info("stopped").config.settings
    learner = build_learner(TrainConfig(**config), 3)
    good = root.with_name("good")
    shutil.copytree(root, good)

    def publish() -> None:
        yolov1_fo.publish(root, NAME)
        yolov1_fo.unpublish(NAME)

    def resume_training() -> None:
        resume.load(checkpoint.read_pointer(root, "last") or root, learner)

    calls: list[Call] = [
        functools.partial(_predict, root),
        *(publish, resume_training, resume_training, lambda: runs_table.rows(dataset)),
    ]

    def bad(rng: np.random.Generator) -> Call:
        shutil.rmtree(root)
        shutil.copytree(good, root)
        _damage(rng, root)
        return pick(rng, calls)

    yield bad
    dataset.delete()


def _stop_after_an_epoch(dataset: fo.Dataset) -> None:
    """Leaves a run that can be resumed, whose folder has all kinds of files."""

    def stop(epoch: int, metrics: dict[str, float]) -> None:
        raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        yolov1_fo.train(
            dataset.match_tags("train"),
            run_key="stopped",
            epochs=3,
            on_epoch=stop,
            **sandbox.SETTINGS,
        )


def _predict(source: Any) -> None:
    """Loads a model and predicts with it."""
    model = yolov1_fo.load_model(source)
    model.predict(np.zeros((40, 50, 3), np.uint8))


def _damage(rng: np.random.Generator, root: Path) -> None:
    """Changes one file in a folder, or replaces it with something else."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    path = pick(rng, files)
    way = int(rng.integers(8))
    if way == 0:
        path.unlink()
    elif way == 1:
        path.unlink()
        path.mkdir()
    elif way == 2:
        path.unlink()
        path.symlink_to(pick(rng, ("nowhere", path.name, "/", "/dev/null")))
    elif way == 3 and path.suffix != ".keras":
        path.unlink()
        os.mkfifo(path)
    elif path.suffix in ("", ".csv"):
        words = ("", "epoch_0009\n", "../..\n", "/\n", "\0", "epoch_0001", ",,\n1,x\n")
        path.write_text(pick(rng, words))
    else:
        path.write_bytes(mutate_file(rng, path.name, path.read_bytes()))


@contextlib.contextmanager
def manifests() -> Iterator[Bad]:
    """Yields a maker of bad published models and of calls that read them."""
    source = folder() / "checkpoint"
    net = build.detector(net_config())
    metadata = {"classes": ["blue", "red"], "settings": asdict(net_config())}
    with checkpoint.writing(source, 1, best=True) as made:
        checkpoint.write(made, net, metadata)
    root = yolov1_fo.publish(source, NAME)
    good = folder() / "published"
    shutil.copytree(root, good)

    def publish() -> None:
        yolov1_fo.publish(source, "another")
        yolov1_fo.unpublish("another")

    calls = (_load_with_fiftyone, lambda: _predict(NAME), publish, local_zoo.names)

    def bad(rng: np.random.Generator) -> Call:
        shutil.rmtree(root)
        shutil.copytree(good, root)
        if rng.random() < 0.8:
            path = root / pick(rng, ("manifest.json", "run.json"))
            path.write_bytes(mutate_file(rng, path.name, path.read_bytes()))
        else:
            _damage(rng, root)
        return pick(rng, calls)

    yield bad
    shutil.rmtree(root)


def _load_with_fiftyone() -> None:
    """Loads a published model as FiftyOne does it.

    Raises:
        FiftyOneError: if FiftyOne fails without calling this library
    """
    try:
        foz.load_zoo_model(NAME, cache=False)
    except Exception as error:
        if attempts.involves_library(error):
            raise
        raise attempts.FiftyOneError from error


@contextlib.contextmanager
def model_configs() -> Iterator[Bad]:
    """Yields a maker of bad model configs, as in a manifest or a database."""
    good = {
        "settings": {"network": "micro", "image_size": 32, "S": 2, "dropout": 0.0},
        "classes": ["blue", "red"],
        "confidence_thresh": 0.01,
        "iou_thresh": 0.5,
        "max_detections": 100,
        "class_agnostic": False,
        "filter_classes": ["red"],
        "darknet": False,
        "precision": "float32",
    }
    others = ("checkpoint_dir", "weights_path", "released", "model_name", "model_path")

    def bad(rng: np.random.Generator) -> Call:
        config = mutate_json(rng, good)
        if isinstance(config, dict) and rng.random() < 0.2:
            config[pick(rng, others)] = pick(rng, ODD)
        return lambda: yolov1_fo.YOLOv1Model(yolov1_fo.YOLOv1ModelConfig(config))

    yield bad
