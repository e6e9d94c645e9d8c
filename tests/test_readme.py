"""The README's Python runs, with smaller settings; the layout is complete."""

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import fiftyone as fo
import pytest

import yolov1_fo
from tests import painting
from yolov1_fo.config import recipes

README = Path(__file__).parent.parent / "README.md"
SMALL = {"image_size": 64, "S": 4, "epochs": 6, "batch_size": 1, "learning_rate": 5e-3}
"""Enough to find plain squares."""


def python_blocks():
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


@pytest.mark.slow
def test_three_lines_detect_vehicles_in_a_photograph(monkeypatch, capsys):
    code = python_blocks()[0]
    assert len(ast.parse(code).body) == 3
    monkeypatch.chdir(README.parent)
    space = {}
    exec(code, space)  # the README is ours
    assert "'label': 'truck'" in capsys.readouterr().out
    thresh = space["yolov1"].recommended_thresh
    image = yolov1_fo.images.read(README.parent / "docs/highway.jpg")
    found = space["yolov1"].predict(image).detections
    assert sum(one.confidence >= thresh for one in found) >= 3


@pytest.mark.slow
def test_ten_lines_run(painted, painted_files, monkeypatch, capsys):
    code = python_blocks()[1]
    assert len(ast.parse(code).body) <= 10
    train = yolov1_fo.train

    def train_briefly(samples, *, val_samples):  # the README names no setting
        return train(samples, val_samples=val_samples, **SMALL, progress=False)

    painting.add(painted, painted_files, repeats=7)
    monkeypatch.setattr(yolov1_fo, "load_quickstart", lambda: painted)
    monkeypatch.setattr(yolov1_fo, "train", train_briefly)
    monkeypatch.setattr(fo, "launch_app", lambda dataset: SimpleNamespace())
    space = {}
    exec(code, space)  # the README is ours
    config = space["run"].config
    assert (config.network, config.recipe) == (recipes.DEFAULT_NETWORK, "transfer")
    assert painted.list_evaluations() == ["first_eval"]
    assert "VOC07 mAP@0.5" in capsys.readouterr().out
    view = space["session"].view
    shown, stored = (one.count("yolov1.detections") for one in (view, painted))
    assert 0 < shown < stored


def test_it_is_short():
    assert len(README.read_text().splitlines()) <= 75


def test_the_first_command_works_in_a_clone():
    blocks = re.findall(r"```(\w*)\n(.*?)```", README.read_text(), re.DOTALL)
    commands = next(code for language, code in blocks if not language)
    assert commands.splitlines()[0] == "make demo"


def test_the_layout_lists_each_module_and_package_once():
    page = README.parent / "docs" / "architecture.md"
    layout = page.read_text().split("## Packages")[1].split("```")[1]
    library = layout.split("\nplugin/")[0]
    listed = re.findall(r"^  (\w+(?:/|\.py)) +\w", library, re.M)
    entries = README.parent.glob("yolov1_fo/[a-z]*")
    there = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in entries
        if path.suffix == ".py" or path.is_dir()
    }
    assert len(there) > 20
    assert sorted(listed) == sorted(there)


def test_the_tutorial_map_names_existing_tests():
    tests = Path(__file__).parent
    text = (README.parent / "docs" / "tutorial-map.md").read_text()
    code = "\n".join(path.read_text() for path in tests.rglob("test_*.py"))
    names = set(re.findall(r"`(test_\w+)`", text))
    assert len(re.findall(r"^\| \d+ \|", text, re.M)) == 31
    assert not {name for name in names if f"def {name}(" not in code}
