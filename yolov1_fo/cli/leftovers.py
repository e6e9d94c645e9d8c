"""What processes of ours that were killed left on the disk, and what may be made again.

Only what bears our names is removed, and nothing that a process is working on.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from yolov1_fo import files
from yolov1_fo.config import units
from yolov1_fo.model import darknet_releases
from yolov1_fo.pipeline import image_cache
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import folders, registry


def clean() -> Iterator[str]:
    """Removes it all; yields a line for each kind, also if it can't be removed."""
    for remove in (_pixels, _checkpoints, _published, _released):
        try:
            said = remove()
        except OSError as error:
            said = str(error)
        if said:
            yield said


def _pixels() -> str:
    folder = registry.top() / registry.PIXELS
    freed = units.of_bytes(image_cache.clean(folder))
    return f"deleted {freed} of decoded images in {folder}"


def _checkpoints() -> str:
    top, count = registry.top(), 0
    for folder in _run_folders(top):
        if left := registry.half_done(folder):
            try:
                with files.locked(folders.lock(folder), patience=0):
                    count += len(left)
                    for path in left:
                        files.remove(path)
            except TimeoutError:
                continue  # it is being trained
    return f"deleted {count} unfinished parts of runs in {top}" if count else ""


def _run_folders(top: Path) -> Iterator[Path]:
    """Yields the folders of runs, and where such stood that are half deleted."""
    for root in sorted(top.glob("*")):
        if not re.fullmatch("[0-9a-f]{24}", root.name) or root.is_symlink():
            continue
        there = {one for one in root.glob("[!.]*") if one.is_dir()}
        gone = {files.becomes(one) for one in files.unfinished(root)}
        yield from sorted(one for one in there | gone if not one.is_symlink())


def _published() -> str:
    count = local_zoo.clean()
    where = local_zoo.root()
    return f"deleted {count} unfinished models in {where}" if count else ""


def _released() -> str:
    count = darknet_releases.clean()
    return f"deleted {count} unfinished downloads of weights" if count else ""
