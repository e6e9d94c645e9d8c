"""The weights that Darknet's author released: from his site, or from a file.

They are fetched once and checked by length and header, so that a page of errors, a file
that was cut short or another network's is refused, and nothing of it stays. A
`.weights` file is numbers; nothing in it can run.
"""

import itertools
import os
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import eta.core.web as etaw
import fiftyone as fo

from yolov1_fo import files
from yolov1_fo.config import spelling
from yolov1_fo.networks import darknet_weights

SOURCE = "yolov1-fo"
"""FiftyOne's folder for our remote source, within the one for models."""
STALE = 3600.0
"""Seconds after which a file that nothing was added to is no longer being fetched."""
SITE = "https://pjreddie.com/media/files/yolov1/"


class Release(NamedTuple):
    """A file of the author's.

    Attributes:
        file: its name on the site
        network: that it is of, for VOC's classes at 448 px
        numbers: how many it holds, to the boxes a cell that it then predicts
    """

    file: str
    network: str
    numbers: dict[int, int]


RELEASES = {
    # The file has been seen with both; 3 boxes a cell are those of today's yolov1.cfg.
    "darknet-yolov1-voc": Release(
        "yolov1.weights", "darknet-yolov1", {197_328_243: 3, 194_254_718: 2}
    ),
    "darknet-yolov1-tiny-voc": Release(
        "tiny-yolov1.weights", "darknet-yolov1-tiny", {27_099_950: 2}
    ),
}


def place(name: str) -> Path:
    """Returns where the zoo keeps a release, fetched or not.

    Raises:
        ValueError: if there is none of that name
    """
    _find(name)
    return Path(fo.config.model_zoo_dir) / f"{name}.weights"


def settings(name: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the settings of the network that a file is of, as `NetworkConfig` has it.

    Args:
        name: of a release
        path: of its file

    Raises:
        FileNotFoundError: if there is no such file
        ValueError: if it is not that release
    """
    release = _find(name)
    header = darknet_weights.read_header(path)
    got = Path(path).stat().st_size
    for numbers, B in release.numbers.items():
        if got == header.size + 4 * numbers:
            return {"network": release.network, "B": B}
    sizes = " or ".join(f"{header.size + 4 * n}" for n in release.numbers)
    raise ValueError(
        f"weights file '{os.fspath(path)}' must have {sizes} bytes for '{name}', got "
        f"{got}; it is cut short, or another file"
    )


def fetch(name: str, path: Path) -> None:
    """Fetches a release to a path, where it stands whole and checked or not at all.

    Args:
        name: of a release
        path: of the new file; what stands there is replaced

    Raises:
        OSError: if the site can't be reached, or the file can't be written
        ValueError: if the site gives something else
    """
    url = SITE + _find(name).file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole_file(path) as arriving:
            etaw.download_file(url, path=str(arriving))
            settings(name, arriving)
    except (OSError, etaw.WebSessionError) as error:
        raise OSError(
            f"'{name}' could not be fetched from {url}: "
            f"{_reason(error.__cause__ or error)}; fetch it elsewhere and put it at "
            f"'{path}'"
        ) from error
    except ValueError as error:
        said = str(error).replace(str(arriving), url)
        raise ValueError(f"{said}; nothing of it is kept") from None


def clean() -> int:
    """Removes what fetches that were killed left; returns how many files these were."""
    zoo, count = Path(fo.config.model_zoo_dir), 0
    for name, folder in itertools.product(RELEASES, (zoo, zoo / SOURCE)):
        for left in files.unfinished(folder, place(name).name):
            if time.time() - left.stat().st_mtime > STALE:
                files.remove(left)
                count += 1
    return count


def _find(name: str) -> Release:
    spelling.check_choice("released", name, RELEASES)
    return RELEASES[name]


def _reason(error: BaseException) -> str:
    """Returns what went wrong, without the objects that requests prints around it."""
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    found = re.search(r"\[Errno -?\d+\] [^')(\"]+|timed out", line)
    return found.group() if found else line
