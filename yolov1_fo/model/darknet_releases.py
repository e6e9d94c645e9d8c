"""The weights that Darknet's author released: from his site, or from a file.

They are downloaded once. Length and header are checked, so that an error page, a
truncated file or the weights of another network are refused and not kept. A `.weights`
file holds only numbers, no code.
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
from yolov1_fo.networks import darknet_header

SOURCE = "yolov1-fo"
"""FiftyOne's folder for our remote source, in its folder for models."""
STALE_SECONDS = 3600.0
"""Time without a write after which a partial download is no longer in progress."""
SITE = "https://pjreddie.com/media/files/yolov1/"


class Release(NamedTuple):
    """A released file.

    Attributes:
        file: its name on the site
        network: its network, for the VOC classes at 448 px
        parameters: possible numbers of parameters, with the boxes per cell of each
    """

    file: str
    network: str
    parameters: dict[int, int]


RELEASES = {
    # Both versions of the file exist; today's yolov1.cfg has 3 boxes per cell.
    "darknet-yolov1-voc": Release(
        "yolov1.weights", "darknet-yolov1", {197_328_243: 3, 194_254_718: 2}
    ),
    "darknet-yolov1-tiny-voc": Release(
        "tiny-yolov1.weights", "darknet-yolov1-tiny", {27_099_950: 2}
    ),
}


def zoo_path(name: str) -> Path:
    """Returns the path of a release in FiftyOne's zoo, downloaded or not.

    Raises:
        ValueError: if there is none of that name
    """
    _find(name)
    return Path(fo.config.model_zoo_dir) / f"{name}.weights"


def network_settings(name: str, path: str | os.PathLike[str]) -> dict[str, Any]:
    """Returns the settings of a release's network, for `NetworkConfig`.

    Args:
        name: of the release
        path: of its file

    Raises:
        FileNotFoundError: if there is no such file
        ValueError: if the file is not that release
    """
    release = _find(name)
    header = darknet_header.read_header(path)
    got = Path(path).stat().st_size
    for parameters, B in release.parameters.items():
        if got == header.size + 4 * parameters:
            return {"network": release.network, "B": B}
    sizes = " or ".join(f"{header.size + 4 * n}" for n in release.parameters)
    raise ValueError(
        f"weights file '{os.fspath(path)}' must have {sizes} bytes for '{name}', got "
        f"{got}; it is truncated, or another file"
    )


def fetch(name: str, path: Path) -> None:
    """Downloads a release to a path; only a complete and checked file is kept.

    Args:
        name: of the release
        path: of the new file; an existing one is replaced

    Raises:
        OSError: if the site can't be reached, or the file can't be written
        ValueError: if the site returns something else
    """
    url = SITE + _find(name).file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.atomic_file(path) as download:
            etaw.download_file(url, path=str(download))
            network_settings(name, download)
    except (OSError, etaw.WebSessionError) as error:
        raise OSError(
            f"'{name}' can't be downloaded from {url}: "
            f"{_reason(error.__cause__ or error)}; download it elsewhere and put it at "
            f"'{path}'"
        ) from error
    except ValueError as error:
        message = str(error).replace(str(download), url)
        raise ValueError(f"{message}; it is not kept") from None


def clean() -> int:
    """Removes partial downloads of killed processes; returns the number of files."""
    zoo, count = Path(fo.config.model_zoo_dir), 0
    for name, folder in itertools.product(RELEASES, (zoo, zoo / SOURCE)):
        for path in files.find_unfinished(folder, zoo_path(name).name):
            if time.time() - path.stat().st_mtime > STALE_SECONDS:
                files.remove(path)
                count += 1
    return count


def _find(name: str) -> Release:
    spelling.check_choice("released", name, RELEASES)
    return RELEASES[name]


def _reason(error: BaseException) -> str:
    """Returns the cause of an error, without the objects that requests prints."""
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    found = re.search(r"\[Errno -?\d+\] [^')(\"]+|timed out", line)
    return found.group() if found else line
