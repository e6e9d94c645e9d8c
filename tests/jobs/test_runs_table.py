"""The rows of a dataset's trainings."""

from dataclasses import asdict

import pytest

from tests.runs.made_runs import make_run
from yolov1_fo.config import TrainConfig
from yolov1_fo.jobs import runs_table
from yolov1_fo.jobs.job import Job, JobProgress
from yolov1_fo.runs import history, records


def test_an_unreadable_record_is_one_row(painted):
    folder = make_run(painted)
    (folder / "log.csv").write_text("epoch,loss\n1,many\n")
    [row] = runs_table.rows(painted)
    assert (row.status, row.history) == ("finished", {})
    for changed in ({"settings": 7}, {"settings": {}}, {"epoch": "x"}, {"folder": 7}):
        records.update(painted, "one", **changed)
        [row] = runs_table.rows(painted)
        assert row.message.startswith("its record can't be read: ")


def test_a_row_has_threshold_and_parent(painted):
    make_run(painted)
    [row] = runs_table.rows(painted)
    assert (row.thresh, row.thresh_text, row.parent) == (None, "", "")
    from_run = {"weights": "/runs/first", "run_key": "first"}
    for point, parent, expected in (
        ({"thresh": 0.31249, "f1": 0.5}, from_run, ("0.312", "first")),
        (
            {"thresh": None},
            {"weights": "zoo-model", "run_key": None},
            ("", "zoo-model"),
        ),
    ):
        records.update(painted, "one", operating_point=point, parent=parent)
        [row] = runs_table.rows(painted)
        assert (row.thresh_text, row.parent) == expected


def test_the_progress_tells_the_best_epoch_so_far(painted):
    make_run(painted)
    row = runs_table.rows(painted)[0]._replace(message="epoch 9 of 20")
    assert row.progress_text == "epoch 9 of 20"
    best = row._replace(best=0.71234, best_epoch=7)
    assert best.progress_text == "epoch 9 of 20; best 0.712 at epoch 7"


def test_a_training_with_a_time_limit_that_is_not_a_job(painted, monkeypatch):
    """Its number of epochs changes, so its time counts."""
    folder = make_run(painted)
    monkeypatch.setattr(runs_table.registry, "newest_first", lambda _: ["one"])
    limited = asdict(TrainConfig(epochs=2, max_minutes=1))
    records.update(painted, "one", status="running", epoch=1, settings=limited)
    assert runs_table.rows(painted)[0].done == 0
    for seconds, done in (([15.0], 0.25), ([15.0, 30.0], 0.5), ([70.0], 1.0)):
        history.write(folder, {"seconds": seconds})
        assert runs_table.rows(painted)[0].done == done
    records.update(painted, "one", status="stopped", epoch=1)
    assert runs_table.rows(painted)[0].done == 0.5  # of 2 epochs
    records.update(painted, "one", status="running", settings=asdict(TrainConfig()))
    assert runs_table.rows(painted)[0].done == pytest.approx(1 / 135)


def test_the_progress_of_a_job_is_that_of_its_run(painted):
    folder = make_run(painted)
    progress = JobProgress("running", 0.7, "epoch 1 of 3, step 2 of 4")
    job = Job(folder / "job", "train", painted.name, "one", progress, 1)
    [row] = runs_table.rows(painted, [job])
    assert (row.done, row.message) == (0.7, "epoch 1 of 3, step 2 of 4")
