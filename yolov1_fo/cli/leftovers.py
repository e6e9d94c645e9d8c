"""Removes unfinished files of killed processes, cached images and converted networks.

Only files with names of this package are removed, and none that a process is using.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import humanize

from yolov1_fo import files
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.model import darknet_releases
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import folders


def clean() -> Iterator[str]:
    """Removes everything; yields a line about each kind of file, or an error."""
    for remove in (_images, _networks, _run_parts, _published_models, _downloads):
        try:
            line = remove()
        except OSError as error:
            line = str(error)
        if line:
            yield line


def _images() -> str:
    folder = folders.top_folder() / folders.IMAGE_CACHE
    return f"deleted {_cleared(folder)} of decoded images in {folder}"


def _networks() -> str:
    folder = folders.top_folder() / folders.NETWORK_CACHE
    return f"deleted {_cleared(folder)} of converted networks in {folder}"


def _cleared(folder: Path) -> str:
    """Deletes the entries of a cache; returns how much has been freed."""
    return humanize.naturalsize(DiskCache(folder, 0).clear())


def _run_parts() -> str:
    top, count = folders.top_folder(), 0
    for folder in _run_folders(top):
        if found := folders.leftovers(folder):
            try:
                with files.locked(folders.lock_file(folder), timeout=0):
                    count += len(found)
                    folders.remove_leftovers(folder)
            except TimeoutError:
                continue  # the run is being trained
    return f"deleted {count} unfinished files of runs in {top}" if count else ""


def _run_folders(top: Path) -> Iterator[Path]:
    """Yields the folders of runs, also of those that are half deleted."""
    for root in sorted(top.glob("*")):
        if not re.fullmatch("[0-9a-f]{24}", root.name) or root.is_symlink():
            continue
        existing = {path for path in root.glob("*") if path.is_dir()}
        deleted = {files.final_path(path) for path in files.find_unfinished(root)}
        yield from sorted(
            path
            for path in existing | deleted
            if folders.is_name(path.name) and not path.is_symlink()
        )


def _published_models() -> str:
    count, folder = local_zoo.clean(), local_zoo.root()
    return f"deleted {count} unfinished models in {folder}" if count else ""


def _downloads() -> str:
    count = darknet_releases.clean()
    return f"deleted {count} unfinished downloads of weights" if count else ""
