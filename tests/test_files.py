"""Atomic writes, and locks that end with their process."""

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


def test_folder_is_replaced_when_the_new_one_is_complete(tmp_path: Path):
    for text in ("old", "new"):
        with files.atomic_folder(tmp_path / "folder") as unfinished:
            (unfinished / "file").write_text(text)
    assert (tmp_path / "folder" / "file").read_text() == "new"
    assert contents(tmp_path) == {"folder"}


def test_nothing_changes_if_writing_fails(tmp_path: Path):
    files.write_text(tmp_path / "file", "old")
    with files.atomic_folder(tmp_path / "folder") as unfinished:
        (unfinished / "part").touch()

    def fail():
        with (
            files.atomic_folder(tmp_path / "folder"),
            files.atomic_file(tmp_path / "file") as unfinished,
        ):
            unfinished.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "file").read_text() == "old"
    assert contents(tmp_path) == {"file", "folder"}
    assert contents(tmp_path / "folder") == {"part"}


@pytest.mark.parametrize("error", [OSError("in use"), KeyboardInterrupt()])
def test_old_folder_is_restored_if_the_new_one_can_not_be_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    files.write_text(tmp_path / "other", "")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "precious").write_text("mine")
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if (self / "new").exists():
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)

    def replace():
        with files.atomic_folder(tmp_path / "folder") as unfinished:
            (unfinished / "new").touch()

    with pytest.raises(type(error)):
        replace()
    assert (tmp_path / "folder" / "precious").read_text() == "mine"
    assert contents(tmp_path) == {"other", "folder"}


def test_link_is_replaced_and_not_followed(tmp_path: Path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "precious").write_text("mine")
    (tmp_path / "folder").symlink_to(tmp_path / "kept")
    (tmp_path / "file").symlink_to(tmp_path / "kept" / "precious")
    with files.atomic_folder(tmp_path / "folder"):
        files.write_text(tmp_path / "file", "new")
    assert contents(tmp_path / "folder") == set()
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "kept" / "precious").read_text() == "mine"
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    files.remove(tmp_path / "link")
    assert (tmp_path / "kept" / "precious").read_text() == "mine"


def test_names_of_unfinished_files_differ_and_are_found(tmp_path: Path):
    path = tmp_path / "file"
    with files.atomic_file(path) as one, files.atomic_file(path) as other:
        assert one != other
        assert files.find_unfinished(tmp_path, "file") == sorted([one, other])
        assert files.find_unfinished(tmp_path, "another") == []
    assert files.find_unfinished(tmp_path) == []
    assert files.find_unfinished(tmp_path / "missing") == []


def test_file_in_use_is_replaced_when_its_reader_has_closed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    replace, tries = Path.replace, iter([PermissionError(13, "in use")] * 2)

    def busy(unfinished: Path, path: Path) -> Path:
        for error in tries:
            raise error
        return replace(unfinished, path)

    files.write_text(tmp_path / "file", "old")
    monkeypatch.setattr(Path, "replace", busy)
    with pytest.raises(OSError, match="in use"):
        files.write_text(tmp_path / "file", "new")
    monkeypatch.setattr(files, "READERS_PREVENT_REPLACE", True)
    files.write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"


def test_error_names_the_file(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"'.*inside' can't be written: "):
        files.write_text(tmp_path / "file" / "inside", "text")


def test_lock_ends_with_its_process(tmp_path: Path):
    lock = tmp_path / "lock"
    assert not files.is_locked(lock)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, lock], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert files.is_locked(lock)
    with pytest.raises(TimeoutError), files.locked(lock, timeout=0):
        pytest.fail("locked twice")
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert not files.is_locked(lock)
    with files.locked(lock):
        assert files.is_locked(lock)  # also by this process


def test_names_that_are_not_ours_are_not_unfinished(tmp_path: Path):
    for name in ("..x.unfinished", ".unfinished", "x.unfinished"):
        (tmp_path / name).touch()
    assert files.find_unfinished(tmp_path) == []


def test_scratch_folder_is_removed(tmp_path: Path):
    with files.scratch_folder(tmp_path / "target") as folder:
        (folder / "part").touch()
        assert files.find_unfinished(tmp_path, "target") == [folder]
    assert contents(tmp_path) == set()


def test_removing_restores_after_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("mine")

    def fail():
        with files.removing(tmp_path / "file") as aside:
            assert aside.exists()
            assert not (tmp_path / "file").exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (tmp_path / "file").read_text() == "mine"
    with files.removing(tmp_path / "file"):
        pass
    assert contents(tmp_path) == set()
