"""A separate database, folders and a small dataset, for benchmarks that break things.

FiftyOne reads its settings once; therefore such a benchmark starts itself again in a
process with other settings. The MongoDB server and all files are deleted at the end.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from tests import mongod, painting
from tests.micro import MICRO
from tests.micro import SETTINGS as SETTINGS

HOME = "YOLOV1_FO_SANDBOX"


def enter(main: Callable[[], int]) -> None:
    """Runs the `main` of the started module in a sandbox, and ends the process.

    Args:
        main: returns the exit status
    """
    if HOME in os.environ:
        sys.exit(main())
    module = sys.modules["__main__"].__spec__.name  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory(prefix="yolov1-fo-sandbox-") as folder:
        start_database(Path(folder))
        try:
            command = [sys.executable, "-m", module, *sys.argv[1:]]
            done = subprocess.run(command, env=_environment(folder), check=False)
        finally:
            stop_database(Path(folder))
    sys.exit(done.returncode)


def home() -> Path:
    """Returns the folder of the sandbox, inside of it."""
    return Path(os.environ[HOME])


def _environment(folder: str) -> dict[str, str]:
    port = (Path(folder) / "port").read_text()
    return {
        **os.environ,
        HOME: folder,
        "FIFTYONE_DATABASE_URI": f"mongodb://127.0.0.1:{port}",
        "FIFTYONE_DATABASE_VALIDATION": "false",
        "FIFTYONE_DEFAULT_DATASET_DIR": f"{folder}/datasets",
        "FIFTYONE_MODEL_ZOO_DIR": f"{folder}/models",
        "FIFTYONE_DATASET_ZOO_DIR": f"{folder}/zoo",
        "FIFTYONE_PLUGINS_DIR": f"{folder}/plugins",
        "FIFTYONE_CONFIG_PATH": f"{folder}/config.json",
        "FIFTYONE_APP_CONFIG_PATH": f"{folder}/app_config.json",
        "FIFTYONE_DO_NOT_TRACK": "true",
        "FIFTYONE_SHOW_PROGRESS_BARS": "false",
    }


def start_database(folder: Path) -> None:
    """Starts the sandbox's MongoDB server, on the same port as before."""
    kept = folder / "port"
    port = int(kept.read_text()) if kept.exists() else mongod.free_port()
    server = mongod.start(folder / "db", port)
    kept.write_text(str(port))
    (folder / "pid").write_text(str(server.pid))


def stop_database(folder: Path) -> None:
    """Kills the sandbox's MongoDB server, if it is running."""
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(int((folder / "pid").read_text()))
        server.kill()
        while server.is_running() and server.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.05)


def register_network() -> None:
    """Registers the network `micro`, which trains in seconds."""
    from yolov1_fo.architectures import NETWORKS

    NETWORKS["micro"] = MICRO


def make_dataset(name: str | None = None, repeats: int = 1) -> Any:
    """Returns a dataset of painted images, of which six in eight are `train`.

    Args:
        name (None): name of the dataset; one with a name is persistent
        repeats (1): number of samples per image
    """
    import fiftyone as fo

    folder = home() / "pictures"
    folder.mkdir(exist_ok=True)
    dataset = fo.Dataset(name, persistent=name is not None)
    painting.add(dataset, painting.paint(folder), repeats)
    return dataset
