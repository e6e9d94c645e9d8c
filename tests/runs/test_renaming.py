"""Renaming runs: what names a run follows, and files keep their place."""

import json
from pathlib import Path

import fiftyone as fo
import pytest

from tests.runs.made_runs import make_old_run, make_run
from yolov1_fo import files
from yolov1_fo.datasets import predicted_by
from yolov1_fo.jobs import monitor, run_edits, runs_table
from yolov1_fo.jobs.job import (
    JOB_FILE,
    LOCK_FILE,
    JobProgress,
    write_json,
    write_progress,
)
from yolov1_fo.runs import checkpoint, deletion, folders, history, records, registry
from yolov1_fo.runs.renaming import rename_run


def test_what_names_a_run_follows(painted):
    folder = make_run(painted, "first", classes=["blue", "red"])
    make_run(painted, "other")
    parent = {
        "run_key": "first",
        "weights": "first",
        "checkpoint": str(folder / "epoch_0001"),
    }
    make_run(painted, "child", parent=parent)
    same_name = {**parent, "checkpoint": "/elsewhere/first/epoch_0001"}
    make_run(painted, "stranger", parent=same_name)
    painted.set_values("found", [fo.Detections()] * len(painted))
    model = {"model": "first", "run_folder": str(folder), "thresh": 0.5}
    predicted_by.record(painted, "found", model, replaces=True)

    rename_run(painted, "first", "best_one")
    assert {*registry.keys(painted)} == {"other", "child", "stranger", "best_one"}
    assert records.folder_of(painted, "best_one") == folder
    assert registry.is_own(painted, "best_one")
    child = records.info(painted, "child").parent
    assert child == {**parent, "run_key": "best_one", "weights": "best_one"}
    assert records.info(painted, "stranger").parent == same_name
    assert predicted_by.read(painted, "found") == [{**model, "model": "best_one"}]
    assert predicted_by.fields_of(painted, folder) == ["found"]
    metadata = checkpoint.read_metadata(checkpoint.resolve(folder))
    assert metadata["run_key"] == "best_one"
    assert metadata["classes"] == ["blue", "red"]

    # Its old name is free for no other run: its folder is there.
    with pytest.raises(ValueError, match="of a run that was deleted or renamed"):
        registry.check_key(painted, "first", folders.run_folder(painted, "first"))
    rename_run(painted, "best_one", "first")
    deletion.delete_run(painted, "first")
    assert not folder.exists()


def test_fields_of_frames_follow():
    dataset = fo.Dataset()
    video = fo.Sample(filepath="film.mp4")
    video.frames[1] = fo.Frame(found=fo.Detections())
    dataset.add_sample(video)
    model = {"model": "first", "run_folder": "/runs/first"}
    predicted_by.record(dataset, "frames.found", model, replaces=True)
    predicted_by.rename(dataset, Path("/runs/first"), "best")
    renamed = {**model, "model": "best"}
    assert predicted_by.read(dataset, "frames.found") == [renamed]
    assert predicted_by.fields_of(dataset, Path("/runs/first")) == ["frames.found"]


def test_a_run_of_an_older_version(painted):
    folder = make_old_run(painted, "old")
    rename_run(painted, "old", "new")
    assert registry.is_own(painted, "new")
    assert records.original_key(painted, "new") == "old"
    assert folder.is_dir()


def test_a_copied_run_leaves_the_original_as_it_is(painted):
    folder = make_run(painted, "one")
    copy = painted.clone()
    try:
        rename_run(copy, "one", "copied")
        assert copy.list_runs() == ["copied"]
        assert painted.list_runs() == ["one"]
        content = json.loads((folder / "epoch_0001" / "run.json").read_text())
        assert content["run_key"] == "one"
    finally:
        copy.delete()


@pytest.mark.parametrize(
    ("run_key", "new_key", "line"),
    [
        ("none", "new", "run 'none' is not on dataset"),
        ("one", "two", "new_key 'two' is a run of dataset"),
        ("one", "one", "new_key 'one' is a run of dataset"),
        ("one", "../x", "new_key must be letters, digits and underscores"),
        ("one", "", "new_key must be letters, digits and underscores"),
    ],
)
def test_a_name_that_does_not_work_changes_nothing(painted, run_key, new_key, line):
    make_run(painted, "one")
    make_run(painted, "two")
    with pytest.raises(ValueError, match=line):
        rename_run(painted, run_key, new_key)
    assert registry.keys(painted) == ["one", "two"]


def test_a_run_that_trains_or_waits_is_not_renamed(painted):
    folder = make_run(painted, "one", status="stopped")
    with (
        folders.locked(folder, "one"),
        pytest.raises(ValueError, match="is being trained by a process"),
    ):
        rename_run(painted, "one", "new")
    (folder / folders.JOB).mkdir()
    content = {"task": "train", "dataset": painted.name, "target": "one"}
    write_json(folder / folders.JOB / JOB_FILE, content)
    write_progress(folder / folders.JOB, JobProgress("waiting"))
    with (
        files.locked(folder / folders.JOB / LOCK_FILE),
        pytest.raises(ValueError, match="run 'one' is being trained; stop it first"),
    ):
        run_edits.rename(painted, "one", "new")
    assert registry.keys(painted) == ["one"]


def test_the_job_and_the_report_of_a_renamed_run_are_its_own(painted):
    folder = make_run(painted, "one", classes=["blue"])
    records.update(painted, "one", classes=["blue"])
    history.write(folder, {"loss": [1.0]})
    (folder / folders.REPORT).write_text("of 'one'")
    (folder / folders.JOB).mkdir()
    content = {"task": "train", "dataset": painted.name, "target": "one"}
    write_json(folder / folders.JOB / JOB_FILE, content)
    write_progress(folder / folders.JOB, JobProgress("finished"))
    run_edits.rename(painted, "one", "new")
    assert [row.run_key for row in runs_table.rows(painted)] == ["new"]
    assert "<h1>new <span>" in (folder / folders.REPORT).read_text()
    assert monitor.list_jobs(painted)


def test_a_note_is_kept_and_removed(painted):
    make_run(painted, "one")
    assert records.note(painted, "one") == ""
    run_edits.set_note(painted, "one", "  with corrected labels\n")
    painted.reload()
    assert runs_table.rows(painted)[0].note == "with corrected labels"
    with pytest.raises(ValueError, match="note must have at most 5000 characters"):
        run_edits.set_note(painted, "one", "x" * 5001)
    with pytest.raises(TypeError, match="note must be a string, got 7"):
        run_edits.set_note(painted, "one", 7)
    with pytest.raises(ValueError, match="run 'none' is not on dataset"):
        run_edits.set_note(painted, "none", "x")
    run_edits.set_note(painted, "one", "")
    assert records.note(painted, "one") == ""
