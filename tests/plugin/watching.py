"""Records what this process and its jobs write, run and connect to.

It uses Python's audit hooks: in this process while recording, and in jobs through a
generated `sitecustomize` module, which appends to a file.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HOOK = '''
import json, os, sys

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def relevant(event, given):
    """Returns the kind and words of a relevant event, else None."""
    if event == "open":
        path, mode, flags = given
        writes = bool(flags & WRITES) if isinstance(flags, int) else False
        if isinstance(path, (str, bytes)) and (writes or set(mode or "") & set("wax+")):
            return "write", [os.path.abspath(os.fsdecode(path))]
    elif event in ("os.rename", "os.link", "os.symlink"):
        return "write", [os.path.abspath(os.fsdecode(given[1]))]
    elif event in ("os.mkdir", "os.truncate"):
        return "write", [os.path.abspath(os.fsdecode(given[0]))]
    elif event in ("os.remove", "os.rmdir", "shutil.rmtree"):
        path = os.fsdecode(given[0])
        inside = event == "os.remove" and len(given) > 1 and given[1] not in (None, -1)
        return None if inside else ("remove", [os.path.abspath(path)])
    elif event == "subprocess.Popen":
        return "run", [os.fsdecode(one) for one in given[1]]
    elif event in ("os.system", "os.exec", "os.posix_spawn", "os.spawn"):
        return "run", [str(given[0])]
    elif event == "socket.connect" and isinstance(given[1], tuple):
        return "connect", [str(part) for part in given[1][:2]]
    elif event == "pickle.find_class":
        return "unpickle", [str(part) for part in given]
    return None
'''

APPEND = """
def hook(event, given, to=os.environ["WATCHED"], busy=[]):
    if busy:
        return
    found = relevant(event, given)
    if found:
        busy.append(1)
        with open(to, "a") as file:
            file.write(json.dumps(found) + "\\n")
        busy.pop()


sys.addaudithook(hook)
"""

_hook_names: dict = {}
exec(HOOK, _hook_names)  # the same code that a job runs
_notes: list = []
_is_recording = False


class Note(NamedTuple):
    """An event: write, remove, run, connect or unpickle; and its words."""

    kind: str
    words: tuple[str, ...]

    @property
    def path(self) -> Path:
        return Path(self.words[0])


def _hook(event: str, given: tuple) -> None:
    if _is_recording:
        found = _hook_names["relevant"](event, given)
        if found:
            _notes.append(found)


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[list[Note]]:
    """Yields a list that is filled at the end, with the events here and in jobs.

    Args:
        folder: created for the files of this module
    """
    global _is_recording
    if not _hook_names.get("hooked"):
        sys.addaudithook(_hook)  # audit hooks can't be removed
        _hook_names["hooked"] = True
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HOOK + APPEND)
    (folder / "notes").touch()
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "WATCHED")}
    paths = filter(None, (str(folder), before["PYTHONPATH"]))
    os.environ |= {
        "PYTHONPATH": os.pathsep.join(paths),
        "WATCHED": str(folder / "notes"),
    }
    found: list[Note] = []
    _notes.clear()
    _is_recording = True
    try:
        yield found
    finally:
        _is_recording = False
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
        there = map(json.loads, (folder / "notes").read_text().splitlines())
        found += [Note(kind, tuple(words)) for kind, words in (*_notes, *there)]
