"""Files and folders that are whole or not there, and locks that end with a process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from yolov1_fo import files

HOLD = """
import sys, time
from pathlib import Path
from yolov1_fo import files
with files.locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def contents(folder: Path) -> set[str]:
    return {one.name for one in folder.iterdir()}


def test_folder_is_replaced_when_another_is_whole(tmp_path: Path):
    for text in ("old", "new"):
        with files.whole_folder(tmp_path / "made") as unfinished:
            (unfinished / "file").write_text(text)
    assert (tmp_path / "made" / "file").read_text() == "new"
    assert contents(tmp_path) == {"made"}


def test_nothing_changes_when_filling_fails(tmp_path: Path):
    files.write(tmp_path / "file", "old")
    with files.whole_folder(tmp_path / "folder") as unfinished:
        (unfinished / "part").touch()

    def fail():
        with (
            files.whole_folder(tmp_path / "folder"),
            files.whole_file(tmp_path / "file") as unfinished,
        ):
            unfinished.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "file").read_text() == "old"
    assert contents(tmp_path) == {"file", "folder"}
    assert contents(tmp_path / "folder") == {"part"}


@pytest.mark.parametrize("error", [OSError("in use"), KeyboardInterrupt()])
def test_old_folder_stays_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    files.write(tmp_path / "there", "")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("mine")
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if (self / "new").exists():
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)

    def replace():
        with files.whole_folder(tmp_path / "folder") as unfinished:
            (unfinished / "new").touch()

    with pytest.raises(type(error)):
        replace()
    assert (tmp_path / "folder" / "precious").read_text() == "mine"
    assert contents(tmp_path) == {"there", "folder"}


def test_link_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "precious").write_text("mine")
    (tmp_path / "folder").symlink_to(tmp_path / "kept")
    (tmp_path / "file").symlink_to(tmp_path / "kept" / "precious")
    with files.whole_folder(tmp_path / "folder"):
        files.write(tmp_path / "file", "ours")
    assert contents(tmp_path / "folder") == set()
    assert (tmp_path / "file").read_text() == "ours"
    assert (tmp_path / "kept" / "precious").read_text() == "mine"
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    files.remove(tmp_path / "link")
    assert (tmp_path / "kept" / "precious").read_text() == "mine"


def test_names_of_unfinished_files_differ_and_are_found(tmp_path: Path):
    path = tmp_path / "file"
    with files.whole_file(path) as one, files.whole_file(path) as other:
        assert one != other
        assert files.unfinished(tmp_path, "file") == sorted([one, other])
        assert files.unfinished(tmp_path, "another") == []
    assert files.unfinished(tmp_path) == []
    assert files.unfinished(tmp_path / "missing") == []


def test_file_that_is_read_meanwhile_is_replaced_a_moment_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    replace, tries = Path.replace, iter([PermissionError(13, "in use")] * 2)

    def busy(unfinished: Path, path: Path) -> Path:
        for error in tries:
            raise error
        return replace(unfinished, path)

    files.write(tmp_path / "file", "old")
    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(OSError, match="in use"):
        files.write(tmp_path / "file", "new")
    monkeypatch.setattr(files, "READERS_BLOCK", True)
    files.write(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_unwritable_place_is_named(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"'.*inside' can't be written: "):
        files.write(tmp_path / "file" / "inside", "text")


def test_lock_ends_with_its_process(tmp_path: Path):
    lock = tmp_path / "lock"
    assert not files.is_locked(lock)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert files.is_locked(lock)
    with pytest.raises(TimeoutError), files.locked(lock, patience=0):
        pytest.fail("two held it")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not files.is_locked(lock)
    with files.locked(lock):
        assert files.is_locked(lock)  # of this process, too
