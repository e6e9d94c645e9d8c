"""Bad files: weights, networks, run folders, published models, images."""

import contextlib
import functools
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import fiftyone as fo
import fiftyone.zoo as foz
import numpy as np

import yolov1_fo
from benchmarks import sandbox
from benchmarks.attempts import PACKAGE
from benchmarks.mutating import ODD, mutate_bytes, mutate_json, pick
from yolov1_fo import (
    checkpoint,
    darknet,
    fitting,
    images,
    network,
    overview,
    publishing,
    reading,
    resume,
)
from yolov1_fo.config import NetworkConfig, TrainConfig

Call = Callable[[], Any]
Bad = Callable[[np.random.Generator], Call]
"""Makes one bad input, and returns the call that takes it."""

NAME = "fuzzed"
"""Of a published model."""


def net_config() -> NetworkConfig:
    """Returns the settings of the network that all files are of."""
    return NetworkConfig(network="micro", side=32, S=2, C=2, dropout=0.0)


@contextlib.contextmanager
def weights() -> Iterator[Bad]:
    """Gives what makes bad `.weights` files."""
    net = network.build(net_config())
    path = _folder() / "bad.weights"
    darknet.write(path, net)
    good = path.read_bytes()

    def bad(rng: np.random.Generator) -> Call:
        data = bytearray(mutate_bytes(rng, good))
        if rng.random() < 0.3:  # as long as it should be, with numbers of any bits
            data = bytearray(good)
            start = int(rng.integers(0, len(good) - 64))
            data[start : start + 64] = rng.bytes(64)
        path.write_bytes(data)
        return lambda: darknet.read(path, net, partial=bool(rng.integers(2)))

    yield bad


@contextlib.contextmanager
def networks() -> Iterator[Bad]:
    """Gives what makes bad `.keras` files."""
    path = _folder() / "bad.keras"
    network.build(net_config()).save(path)
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def bad(rng: np.random.Generator) -> Call:
        if rng.random() < 0.4:
            path.write_bytes(mutate_bytes(rng, good))
        else:
            name = pick(rng, list(parts))
            _zip(path, {**parts, name: _mutated(rng, name, parts[name])})
        return lambda: network.load(path)

    yield bad


def _zip(path: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def _mutated(rng: np.random.Generator, name: str, good: bytes) -> bytes:
    """Returns the bad content of a file; JSON stays JSON half of the time."""
    if name.endswith(".json") and rng.random() < 0.7:
        return json.dumps(mutate_json(rng, json.loads(good))).encode()
    return mutate_bytes(rng, good)


@contextlib.contextmanager
def run_folders() -> Iterator[Bad]:
    """Gives what makes bad folders of runs, and what reads them."""
    dataset = sandbox.make_dataset()
    _stop_after_an_epoch(dataset)
    root = Path(dataset.get_run_info("stopped").config.folder)
    config = dataset.get_run_info("stopped").config.settings
    learner = fitting.build_learner(TrainConfig(**config), 3)
    good = root.with_name("good")
    shutil.copytree(root, good)

    def publish() -> None:
        yolov1_fo.publish(root, NAME)
        yolov1_fo.unpublish(NAME)

    def go_on() -> None:
        resume.load(checkpoint.pointed(root, "last") or root, learner)

    calls: list[Call] = [
        functools.partial(_used, root),
        *(publish, go_on, go_on, lambda: overview.rows(dataset)),
    ]

    def bad(rng: np.random.Generator) -> Call:
        shutil.rmtree(root)
        shutil.copytree(good, root)
        _spoil(rng, root)
        return pick(rng, calls)

    yield bad
    dataset.delete()


def _stop_after_an_epoch(dataset: fo.Dataset) -> None:
    """Leaves a run that can go on, so that its folder has all that there can be."""

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


def _used(source: Any) -> None:
    """Loads a model and predicts with it."""
    model = yolov1_fo.load_model(source)
    model.predict(np.zeros((40, 50, 3), np.uint8))


def _spoil(rng: np.random.Generator, root: Path) -> None:
    """Changes one file somewhere in a folder, or puts something else in its place."""
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
        path.write_bytes(_mutated(rng, path.name, path.read_bytes()))


@contextlib.contextmanager
def manifests() -> Iterator[Bad]:
    """Gives what makes bad published models, and what looks at them."""
    source = _folder() / "checkpoint"
    net = network.build(net_config())
    card = {"classes": ["blue", "red"], "settings": asdict(net_config())}
    with checkpoint.writing(source, 1, best=True) as folder:
        checkpoint.write(folder, net, card)
    root = yolov1_fo.publish(source, NAME)
    good = _folder() / "published"
    shutil.copytree(root, good)

    def publish() -> None:
        yolov1_fo.publish(source, "another")
        yolov1_fo.unpublish("another")

    calls = (
        *(lambda: foz.load_zoo_model(NAME, cache=False), lambda: _used(NAME)),
        *(publish, publishing.names),
    )

    def bad(rng: np.random.Generator) -> Call:
        shutil.rmtree(root)
        shutil.copytree(good, root)
        if rng.random() < 0.8:
            path = root / pick(rng, ("manifest.json", "run.json"))
            path.write_bytes(_mutated(rng, path.name, path.read_bytes()))
        else:
            _spoil(rng, root)
        return pick(rng, calls)

    yield bad
    shutil.rmtree(root)


@contextlib.contextmanager
def model_configs() -> Iterator[Bad]:
    """Gives what makes bad configs of models, as a manifest or a database has them."""
    good = {
        "settings": {"network": "micro", "side": 32, "S": 2, "dropout": 0.0},
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
        made = mutate_json(rng, good)
        if isinstance(made, dict) and rng.random() < 0.2:
            made[pick(rng, others)] = pick(rng, ODD)
        return lambda: yolov1_fo.YOLOv1Model(yolov1_fo.YOLOv1ModelConfig(made))

    yield bad


@contextlib.contextmanager
def pictures() -> Iterator[Bad]:
    """Gives what makes bad image files of many formats."""
    folder = _folder()
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    good = {
        kind: cv2.imencode(f".{kind}", picture)[1].tobytes()
        for kind in ("jpg", "png", "gif", "bmp", "webp", "tiff", "ppm", "jp2")
    }

    def bad(rng: np.random.Generator) -> Call:
        kind = pick(rng, list(good))
        path = folder / f"bad.{kind}"
        path.write_bytes(mutate_bytes(rng, good[pick(rng, (kind, kind, "jpg"))]))
        return functools.partial(_look, path)

    with _silenced():
        yield bad


def _look(path: Path) -> None:
    """Reads a file as prediction and training do."""
    for fault in reading.find_bad([str(path)]).values():
        raise ValueError(fault)
    images.read(path, 32)


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    """Hides what libraries in C print of a file."""
    errors, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(errors, 2)
        os.close(errors)
        os.close(nowhere)


def _folder() -> Path:
    folder = sandbox.home() / "fuzz"
    folder.mkdir(exist_ok=True)
    return folder


HOMES = {
    "images": (PACKAGE, Path(__file__).parent),  # what `find_bad` says is no error yet
    # FiftyOne itself reads the manifest there; what it refuses in a line is refused.
    "published models": (PACKAGE, Path(fo.__file__).parent),
}
