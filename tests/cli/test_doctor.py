"""`yolov1-fo doctor`, wherever it is asked: it says what is broken and never breaks."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import fiftyone as fo
import pytest

from yolov1_fo import files
from yolov1_fo.cli import doctor, leftovers, main
from yolov1_fo.config import TrainConfig
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import folders, registry

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("Could not determine home directory."),
        KeyError("getpwuid(): uid not found"),
        PermissionError(13, "Permission denied"),
        OSError(28, "No space left on device"),
        ValueError("several\nlines"),
    ],
)
@pytest.mark.parametrize("what", ["_datasets", "_zoo", "_pixels", "_plugin", "_system"])
def test_what_cannot_be_looked_at_is_said_and_the_rest_too(
    capsys, monkeypatch, what, error
):
    def fail():
        raise error
        yield

    monkeypatch.setattr(doctor, "_tensorflow", lambda: iter(()))
    monkeypatch.setattr(doctor, what, fail)
    assert main.main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert " can't be looked at: " in said
    assert "several lines" in said or "several" not in said
    assert "videos" in said


def test_a_check_that_fails_half_way_keeps_what_it_found():
    def look():
        yield doctor.Check(doctor.GOOD, "one", "fine")
        raise OSError("gone")

    first, second = doctor._safely("both", look)
    assert first.found == "fine"
    assert second.state == doctor.BAD
    assert str(second).startswith("!!  both        can't be looked at: gone")


@pytest.mark.parametrize("free", [0, 4e9, 100e9])
def test_a_full_disk_is_said(monkeypatch, tmp_path, free):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    check = doctor._space("datasets", str(tmp_path / "not" / "there"))
    assert check.state == (doctor.GOOD if free > 5e9 else doctor.FAIR)


def test_a_database_without_a_folder_is_said(monkeypatch):
    def fail():
        raise PermissionError("Database directory `/x` cannot be written to")

    monkeypatch.setattr(fo, "list_datasets", fail)
    [check] = doctor._safely("database", lambda: [doctor._database()])
    assert check.state == doctor.BAD
    assert check.remedy.startswith("choose another: set FIFTYONE_DATABASE_DIR")


def test_other_systems_are_said_to_be_untried(monkeypatch):
    for system, state in (("Linux", "ok"), ("Darwin", "--"), ("Windows", "--")):
        monkeypatch.setattr(doctor.platform, "system", lambda system=system: system)
        [check] = doctor._system()
        assert check.state == state
        assert ("not tried" in check.remedy) is (system != "Linux")


def test_a_damaged_model_is_named(zoo_dir, checkpoint_dir):
    folder = local_zoo.publish(checkpoint_dir, "squares")
    (folder / "manifest.json").write_text("{")
    *_, check = doctor._zoo()
    assert (check.state, "'squares' is damaged" in check.found) == (doctor.BAD, True)
    assert check.remedy == "yolov1-fo unpublish squares, then publish it again"


def asked(folder, *words, options=(), code="pass", drop=(), **variables):
    """Runs the command line in another process, after some code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    call = (
        "import sys; from yolov1_fo.cli import main; sys.exit(main.main(sys.argv[1:]))"
    )
    return subprocess.run(
        [sys.executable, *options, "-c", f"{code}; {call}", *words],
        env={k: v for k, v in environment.items() if k not in drop},
        capture_output=True,
        text=True,
        cwd=folder,
        check=False,
    )


@pytest.mark.slow
def test_it_works_without_a_home(tmp_path):
    said = asked(
        tmp_path,
        "doctor",
        code="import pwd; pwd.getpwuid = lambda uid: {}[uid]; "
        "from yolov1_fo import doctor; doctor._tensorflow = tuple",
        drop=("HOME", "USER", "LOGNAME", "FIFTYONE_DEFAULT_DATASET_DIR"),
    )
    assert "Traceback" not in said.stderr
    assert said.returncode == 1
    assert "!!  images      can't be looked at: Could not determine home" in said.stdout
    assert "ok  database" in said.stdout


@pytest.mark.slow
def test_a_broken_configuration_of_fiftyone_is_said_once(tmp_path):
    (tmp_path / "config.json").write_text("{ this is no JSON")
    said = asked(tmp_path, "doctor", FIFTYONE_CONFIG_PATH=str(tmp_path / "config.json"))
    assert "Traceback" not in said.stderr
    assert said.returncode == 1
    [line] = [line for line in said.stdout.splitlines() if line.startswith("!!")]
    assert line.startswith("!!  FiftyOne    can't be looked at: Unable to parse JSON")


@pytest.mark.slow
def test_help_of_settings_is_there_without_docstrings(tmp_path):
    said = asked(tmp_path, "train", "--help", options=["-OO"])
    assert said.returncode == 0, said.stderr
    assert "boxes a cell" in said.stdout


def test_every_setting_is_described():
    assert all(TrainConfig.describe().values())


def test_nothing_of_ours_hangs_on_assert():
    for folder in ("yolov1_fo", "plugin"):
        for path in (ROOT / folder).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            assert not any(isinstance(node, ast.Assert) for node in nodes), path


def test_clean_removes_leftovers_of_ours_alone(
    monkeypatch, tmp_path, zoo_dir, checkpoint_dir
):
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "data"))
    local_zoo.publish(checkpoint_dir, "squares")
    root = registry.top() / ("0" * 24)
    left = [
        root / "mine" / ".epoch_0002.0a.unfinished",
        root / ".deleted.0a.unfinished",  # a run that was killed as it was deleted
        local_zoo.root() / ".other.0b.unfinished",
    ]
    kept = [
        root / "mine" / "epoch_0001",
        root / "trained" / ".epoch_0002.0c.unfinished",
        registry.top() / "strange" / "mine" / ".epoch_0002.0d.unfinished",
        local_zoo.root() / "squares",
        zoo_dir / ".of-others.0e.unfinished",
    ]
    for path in (*left, *kept):
        path.mkdir(parents=True, exist_ok=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".precious.0f.unfinished").mkdir(parents=True)
    (root / "link").symlink_to(elsewhere)
    with files.locked(folders.lock(root / "trained")):
        said = [*leftovers.clean()]
    assert [path for path in left if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert (elsewhere / ".precious.0f.unfinished").exists()
    assert "deleted 2 unfinished parts of runs in" in said[1]
    assert "deleted 1 unfinished models in" in said[2]
    assert len([*leftovers.clean()]) == 2  # what was locked is free now


def test_clean_says_what_it_cannot_remove(monkeypatch):
    def fail():
        raise OSError("'/x' can't be removed: Permission denied")

    monkeypatch.setattr(leftovers, "_published", fail)
    assert "'/x' can't be removed: Permission denied" in [*leftovers.clean()]
