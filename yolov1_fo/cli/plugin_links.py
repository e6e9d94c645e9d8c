"""Installs the plugin in FiftyOne's plugins folder, and uninstalls it.

It is a link, so that it is updated with the package, or a copy where links can't be
created. Only what was installed this way is ever replaced or removed.
"""

import hashlib
import json
import logging
import os
import shutil
from pathlib import Path
from typing import NamedTuple

import fiftyone as fo
import fiftyone.plugins as fop
import yaml

from yolov1_fo import __version__, files
from yolov1_fo.runs import run_json

logger = logging.getLogger(__name__)

NAME = "@yolov1-fo/yolov1"
FOLDER = "yolov1-fo"
PARTS = ("fiftyone.yml", "requirements.txt", "plugin", "skills")
MARKER = ".yolov1-fo.json"
"""A file in an installed copy, with the version and a digest of the other files."""


class InstalledPlugin(NamedTuple):
    """An installed or just uninstalled plugin; prints as a line.

    Attributes:
        path: its path in FiftyOne's plugins folder
        source: the folder that is linked or copied
        is_link: whether it is a link
    """

    path: Path
    source: Path
    is_link: bool

    def __str__(self) -> str:
        return f"'{self.path}', a {'link' if self.is_link else 'copy'}"


def source() -> Path:
    """Returns the plugin's folder: within an installed package, or next to it.

    Raises:
        FileNotFoundError: if there is none
    """
    package = Path(__file__).parents[1]
    for folder in (package / "_plugin", package.parent):
        if _is_plugin(folder):
            return folder
    raise FileNotFoundError(
        f"the package in '{package}' has no plugin; install the package from its wheel "
        "or repository"
    )


def install_path() -> Path:
    """Returns the path where the plugin is installed."""
    return Path(fo.config.plugins_dir).expanduser() / FOLDER


def install(*, copy: bool = False) -> InstalledPlugin:
    """Installs the plugin in FiftyOne's plugins folder, or installs it again.

    Args:
        copy (False): whether to copy it, so that it is not updated with the package

    Raises:
        ValueError: if its path is taken, or FiftyOne has the plugin elsewhere
        FileNotFoundError: if this package has no plugin
        OSError: if it can't be written
    """
    origin, target = source(), install_path()
    _check_replaceable(target)
    others = [folder for folder in _folders() if folder.absolute() != target.absolute()]
    if others:
        raise ValueError(
            f"FiftyOne already has the plugin {NAME} in '{others[0]}'; remove it first"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"'{target.parent}' can't be created: {error}") from error
    if not copy and _link(origin, target):
        return InstalledPlugin(target, origin, is_link=True)
    with files.atomic_folder(target) as unfinished:
        for part in PARTS:
            copy_part(origin / part, unfinished / part)
        marker = {"version": __version__, "digest": _digest(unfinished)}
        (unfinished / MARKER).write_text(json.dumps(marker) + "\n", encoding="utf-8")
    return InstalledPlugin(target, origin, is_link=False)


def uninstall() -> InstalledPlugin:
    """Removes the plugin from FiftyOne's plugins folder; the package is kept.

    Raises:
        ValueError: if it is not installed, or was not installed by `install`
        OSError: if it can't be removed
    """
    target = install_path()
    if not os.path.lexists(target):
        raise ValueError(f"the plugin is not installed: '{target}' does not exist")
    _check_replaceable(target)
    plugin = InstalledPlugin(target, target.resolve(), target.is_symlink())
    files.remove(files.move_aside(target))
    return plugin


def _is_plugin(folder: Path) -> bool:
    """Returns whether a folder contains this plugin, in any version."""
    manifest = folder / "fiftyone.yml"
    if not (manifest.is_file() and (folder / "plugin" / "__init__.py").is_file()):
        return False
    try:
        content = yaml.safe_load(run_json.read_text(manifest, run_json.MAX_BYTES))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(content, dict) and content.get("name") == NAME


def _check_replaceable(target: Path) -> None:
    """Raises a ValueError if there is anything but an unchanged plugin of `install`."""
    if not os.path.lexists(target):
        return
    if target.is_symlink():
        folder = target.resolve()
        # The package of a dangling link was uninstalled.
        is_ours = not folder.exists() and folder.parts[-2:] == ("yolov1_fo", "_plugin")
        if is_ours or _is_plugin(folder):
            return
        fault = f"'{target}' is a link to '{folder}'"
    else:
        try:
            if run_json.read_json(target / MARKER).get("digest") == _digest(target):
                return
            fault = f"'{target}' is a copy that was changed"
        except (OSError, ValueError):
            fault = f"'{target}' exists and was not created by install-plugin"
    raise ValueError(f"{fault}; move or remove it")


def _folders() -> list[Path]:
    """Returns the folders where FiftyOne finds this plugin."""
    plugins = fop.list_plugins(enabled="all", shadowed="all")
    return [Path(one.directory) for one in plugins if one.name == NAME]


def _link(origin: Path, target: Path) -> bool:
    """Creates a link; returns False if the system does not allow it."""
    try:
        files.make_link(target, origin)
    except OSError as error:
        logger.info("%s; copying instead", error)
        return False
    return True


def copy_part(origin: Path, target: Path) -> None:
    """Copies a file, or a folder without compiled Python files."""
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(origin, target)


def _digest(folder: Path) -> str:
    """Returns a digest of the names and contents of a copy's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MARKER and "__pycache__" not in path.parts:
            digest.update(f"{name}\n{path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
