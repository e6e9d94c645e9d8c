"""The README's Python runs, with smaller settings; its layout is complete."""

import ast
import re
from pathlib import Path

import fiftyone as fo
import pytest

import yolov1_fo

README = Path(__file__).parent.parent / "README.md"
SMALL = {"image_size": 64, "S": 2, "epochs": 1, "head_filters": 8, "pretrained": False}


@pytest.mark.slow
def test_ten_lines_run(monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(ast.parse(code).body) <= 10
    train = yolov1_fo.train
    monkeypatch.setattr(
        yolov1_fo,
        "train",
        lambda *args, **settings: train(*args, **{**settings, **SMALL}, progress=False),
    )
    monkeypatch.setattr(fo, "launch_app", lambda dataset: None)
    monkeypatch.setattr(yolov1_fo, "load_quickstart", _few_scenes)
    space = {}
    exec(code, space)  # the README is ours
    assert space["dataset"].list_evaluations() == ["first_eval"]
    assert "voc07" in capsys.readouterr().out
    space["dataset"].delete()


def _few_scenes():
    """Returns the first scenes of each split; the full quickstart has its own test."""
    from yolov1_fo.datasets import quickstart

    counts = {"train": 16, "val": 8}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quickstart, "SCENES", counts)
        return quickstart.load_quickstart("readme", persistent=False)


def test_the_layout_lists_each_module_and_package_once():
    layout = README.read_text().split("## Repository layout")[1]
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
