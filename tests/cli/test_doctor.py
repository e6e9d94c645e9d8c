"""`yolov1-fo doctor` reports what is broken and never fails itself."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import fiftyone as fo
import pytest

from yolov1_fo import files
from yolov1_fo.cli import (
    doctor,
    fiftyone_checks,
    leftovers,
    machine_checks,
    main,
)
from yolov1_fo.config import TrainConfig
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import folders

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
@pytest.mark.parametrize(
    ("module", "name"),
    [
        (fiftyone_checks, "check_datasets_folder"),
        (fiftyone_checks, "check_model_zoo"),
        (fiftyone_checks, "check_caches"),
        (fiftyone_checks, "check_plugin"),
        (machine_checks, "check_system"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failing_check_is_reported_and_the_others_are_run(
    capsys, monkeypatch, module, name, error
):
    def fail():
        raise error
        yield

    monkeypatch.setattr(machine_checks, "check_tensorflow", lambda: iter(()))
    monkeypatch.setattr(module, name, fail)
    assert main.main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert " check failed: " in out
    assert "several lines" in out or "several" not in out
    assert "videos" in out


def test_results_before_an_exception_are_kept():
    def check():
        yield machine_checks.Check(machine_checks.OK, "one", "fine")
        raise OSError("no such device")

    first, second = results = doctor.run_check("both", check)
    assert first.found == "fine"
    assert second.state == machine_checks.ERROR
    assert doctor.table(results).splitlines() == [
        "ok  one   fine",
        "!!  both  check failed: no such device",
        "          -> fix this first; it is a OSError",
    ]


@pytest.mark.parametrize("free", [0, 4e9, 100e9])
def test_a_full_disk_is_reported(monkeypatch, tmp_path, free):
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(fiftyone_checks.shutil, "disk_usage", lambda path: usage)
    check = fiftyone_checks.check_space("datasets", str(tmp_path / "not" / "there"))
    expected = machine_checks.OK if free > 5e9 else machine_checks.WARNING
    assert check.state == expected


def test_a_database_folder_that_cannot_be_written_is_reported(monkeypatch):
    def fail():
        raise PermissionError("Database directory `/x` cannot be written to")

    monkeypatch.setattr(fo, "list_datasets", fail)
    [check] = doctor.run_check("database", fiftyone_checks.check_database)
    assert check.state == machine_checks.ERROR
    assert check.remedy.startswith("set FIFTYONE_DATABASE_DIR or FIFTYONE_DATABASE_URI")


def test_other_systems_are_untested(monkeypatch):
    for system, state in (("Linux", "ok"), ("Darwin", "--"), ("Windows", "--")):
        monkeypatch.setattr(
            machine_checks.platform, "system", lambda system=system: system
        )
        [check] = machine_checks.check_system()
        assert check.state == state
        assert ("not tested" in check.remedy) is (system != "Linux")


def test_a_damaged_model_is_named(zoo_dir, checkpoint_dir):
    folder = local_zoo.publish(checkpoint_dir, "squares")
    (folder / "manifest.json").write_text("{")
    *_, check = fiftyone_checks.check_model_zoo()
    assert check.state == machine_checks.ERROR
    assert "'squares' is damaged" in check.found
    assert check.remedy == "yolov1-fo unpublish squares, then publish it again"


def run(folder, *words, options=(), code="pass", drop=(), **variables):
    """Runs the command line in a new process, after some code."""
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
    done = run(
        tmp_path,
        "doctor",
        code="import pwd; pwd.getpwuid = lambda uid: {}[uid]; "
        "from yolov1_fo.cli import machine_checks; "
        "machine_checks.check_tensorflow = tuple",
        drop=("HOME", "USER", "LOGNAME", "FIFTYONE_DEFAULT_DATASET_DIR"),
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert "!!  caches       check failed: Could not determine home" in done.stdout
    assert "ok  database" in done.stdout


@pytest.mark.slow
def test_a_broken_configuration_of_fiftyone_is_reported_once(tmp_path):
    (tmp_path / "config.json").write_text("{ this is not JSON")
    done = run(tmp_path, "doctor", FIFTYONE_CONFIG_PATH=str(tmp_path / "config.json"))
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if line.startswith("!!")]
    assert re.match("!!  FiftyOne +check failed: Unable to parse JSON", line)


@pytest.mark.slow
def test_help_of_settings_does_not_need_docstrings(tmp_path):
    done = run(tmp_path, "train", "--help", options=["-OO"])
    assert done.returncode == 0, done.stderr
    assert TrainConfig.describe()["epochs"] in done.stdout


def test_every_setting_is_described():
    assert all(TrainConfig.describe().values())


def test_asserts_are_not_used():
    for folder in ("yolov1_fo", "plugin"):
        for path in (ROOT / folder).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            assert not any(isinstance(node, ast.Assert) for node in nodes), path


def test_clean_removes_only_our_leftovers(
    monkeypatch, tmp_path, zoo_dir, checkpoint_dir
):
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "data"))
    local_zoo.publish(checkpoint_dir, "squares")
    root = folders.top_folder() / ("0" * 24)
    left = [
        root / "mine" / ".epoch_0002.0a.unfinished",
        root / ".deleted.0a.unfinished",  # a run whose deletion was interrupted
        local_zoo.root() / ".other.0b.unfinished",
    ]
    kept = [
        root / "mine" / "epoch_0001",
        root / "trained" / ".epoch_0002.0c.unfinished",
        folders.top_folder() / "strange" / "mine" / ".epoch_0002.0d.unfinished",
        root / ".no run.0d.unfinished",  # runs and models can't have these names
        root / "no-run" / ".epoch_0002.0d.unfinished",
        local_zoo.root() / ".-other.0b.unfinished",
        local_zoo.root() / "squares",
        zoo_dir / ".of-others.0e.unfinished",
    ]
    for path in (*left, *kept):
        path.mkdir(parents=True, exist_ok=True)
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / ".precious.0f.unfinished").mkdir(parents=True)
    (root / "link").symlink_to(elsewhere)
    with files.locked(folders.lock_file(root / "trained")):
        lines = [*leftovers.clean()]
    assert [path for path in left if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []
    assert (elsewhere / ".precious.0f.unfinished").exists()
    assert "deleted 2 unfinished files of runs in" in lines[2]
    assert "deleted 1 unfinished models in" in lines[3]
    assert len([*leftovers.clean()]) == 3  # the locked one is free now


def test_clean_reports_what_it_cannot_remove(monkeypatch):
    def fail():
        raise OSError("'/x' can't be removed: Permission denied")

    monkeypatch.setattr(leftovers, "_published_models", fail)
    assert "'/x' can't be removed: Permission denied" in [*leftovers.clean()]
