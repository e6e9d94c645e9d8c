"""The operators of single runs: rename, note, export."""

from pathlib import Path

import pytest

from tests.plugin.conftest import call, error
from tests.runs.made_runs import make_run
from yolov1_fo.jobs import export_job
from yolov1_fo.runs import records


def test_a_run_is_renamed(dataset, form):
    assert error(form("rename_run", dataset)) == "No run can be renamed"
    make_run(dataset, "one")
    make_run(dataset, "two")
    given = {"run_key": "one", "new_key": "two"}
    line = error(form("rename_run", dataset, **given))
    assert line.startswith("New name 'two' is a run of dataset")
    with pytest.raises(Exception, match="New name 'two' is a run of dataset"):
        call("rename_run", dataset, **given)
    assert error(form("rename_run", dataset, run_key="one", new_key="best")) is None
    result = call("rename_run", dataset, run_key="one", new_key="best").result
    assert result == {"run_key": "best"}
    dataset.reload()
    assert sorted(dataset.list_runs()) == ["best", "two"]


def test_a_note_is_edited(dataset, form):
    assert error(form("edit_note", dataset)) == "No training runs yet"
    make_run(dataset, "one")
    call("edit_note", dataset, run_key="one", note="labels corrected")
    assert form("edit_note", dataset, run_key="one")["note"]["default"] == (
        "labels corrected"
    )
    call("edit_note", dataset, run_key="one", note="")
    assert records.note(dataset, "one") == ""


def test_the_form_of_an_export_proposes_a_path(dataset, form, tmp_path, monkeypatch):
    assert error(form("export_model", dataset)).startswith("No trained model yet")
    make_run(dataset, "one", classes=["blue"])
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    asked = form("export_model", dataset, model="one", format="litert")
    assert error(asked) is None
    assert asked["path"]["view"]["description"].endswith(
        f"Empty: {tmp_path / 'one.tflite'}"
    )
    (tmp_path / "one.tflite").touch()
    line = error(form("export_model", dataset, model="one", format="litert"))
    assert line.endswith("exists; choose another path, or delete it")


def test_an_export_starts_with_the_inputs_of_the_form(dataset, tmp_path, monkeypatch):
    make_run(dataset, "one", classes=["blue"])
    started = []

    def start(dataset, task, target, arguments):
        started.append((task, target, arguments))
        raise OSError("not in this test")

    monkeypatch.setattr(export_job.spawn, "start", start)
    path = str(tmp_path / "new")
    given = {"model": "one", "format": "saved_model"}
    with pytest.raises(Exception, match="not in this test"):
        call("export_model", dataset, path=path, **given)
    assert started == [("export", "export_one_saved_model", {**given, "path": path})]
