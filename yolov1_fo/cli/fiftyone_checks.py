"""Checks of FiftyOne: its database, its folders, and the plugin."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import humanize

from yolov1_fo.cli.machine_checks import ERROR, OK, WARNING, Check
from yolov1_fo.datasets import database_uri

LOW_SPACE = 5e9
"""Free disk space below which a check warns, in bytes."""


def check_database() -> Iterator[Check]:
    """Checks the connection to the database."""
    import fiftyone as fo

    from yolov1_fo.datasets import connection

    try:
        connection.check()
    except OSError as error:
        fault, _, remedy = str(error).partition("; ")
        if not remedy:
            fault, _, remedy = str(error).partition(": pip")
            remedy = (
                f"pip{remedy}"
                if remedy
                else "set FIFTYONE_DATABASE_DIR or FIFTYONE_DATABASE_URI to another one"
            )
        yield Check(ERROR, "database", fault, remedy)
        return
    address = database_uri.address()
    if address == database_uri.EMBEDDED:
        address = f"{address}, in {fo.config.database_dir}"
    yield Check(OK, "database", f"{address}; {len(fo.list_datasets())} datasets")


def check_datasets_folder() -> Iterator[Check]:
    """Checks the folder of datasets and runs."""
    import fiftyone as fo

    yield check_space("datasets", fo.config.default_dataset_dir)


def check_model_zoo() -> Iterator[Check]:
    """Checks the folder of the model zoo, and the models that were published to it."""
    import fiftyone as fo

    yield check_space("model zoo", fo.config.model_zoo_dir)
    from yolov1_fo.publishing import local_zoo

    for name, fault in local_zoo.damaged().items():
        remedy = f"yolov1-fo unpublish {name}, then publish it again"
        yield Check(ERROR, "model zoo", f"model '{name}' is damaged: {fault}", remedy)


def check_space(subject: str, folder: str) -> Check:
    """Checks that a folder, which may not exist yet, is writable and not full."""
    path = Path(folder)
    existing = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not os.access(existing, os.W_OK):
        found = f"{folder} is not writable"
        return Check(ERROR, subject, found, "choose another folder")
    free = shutil.disk_usage(existing).free
    found = f"{folder}, {humanize.naturalsize(free)} free"
    if free < LOW_SPACE:
        remedy = "the paper's YOLOv1 needs 8 GB for its checkpoints"
        return Check(WARNING, subject, found, remedy)
    return Check(OK, subject, found)


def check_runs() -> Iterator[Check]:
    """Finds folders of runs that were deleted with FiftyOne's own functions."""
    from yolov1_fo.datasets import connection
    from yolov1_fo.runs import folders, ownership

    try:
        connection.check()
        orphans = ownership.orphans(folders.top_folder())
    except OSError:
        return  # `check_database` reports it
    if orphans:
        found = f"run folders without a dataset: {len(orphans)}, such as '{orphans[0]}'"
        yield Check(WARNING, "runs", found, "delete them if nobody needs them")


def check_caches() -> Iterator[Check]:
    """Reports the disk space of cached images and converted networks."""
    from yolov1_fo.disk_cache import DiskCache
    from yolov1_fo.runs import folders

    for subject, folder, what in (
        ("image cache", folders.IMAGE_CACHE, "decoded images"),
        ("network cache", folders.NETWORK_CACHE, "converted networks"),
    ):
        size = DiskCache(folders.top_folder() / folder, 0).disk_usage()
        remedy = "delete them with yolov1-fo doctor --clean" if size else ""
        yield Check(OK, subject, f"{humanize.naturalsize(size)} of {what}", remedy)


def check_plugin() -> Iterator[Check]:
    """Checks that the App's plugin is installed and enabled."""
    import fiftyone.plugins as fop

    from yolov1_fo.cli import plugin_links

    if plugin_links.NAME in fop.list_enabled_plugins():
        yield Check(OK, "App plugin", plugin_links.NAME)
        return
    found = f"{plugin_links.NAME} is not enabled"
    if plugin_links.NAME in fop.list_downloaded_plugins():
        remedy = f"fiftyone plugins enable {plugin_links.NAME}"
    else:
        remedy = "yolov1-fo install-plugin, to train in the App"
    yield Check(WARNING, "App plugin", found, remedy)
