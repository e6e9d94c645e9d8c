"""Real trainings leave a report whose numbers are theirs."""

import csv
import math
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.training.run_report.made_reports import parsed
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.evaluation import average_precision, stored_detections
from yolov1_fo.runs import checkpoint, records
from yolov1_fo.training.run_report import page

LONG = {"epochs": 40, "learning_rate": 0.01, "optimizer": "adam", "schedule": "cosine"}


def train(dataset, **settings):
    train, val = dataset.match_tags("train"), dataset.match_tags("val")
    return yolov1_fo.train(train, val_samples=val, **settings)


def page_of(run):
    return parsed(Path(run.report_path).read_text(encoding="utf-8"))


@pytest.mark.slow
def test_its_numbers_are_those_of_the_training(painted, micro):
    # It learns the squares by heart, so that there is something to report.
    run = yolov1_fo.train(
        painted, val_samples=painted, run_key="mine", **{**micro, **LONG}
    )
    folder = Path(run.checkpoint_dir)
    assert run.report_path == str(folder.parent / "report.html")
    assert f"report           {run.report_path}" in str(run)
    found, best = page_of(run), run.best
    assert found.notes == []
    assert best["val_voc07"] > 0.1
    assert found.facts["VOC07 mAP@0.5"] == f"{best['val_voc07']:.3f}"
    assert found.facts["F1"] == f"{best['val_f1']:.2f}"
    point = run.operating_point
    shown = f"{point.tp} of {point.tp + point.fp} detections are right"
    assert shown in found.text

    # The stored detections give the same mAP again.
    split = stored_detections.read(folder, 2)
    curves = average_precision.curves(split.found, split.truth, 2)
    voc07 = average_precision.mean([average_precision.voc07(one) for one in curves])
    assert math.isclose(voc07, best["val_voc07"])
    files = dict(zip(*painted.values(["id", "filepath"]), strict=True))
    assert dict(zip(split.ids, split.filepaths, strict=True)) == files
    per_class = [row[1] for row in found.rows("classes")]
    assert per_class == [f"{average_precision.voc07(one):.3f}" for one in curves]
    changed = [row[0] for row in found.rows("changed")]
    assert {"epochs", "image_size", "optimizer", "schedule"} <= {*changed}
    assert not {"learning_rate", "momentum"} & {*changed}  # the paper's


@pytest.mark.slow
def test_the_learning_rate_of_each_epoch_is_kept(painted, micro):
    settings = {"learning_rate": 0.01, "schedule": "cosine", "warmup_epochs": 0}
    run = train(painted, run_key="mine", **{**micro, **settings, "epochs": 4})
    rates = run.history["learning_rate"]
    steps = np.array([3, 6, 9, 12]) - 1  # the last steps of epochs of 3, from 0
    expected = 0.01 * 0.5 * (1 + np.cos(np.pi * steps / 12))
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
    log = Path(run.checkpoint_dir).parent / "log.csv"
    with log.open() as file:
        logged = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    assert logged == rates
    assert "Learning rate" in page_of(run).charts


@pytest.mark.slow
def test_a_validation_is_stored_with_the_best_checkpoint_only(painted, micro):
    run = train(painted, run_key="mine", **{**micro, "epochs": 3})
    root = Path(run.checkpoint_dir).parent
    best, last = (checkpoint.read_pointer(root, name) for name in ("best", "last"))
    assert (best / stored_detections.FILE).is_file()
    assert best == last or not (last / stored_detections.FILE).exists()


@pytest.mark.slow
def test_a_training_without_validation(painted, micro):
    settings = {**micro, "epochs": 1, "val_fraction": 0}
    run = yolov1_fo.train(painted, run_key="mine", **settings)
    found = page_of(run)
    assert found.notes == []
    assert "There is no validation split." in found.text
    assert found.facts["Best epoch"] == "1 of 1"
    assert [row[0] for row in found.rows("classes")] == ["blue", "red"]
    assert len(found.images) == 2  # of a batch of 2


@pytest.mark.slow
def test_a_classifier(painted, micro, monkeypatch):
    small = NETWORKS["micro"]._replace(pretrained_convs=2)
    monkeypatch.setitem(NETWORKS, "micro", small)
    labels = [fo.Classification(label=one) for one in ("blue", "red") * 4]
    painted.set_values("color", labels)
    settings = {key: value for key, value in micro.items() if key != "S"}
    run = yolov1_fo.pretrain(
        *(painted.match_tags("train"), "color", painted.match_tags("val")),
        **{**settings, "epochs": 2, "run_key": "mine"},
    )
    found = page_of(run)
    assert found.notes == []
    assert found.facts["Top-1 accuracy"] == f"{run.best['val_top1']:.3f}"
    assert found.charts == ["Validation scores", "Loss", "Learning rate"]
    assert [row[-2:] for row in found.rows("classes")] == [["1", "3"], ["1", "3"]]
    assert found.images == []
    root = Path(run.checkpoint_dir).parent
    assert not [*root.glob("*.jpg"), *root.glob(f"*/{stored_detections.FILE}")]


@pytest.mark.slow
def test_a_training_from_another_run_names_it(painted, micro):
    train(painted, run_key="first", **{**micro, "epochs": 1})
    settings = {key: value for key, value in micro.items() if key != "recipe"}
    run = train(painted, run_key="second", weights="first", **{**settings, "epochs": 1})
    origin = {
        row.select_one("dt").text: row.select_one("dd").text
        for row in page_of(run).soup.select(".facts div")
    }
    assert origin["Started from"].startswith("run 'first' of dataset")


@pytest.mark.slow
def test_a_failing_report_does_not_fail_the_training(
    painted, micro, monkeypatch, caplog
):
    def fail(_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(page, "render", fail)
    run = train(painted, run_key="mine", **{**micro, "epochs": 1})
    assert run.report_path == ""
    assert "report" not in str(run)
    assert records.info(painted, "mine").status == "finished"
    lines = [one.message for one in caplog.records if "report" in one.message]
    assert lines == ["run 'mine' has no report.html: a bug"]


@pytest.mark.slow
def test_an_interrupt_while_it_is_written_leaves_a_finished_run(
    painted, micro, monkeypatch
):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(page, "render", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(painted, run_key="mine", **{**micro, "epochs": 1})
    assert records.info(painted, "mine").status == "finished"
    monkeypatch.undo()
    monkeypatch.setitem(NETWORKS, "micro", NETWORKS["yolov1"])
    assert page.write_report("mine", painted).is_file()
