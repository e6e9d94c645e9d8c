"""The plugin in FiftyOne's folder for plugins: put there, and taken away again.

A link to where the plugin stands, so that it changes with the package; a copy where
links can't be made. Only what was put there so is ever replaced or removed.
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
PARTS = ("fiftyone.yml", "requirements.txt", "plugin")
MARK = ".yolov1-fo.json"
"""Stands in a copy, and says that it is one, and of what."""


class Installed(NamedTuple):
    """The plugin as it was installed or removed; prints as a line.

    Attributes:
        place: in FiftyOne's folder for plugins
        source: what is linked or copied
        is_link: whether it is a link
    """

    place: Path
    source: Path
    is_link: bool

    def __str__(self) -> str:
        return f"'{self.place}', a {'link' if self.is_link else 'copy'}"


def source() -> Path:
    """Returns the folder of the plugin: in a wheel, within the package; else beside it.

    Raises:
        FileNotFoundError: if this copy of the package has none
    """
    here = Path(__file__).parents[1]
    for folder in (here / "_plugin", here.parent):
        if _is_plugin(folder):
            return folder
    raise FileNotFoundError(
        f"the package in '{here}' came without its plugin; install it from its wheel "
        "or its repository"
    )


def place() -> Path:
    """Returns where the plugin is put."""
    return Path(fo.config.plugins_dir).expanduser() / FOLDER


def install(*, copy: bool = False) -> Installed:
    """Puts the plugin where FiftyOne finds it; what we put there before is replaced.

    Args:
        copy (False): as a copy, which does not change with the package

    Raises:
        ValueError: if something else stands there, or FiftyOne has the plugin from
            elsewhere
        FileNotFoundError: if this copy of the package has no plugin
        OSError: if it can't be written
    """
    origin, target = source(), place()
    _check_ours(target)
    elsewhere = [one for one in _folders() if not _is_same(one, target)]
    if elsewhere:
        raise ValueError(
            f"FiftyOne has the plugin {NAME} already, in '{elsewhere[0]}'; remove that "
            "first"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"'{target.parent}' can't be made: {error}") from error
    if not copy and _link(origin, target):
        return Installed(target, origin, is_link=True)
    with files.whole_folder(target) as unfinished:
        for part in PARTS:
            _copy(origin / part, unfinished / part)
        said = {"version": __version__, "digest": _digest(unfinished)}
        (unfinished / MARK).write_text(json.dumps(said) + "\n", encoding="utf-8")
    return Installed(target, origin, is_link=False)


def uninstall() -> Installed:
    """Takes the plugin out of FiftyOne's folder; the package stays.

    Raises:
        ValueError: if it is not there, or was not put there so
        OSError: if it can't be removed
    """
    target = place()
    if not os.path.lexists(target):
        raise ValueError(f"the plugin is not installed: '{target}' is not there")
    _check_ours(target)
    was = Installed(target, target.resolve(), target.is_symlink())
    files.remove(files.set_aside(target))
    return was


def _is_plugin(folder: Path) -> bool:
    """Returns whether a folder holds this plugin, of whatever version."""
    card = folder / "fiftyone.yml"
    if not (card.is_file() and (folder / "plugin" / "__init__.py").is_file()):
        return False
    try:
        said = yaml.safe_load(run_json.read_text(card, run_json.LONGEST))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    return isinstance(said, dict) and said.get("name") == NAME


def _check_ours(target: Path) -> None:
    """Raises a ValueError if something stands there that is not ours to replace."""
    if not os.path.lexists(target):
        return
    if target.is_symlink():
        leads = target.resolve()
        was_ours = not leads.exists() and leads.parts[-2:] == ("yolov1_fo", "_plugin")
        if was_ours or _is_plugin(leads):
            return
        what = f"'{target}' is a link to '{leads}'"
    else:
        try:
            said = run_json.read_json(target / MARK)
            if said.get("digest") == _digest(target):
                return
            what = f"'{target}' is a copy that was changed"
        except (OSError, ValueError):
            what = f"'{target}' is there, and not put there by install-plugin"
    raise ValueError(f"{what}; move it away, or remove it")


def _folders() -> list[Path]:
    """Returns where FiftyOne finds plugins of this name."""
    found = fop.list_plugins(enabled="all", shadowed="all")
    return [Path(one.directory) for one in found if one.name == NAME]


def _is_same(one: Path, other: Path) -> bool:
    return one.absolute() == other.absolute()


def _link(origin: Path, target: Path) -> bool:
    """Makes a link; returns whether this system lets us."""
    aside = files.set_aside(target) if files.is_folder(target) else None
    try:
        files.link(target, origin)
    except OSError as error:
        logger.info("%s; it is copied", error)
        if aside:
            aside.rename(target)
        return False
    if aside:
        files.remove(aside)
    return True


def _copy(origin: Path, target: Path) -> None:
    if origin.is_dir():
        shutil.copytree(origin, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(origin, target)


def _digest(folder: Path) -> str:
    """Returns what tells the files of a copy from others."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != MARK and "__pycache__" not in path.parts:
            digest.update(f"{name}\n{path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
