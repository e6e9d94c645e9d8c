"""Whose a run's folder is: only its owner goes on in it, and only its owner erases it.

A run names its folder in the database, and FiftyOne copies that with the dataset: a
clone names the folder of the original, and a dataset of someone else's may name any. So
the folder itself says whose it is, in `run.json`, before anything else stands in it.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import fiftyone as fo
import fiftyone.core.odm as foo

from yolov1_fo import files
from yolov1_fo.runs import checkpoint, run_json

OWNER = checkpoint.METADATA
OURS = (
    *(OWNER, ".lock", ".job.lock", "job", "log.csv", "last", "best", "epoch_*"),
    *("tensorboard", f".*{files.UNFINISHED}"),
)
"""What a training leaves in its run's folder."""


@contextlib.contextmanager
def claiming(folder: Path, dataset: fo.Dataset, run_key: str) -> Iterator[None]:
    """Makes a run's folder, and says there whose it is; undone if what follows fails.

    Args:
        folder: of the run; may be there already, with a job
        dataset: that the run belongs to
        run_key: its name there

    Raises:
        OSError: if it can't be written
    """
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        claim(folder, dataset, run_key)
        yield
    except BaseException:
        (folder / OWNER).unlink(missing_ok=True)
        if is_new:
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def claim(folder: Path, dataset: fo.Dataset, run_key: str) -> None:
    """Says in a run's folder whose it is.

    Raises:
        OSError: if it can't be written
    """
    said = {
        "format": run_json.FORMAT,
        "dataset_id": str(dataset._doc.id),
        "dataset": dataset.name,
        "run_key": run_key,
    }
    files.write(folder / OWNER, json.dumps(said, indent=2) + "\n")


def foreign(dataset: fo.Dataset, run_key: str, folder: Path) -> str | None:
    """Returns why a folder is not that of this run; None if it is.

    Args:
        dataset: that the run belongs to
        run_key: its name when it began
        folder: that it names
    """
    if folder.is_symlink():
        return f"'{folder}' is a link"
    said = owner(folder)
    mine = (str(dataset._doc.id), run_key)
    if said is None:  # an older version began it: its place and its files tell
        strange = [one.name for one in _listed(folder) if not _is_ours(one.name)]
        if folder.absolute().parts[-2:] == mine and not strange:
            return None
        return f"nothing in '{folder}' says that it is this run's"
    if (said.get("dataset_id"), said.get("run_key")) == mine:
        return None
    whose = f"run '{said.get('run_key')}' of dataset '{said.get('dataset')}'"
    return f"'{folder}' belongs to {whose}"


def owner(folder: Path) -> dict[str, Any] | None:
    """Returns what a run's folder says of whose it is; None if it says nothing."""
    try:
        return run_json.read_json(folder / OWNER)
    except (OSError, ValueError):
        return None


def _is_ours(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in OURS)


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def is_unused(folder: Path, dataset: fo.Dataset, run_key: str) -> bool:
    """Returns whether a new run may take a folder: it is missing, or holds no training.

    Args:
        folder: that the run would have
        dataset: that it would belong to
        run_key: its name there
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return False
    begun = files.unfinished(folder, OWNER)  # of one that was killed as it began
    names = {path.name for path in _listed(folder) if path not in begun}
    if names - {OWNER, ".lock", ".job.lock", "job"}:
        return False
    return OWNER not in names or foreign(dataset, run_key, folder) is None


def shared_with(dataset: fo.Dataset, run_key: str, folder: Path) -> list[str]:
    """Returns what else in the database refers to a run's folder, or into it.

    Args:
        dataset: that the run belongs to
        run_key: its name there
        folder: of the run
    """
    database, here = foo.get_db_conn(), folder.resolve()
    itself = {"_dataset_id": dataset._doc.id, "key": run_key}
    others = database.runs.find(
        {"$nor": [itself], "config.folder": {"$type": "string"}},
        {"_dataset_id": 1, "key": 1, "config.folder": 1},
    )
    found = []
    for other in others:
        place = path_of(other["config"]["folder"])
        if place is None or not place.resolve().is_relative_to(here):
            continue
        known = database.datasets.find_one({"_id": other["_dataset_id"]}, {"name": 1})
        if known:
            found.append(f"run '{other['key']}' of dataset '{known['name']}'")
    return found


def path_of(folder: Any) -> Path | None:
    """Returns the folder that a run names; None if that can't be one."""
    if not isinstance(folder, str) or not folder or "\0" in folder:
        return None
    return Path(folder)


def orphans(top: Path) -> list[Path]:
    """Returns the folders of runs that the database knows nothing of.

    FiftyOne leaves them when it deletes a dataset, or a run without us.

    Args:
        top: where all runs of all datasets keep their files
    """
    known = {
        str(place.resolve())
        for folder in foo.get_db_conn().runs.distinct("config.folder")
        if (place := path_of(folder))
    }
    return [
        place
        for root in _listed(top)
        if re.fullmatch("[0-9a-f]{24}", root.name)
        for place in _listed(root)
        if not place.name.startswith(".")
        and str(place.resolve()) not in known
        and any(place.glob(f"epoch_*/{checkpoint.METADATA}"))
    ]
