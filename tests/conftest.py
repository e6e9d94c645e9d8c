"""A database of our own, painted images, and where real photographs lie.

FiftyOne reads its settings once, so they stand before anything imports it.
"""

import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import mongod, painting
from tests.micro import MICRO, SETTINGS
from yolov1_fo.architectures import NETWORKS

HOME = Path(tempfile.mkdtemp(prefix="yolov1-fo-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

os.environ |= {
    "FIFTYONE_DEFAULT_DATASET_DIR": str(HOME / "datasets"),
    "FIFTYONE_MODEL_ZOO_DIR": str(HOME / "models"),
    "FIFTYONE_DATASET_ZOO_DIR": str(HOME / "zoo"),
    "FIFTYONE_PLUGINS_DIR": str(HOME / "plugins"),
    "FIFTYONE_CONFIG_PATH": str(HOME / "config.json"),
    "FIFTYONE_EVALUATION_CONFIG_PATH": str(HOME / "evaluation_config.json"),
    "FIFTYONE_APP_CONFIG_PATH": str(HOME / "app_config.json"),
    "FIFTYONE_DO_NOT_TRACK": "true",
    "FIFTYONE_SHOW_PROGRESS_BARS": "false",
    "FIFTYONE_DATABASE_VALIDATION": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


LONGEST = (
    "tests/app/test_circle.py",
    "tests/app/test_survival.py",
    "tests/test_benchmarks.py",
    "tests/training/test_ray_training.py",
    "tests/test_tutorial.py",
    "tests/training/test_distribution.py",
    "tests/training/test_detector.py",
    "tests/datasets/test_database_restart.py",
    "tests/test_package.py",
    "tests/test_kills.py",
    "tests/test_jax.py",
    "tests/plugin/test_delegated.py",
    "tests/plugin/test_operators.py",
)
"""Files that take minutes; they start first, so that no process ends long after."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first; the order is otherwise unchanged."""
    rank = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.nodeid.partition("::")[0], len(rank)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--photographs", type=Path, help="folder of real photographs with boxes"
    )
    parser.addoption(
        "--screenshots", type=Path, help="folder for pictures of the App; else none"
    )
    parser.addoption(
        "--tutorial", action="store_true", help="writes docs/tutorial anew, in minutes"
    )


def pytest_configure(config: pytest.Config) -> None:
    if "fiftyone" in sys.modules:
        raise RuntimeError("fiftyone was imported before the tests' own database runs")
    # A shell has what it starts in the background ignore it, and so do their children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None):
        return  # the processes that it starts have a database each
    port = mongod.free_port()
    atexit.register(_stop_database, mongod.start(HOME / "db", port))
    os.environ["FIFTYONE_DATABASE_URI"] = f"mongodb://127.0.0.1:{port}"


def _stop_database(server: subprocess.Popen) -> None:
    """Runs after FiftyOne's own clean-up at exit, since it was registered before."""
    server.kill()
    server.wait()


@pytest.fixture
def photographs(request: pytest.FixtureRequest) -> Path:
    folder = request.config.getoption("--photographs")
    if folder is None:
        pytest.skip("needs real photographs: --photographs DIR")
    return request.config.invocation_params.dir / folder


@pytest.fixture
def zoo_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """FiftyOne's folder for models, which is not there yet; no manifest is known."""
    import fiftyone as fo

    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path / "models"))
    monkeypatch.setattr(fo.config, "model_zoo_manifest_paths", None)
    return tmp_path / "models"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def painted_files(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    return painting.paint(tmp_path_factory.mktemp("painted"))


@pytest.fixture
def painted(painted_files: list[dict]) -> Iterator:
    """A dataset of the painted images: six `train`, two `val`."""
    import fiftyone as fo

    dataset = fo.Dataset()
    painting.add(dataset, painted_files)
    yield dataset
    if fo.dataset_exists(dataset.name):
        dataset.delete()


@pytest.fixture
def micro(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Settings of a network that builds and trains in seconds."""
    monkeypatch.setitem(NETWORKS, "micro", MICRO)
    return dict(SETTINGS)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A Ray cluster of two CPU cores."""
    ray = pytest.importorskip("ray", reason="needs the extra ray")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        yield ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        ray.shutdown()


@pytest.fixture(scope="session")
def hub() -> Any:
    """The module KerasHub."""
    return pytest.importorskip("keras_hub", reason="needs KerasHub")


@pytest.fixture(scope="session")
def backbone(hub: Any) -> Any:
    """A small backbone of KerasHub with random weights."""
    from tests.hub import resnet

    return resnet(hub)


@pytest.fixture(scope="session")
def checkpoint_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of random weights that finds a dozen things in any picture."""
    from dataclasses import asdict

    from yolov1_fo import grid
    from yolov1_fo.architectures import Architecture, Connected, Conv, Pool
    from yolov1_fo.config import NetworkConfig
    from yolov1_fo.networks import build
    from yolov1_fo.runs import checkpoint

    with pytest.MonkeyPatch.context() as patch:
        layers = (Conv(8, 3, 2), Pool(), Conv(16, 3), Pool(), Connected(32))
        patch.setitem(NETWORKS, "micro", Architecture(layers))
        config = NetworkConfig(network="micro", image_size=32, S=3, C=2)
        net = build.detector(config)
    kernel, bias = net.layers[-1].get_weights()
    bias = np.full(grid.output_size(config), 0.6, bias.dtype)
    net.layers[-1].set_weights([kernel * 0.2, bias])
    metadata = {
        "classes": ["blue", "red"],
        "settings": {**asdict(config), "network": "yolov1"},
    }
    root = tmp_path_factory.mktemp("run")
    with checkpoint.writing(root, 1, best=True) as folder:
        checkpoint.write(folder, net, metadata)
    return checkpoint.resolve(root)
