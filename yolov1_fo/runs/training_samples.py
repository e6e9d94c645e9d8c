"""`training_samples.txt` in a run's folder: the ids of the samples it is trained on."""

import re
from collections.abc import Iterable
from pathlib import Path

from yolov1_fo import files
from yolov1_fo.runs import run_json

FILE = "training_samples.txt"
MAX_BYTES = 2**30
"""Longest file that is read: 40 million ids."""


def write(folder: Path, ids: Iterable[str]) -> None:
    """Writes the ids of the training split, one per line.

    Args:
        folder: of the run
        ids: of samples

    Raises:
        OSError: if the file can't be written
    """
    files.write_text(folder / FILE, "".join(f"{one}\n" for one in ids))


def read(folder: Path) -> set[str] | None:
    """Returns the ids that `write` wrote; None if there is no readable file.

    Runs of earlier versions have none. The file is in a folder that the user may have
    edited, so nothing in it is trusted.
    """
    path = folder / FILE
    try:
        if not path.is_file():  # it could be a pipe, which would block
            return None
        lines = run_json.read_text(path, MAX_BYTES).split()
    except (OSError, ValueError):
        return None
    return {line for line in lines if re.fullmatch("[0-9a-f]{24}", line)}
