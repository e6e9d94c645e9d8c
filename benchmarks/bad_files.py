"""Bad files: weights, networks, images."""

import contextlib
import functools
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks import sandbox
from benchmarks.mutating import mutate_bytes, mutate_json, pick
from yolov1_fo import images
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import (
    build,
    darknet_weights,
    keras_file,
    tensorflow_startup,
)
from yolov1_fo.pipeline import image_loading

Call = Callable[[], Any]
Bad = Callable[[np.random.Generator], Call]
"""Makes one bad input, and returns a call with it."""


def net_config() -> NetworkConfig:
    """Returns the settings of the network in all files."""
    return NetworkConfig(network="micro", image_size=32, S=2, C=2, dropout=0.0)


@contextlib.contextmanager
def weights() -> Iterator[Bad]:
    """Yields a maker of bad `.weights` files."""
    net = build.detector(net_config())
    path = folder() / "bad.weights"
    darknet_weights.write(path, net)
    good = path.read_bytes()

    def bad(rng: np.random.Generator) -> Call:
        data = bytearray(mutate_bytes(rng, good))
        if rng.random() < 0.3:  # of the right length, with random numbers
            data = bytearray(good)
            start = int(rng.integers(0, len(good) - 64))
            data[start : start + 64] = rng.bytes(64)
        path.write_bytes(data)
        return lambda: darknet_weights.read(path, net, partial=bool(rng.integers(2)))

    yield bad


@contextlib.contextmanager
def networks() -> Iterator[Bad]:
    """Yields a maker of bad `.keras` files."""
    path = folder() / "bad.keras"
    build.detector(net_config()).save(path)
    good = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}

    def bad(rng: np.random.Generator) -> Call:
        if rng.random() < 0.4:
            path.write_bytes(mutate_bytes(rng, good))
        else:
            name = pick(rng, list(parts))
            _zip(path, {**parts, name: mutate_file(rng, name, parts[name])})
        return lambda: keras_file.load(path)

    yield bad


def _zip(path: Path, parts: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts.items():
            archive.writestr(name, data)


def mutate_file(rng: np.random.Generator, name: str, good: bytes) -> bytes:
    """Returns the bad content of a file; JSON stays JSON half of the time."""
    if name.endswith(".json") and rng.random() < 0.7:
        return json.dumps(mutate_json(rng, json.loads(good))).encode()
    return mutate_bytes(rng, good)


@contextlib.contextmanager
def image_files() -> Iterator[Bad]:
    """Yields a maker of bad image files in many formats."""
    home = folder()
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
    good = {
        kind: cv2.imencode(f".{kind}", picture)[1].tobytes()
        for kind in ("jpg", "png", "gif", "bmp", "webp", "tiff", "ppm", "jp2")
    }

    def bad(rng: np.random.Generator) -> Call:
        kind = pick(rng, list(good))
        path = home / f"bad.{kind}"
        path.write_bytes(mutate_bytes(rng, good[pick(rng, (kind, kind, "jpg"))]))
        return functools.partial(_read, path)

    with tensorflow_startup.hidden_stderr():
        yield bad


def _read(path: Path) -> None:
    """Reads a file as prediction and training do."""
    for fault in image_loading.find_unreadable([str(path)]).values():
        raise ValueError(fault)
    images.read(path, 32)


def folder() -> Path:
    """Returns the folder for bad files."""
    path = sandbox.home() / "fuzz"
    path.mkdir(exist_ok=True)
    return path
