"""The page: what it holds, in usual and in unusual runs, and how it is written."""

import logging
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import yolov1_fo
from tests.training.run_report.made_reports import (
    CLASSES,
    make_reportable,
    parsed,
    split_of,
)
from yolov1_fo import files
from yolov1_fo.cli import main
from yolov1_fo.evaluation import stored_detections
from yolov1_fo.runs import checkpoint, folders, ownership, records
from yolov1_fo.training.run_report import page

MAX_BYTES = 8_000_000
SECTIONS = [
    *("curves", "classes", "confusion", "images", "data", "settings", "origin"),
    "next",
]


def test_a_usual_run(painted, split, reported):
    make_reportable(painted, split=split)
    found = reported(painted)
    assert found.sections == SECTIONS
    assert found.notes == []
    # The four objects are found; of the two others one scores more than 0.05.
    assert found.facts["VOC07 mAP@0.5"] == "0.750"
    assert found.facts["Best epoch"] == "3 of 3"
    assert found.facts["Training time"] == "2 min 5 s"
    assert found.charts == [
        *("Validation scores", "Loss", "Loss components", "Learning rate"),
        *("Precision and recall", "F1 by confidence", "Object sizes"),
    ]
    assert [row[0] for row in found.rows("classes")] == CLASSES
    assert [row[-2:] for row in found.rows("classes")] == [["1", "4"], ["2", "5"]]
    assert len(found.images) == 2 + 4  # validation images, training batch
    assert found.rows("plain")[:2] == [
        ["Training", "6", "9", "1"],
        ["Validation", "2", "3", "0"],
    ]
    commands = [one.text for one in found.soup.select(".steps code")]
    assert f"yolov1-fo report one --dataset {painted.name}" in commands


def test_it_needs_nothing_from_elsewhere(painted, split):
    make_reportable(painted, split=split)
    html = page.write_report("one", painted).read_text(encoding="utf-8")
    soup = parsed(html).soup
    assert not soup.select("script, link, iframe, object, embed, base, form, audio")
    addresses = [
        value
        for tag in soup.find_all()
        for name, value in tag.attrs.items()
        if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster")
    ]
    assert len(addresses) > 6
    assert all(one.startswith(("data:image/jpeg;base64,", "#")) for one in addresses)
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    assert not any(
        name.startswith("on") for tag in soup.find_all() for name in tag.attrs
    )
    policy = soup.select_one('meta[http-equiv="Content-Security-Policy"]')["content"]
    assert policy.startswith("default-src 'none'")
    assert len(html.encode()) < MAX_BYTES


def test_ids_are_unique_and_references_lead_somewhere(painted, split, reported):
    make_reportable(painted, split=split)
    soup = reported(painted).soup
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    used = re.findall(r'(?:url\(#|href="#)([^)"]+)', str(soup))
    assert used
    assert set(used) <= set(ids)


NASTY = '<script>alert("1")</script>&amp; $x_1$ \u4e2d\u6587 {{ 7 * 7 }} \udc80'


def test_names_are_shown_as_they_are(painted, painted_files, reported):
    nasty = [NASTY.replace(" \udc80", ""), "b'\"<b>"]
    split = split_of(painted_files)
    split.filepaths[0] = "/nowhere/<img src=x onerror=alert(1)> \udc80.jpg"
    make_reportable(
        painted, split=split, classes=nasty, device="<i>CPU</i>", gt_field="<u>f</u>"
    )
    painted.name = "a <b>dataset</b> & more"
    found = reported(painted)
    assert [row[0] for row in found.rows("classes")] == nasty
    assert not found.soup.select(
        "script, main b:not(.status b), main u, main i:empty i"
    )
    assert "<u>f</u>" in found.text
    assert "<i>CPU</i>" in found.text
    assert "a <b>dataset</b> & more" in found.soup.select_one("h1").text
    [missing] = found.soup.select(".missing")
    assert "the file does not exist" in missing.parent.text
    assert "<img src=x onerror=alert(1)>" in missing.parent.text
    assert len(found.images) == 1 + 4


def test_a_run_without_validation(painted, reported):
    make_reportable(painted)
    found = reported(painted)
    assert found.facts["Training loss"] == "0.500"
    assert found.facts["Best epoch"] == "3 of 3"
    assert "F1" not in found.facts
    assert found.sections == ["curves", "classes", "data", "settings", "origin", "next"]
    assert found.charts[0] == "Loss"
    assert "Precision and recall" not in found.charts


@pytest.mark.usefixtures("no_drawing")
def test_a_classifier(painted, reported):
    folder = make_reportable(painted, task="classify", splits={})
    (folder / folders.TRAIN_BATCH).unlink()
    metadata = {"val_loss": 1.0, "val_top1": 0.25, "val_top5": 0.875, "loss": 1.0}
    change_metadata(folder, metrics=metadata)
    found = reported(painted)
    assert found.facts["Top-1 accuracy"] == "0.250"
    assert found.facts["Top-5 accuracy"] == "0.875"
    assert found.notes == []
    assert found.images == []
    assert "224 px" in found.text or "classifier" in found.text
    commands = [one.text for one in found.soup.select(".steps code")]
    assert commands == [f"yolov1-fo train {painted.name} --weights one"]


def change_metadata(folder, **changed):
    import json

    path = checkpoint.resolve(folder) / checkpoint.METADATA
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))


@pytest.mark.usefixtures("no_drawing")
def test_no_detection_is_right(painted, split, reported):
    wrong = [one._replace(class_ids=1 - one.class_ids) for one in split.found]
    make_reportable(painted, split=split._replace(found=wrong))
    found = reported(painted)
    assert found.facts["F1"] == "0.00"
    assert found.facts["Precision"] == "-"
    assert "no detection is a true positive" in found.text
    assert len(found.images) == 2 + 4
    assert all(row[-1] != "0" for row in found.rows("confusion")[:-1])  # all are missed


def test_a_validation_split_without_detections_and_objects(painted, split, reported):
    nothing = split._replace(
        found=[stored_detections.NO_DETECTIONS] * 2,
        truth=[stored_detections.NO_OBJECTS] * 2,
    )
    make_reportable(painted, split=nothing)
    found = reported(painted)
    assert found.facts["F1"] == "-"
    assert "images" not in found.sections
    assert "Precision and recall" not in found.charts


def test_one_epoch_with_undefined_metrics(painted, split, reported):
    folder = make_reportable(painted, split=split)
    (folder / "log.csv").write_text(
        "epoch,loss,val_voc07,val_f1,learning_rate,seconds\n1,0.0,nan,,0.0,3.0\n"
    )
    change_metadata(folder, metrics={"loss": 0.0, "val_voc07": None}, epoch=1)
    found = reported(painted)
    assert "VOC07 mAP@0.5" not in found.facts
    assert found.facts["Best epoch"] == "1 of 1"
    assert found.charts[:2] == ["Loss", "Learning rate"]


LOST = [
    (folders.TRAIN_BATCH, "train_batch.jpg is missing", {"images": 2}),
    ("epoch_0003/val_detections.npz", "is missing, and with it", {"images": 4}),
    ("log.csv", "log.csv is missing", {"images": 6}),
    ("best", None, {"images": 6}),
    ("epoch_0003/run.json", "run.json' does not exist", {"images": 4}),
]


@pytest.mark.usefixtures("no_drawing")
@pytest.mark.parametrize(("name", "note", "counts"), LOST)
def test_a_lost_file_is_noted(painted, split, reported, name, note, counts):
    folder = make_reportable(painted, split=split)
    (folder / name).unlink()
    found = reported(painted)
    assert [note in one for one in found.notes] == [True] * (note is not None)
    assert len(found.images) == counts["images"]
    assert found.facts["VOC07 mAP@0.5"] == "0.750"
    assert "Loss" in found.charts
    assert str(folder) not in found.text


@pytest.mark.usefixtures("no_drawing")
@pytest.mark.parametrize("name", [folders.TRAIN_BATCH, "epoch_0003/val_detections.npz"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not", b"\xff\xd8\xff\xe0 cut"])
def test_a_damaged_file_is_noted(painted, split, reported, name, content):
    folder = make_reportable(painted, split=split)
    (folder / name).write_bytes(content)
    found = reported(painted)
    [note] = found.notes
    assert "can't be read" in note
    assert str(folder) not in note
    assert "\n" not in note


@pytest.mark.usefixtures("no_drawing")
def test_without_detections_the_stored_curve_is_drawn(painted, split, reported):
    folder = make_reportable(painted, split=split)
    (folder / "epoch_0003" / "val_detections.npz").unlink()
    found = reported(painted)
    assert {"Precision and recall", "F1 by confidence"} <= {*found.charts}
    assert "confusion" not in found.sections


@pytest.mark.usefixtures("no_drawing")
def test_a_run_without_its_database(painted, split, reported):
    folder = make_reportable(painted, split=split)
    key = painted.name
    painted.delete_run("one")
    found = parsed(page.write_report(folder).read_text(encoding="utf-8"))
    assert found.notes == ["the run is not in the database"]
    assert found.sections == SECTIONS
    assert key in found.soup.select_one("h1").text


@pytest.mark.usefixtures("no_drawing")
def test_a_folder_names_its_run(painted, split):
    folder = make_reportable(painted, split=split)
    painted.rename_run("one", "another")
    path = page.write_report(folder)
    assert path == folder / "report.html"
    title = parsed(path.read_text(encoding="utf-8")).soup.title.text
    assert title == f"another · {painted.name}"


def test_neither_checkpoint_nor_record(painted, split):
    folder = make_reportable(painted, split=split)
    painted.delete_run("one")
    for name in ("best", "last"):
        (folder / name).unlink()
    with pytest.raises(
        FileNotFoundError, match="has no report: there is no checkpoint"
    ):
        page.write_report(folder)
    assert not (folder / "report.html").exists()


@pytest.mark.usefixtures("no_drawing")
def test_mistakes_are_one_line(painted, split):
    folder = make_reportable(painted, split=split)
    with pytest.raises(FileNotFoundError, match="by its key, pass dataset="):
        yolov1_fo.write_report("one")
    with pytest.raises(ValueError, match="run 'two' is not on dataset"):
        yolov1_fo.write_report("two", painted)
    with pytest.raises(TypeError):
        yolov1_fo.write_report("one", "painted")
    change_metadata(folder, versions={})
    records.update(painted, "one", versions=[1, 2])
    assert "must be an object of versions" in notes_of(painted)
    shutil.rmtree(folder)
    with pytest.raises((FileNotFoundError, ValueError), match="does not"):
        yolov1_fo.write_report("one", painted)


def notes_of(dataset):
    html = page.write_report("one", dataset).read_text(encoding="utf-8")
    return " ".join(parsed(html).notes)


def test_the_run_of_a_clone_does_not_replace_the_original_report(painted, split):
    folder = make_reportable(painted, split=split)
    copy = painted.clone()
    try:
        with pytest.raises(ValueError, match="report of run 'one' can't be"):
            page.write_report("one", copy)
        assert not (folder / "report.html").exists()
    finally:
        copy.delete()


@pytest.mark.usefixtures("no_drawing")
def test_it_is_written_again(painted, split, reported, capsys):
    folder = make_reportable(painted, split=split)
    assert "third" not in reported(painted).text
    records.update(painted, "one", stopped_early="by the third callback")
    assert main.main(["report", "one", "--dataset", painted.name]) == 0
    assert capsys.readouterr().out == f"wrote '{folder / 'report.html'}'\n"
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "by the third callback" in parsed(html).text
    assert main.main(["report", str(folder)]) == 0
    assert ownership.ownership_error(painted, "one", folder) is None


@pytest.mark.usefixtures("no_drawing")
def test_a_full_disk_keeps_the_last_report(painted, split, monkeypatch, caplog):
    folder = make_reportable(painted, split=split)
    page.write_report("one", painted)
    before = (folder / "report.html").read_bytes()

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fail)
    with caplog.at_level(logging.WARNING):
        assert page.write_after_training(painted, "one") == ""
    [line] = [one.message for one in caplog.records if "report" in one.message]
    assert line.startswith("run 'one' has no report.html: ")
    assert "No space left" in line
    assert "\n" not in line
    assert (folder / "report.html").read_bytes() == before
    assert files.find_unfinished(folder) == []


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("a\nb"), MemoryError()])
def test_no_error_leaves_a_training(painted, split, monkeypatch, caplog, error):
    make_reportable(painted, split=split)

    def fail(*_):
        raise error

    monkeypatch.setattr(page, "render", fail)
    with caplog.at_level(logging.WARNING):
        assert page.write_after_training(painted, "one") == ""
    assert len([one for one in caplog.records if "report" in one.message]) == 1
    assert "\n" not in caplog.records[-1].message


CHILD = """
import os, pathlib, signal, sys
import fiftyone as fo
from yolov1_fo.training.run_report import page

whole = pathlib.Path.write_text
def half(self, text, **named):
    whole(self, text[:1000], **named)
    os.kill(os.getpid(), signal.SIGKILL)
pathlib.Path.write_text = half
page.write_report("one", fo.load_dataset(sys.argv[1]))
"""


@pytest.mark.slow
def test_killed_half_way_the_last_report_stays(painted, split):
    painted.persistent = True
    folder = make_reportable(painted, split=split)
    page.write_report("one", painted)
    before = (folder / "report.html").read_bytes()
    words = [sys.executable, "-c", CHILD, painted.name]
    root = Path(__file__).parents[3]
    code = subprocess.run(words, cwd=root, env=os.environ, check=False).returncode
    assert code == -signal.SIGKILL
    assert (folder / "report.html").read_bytes() == before
    [half] = files.find_unfinished(folder)
    assert 0 < half.stat().st_size < len(before)
    folders.remove_leftovers(folder)
    assert files.find_unfinished(folder) == []


@pytest.mark.slow
def test_a_thousand_classes_stay_below_the_limit(painted, split, reported):
    classes = [f"class with a rather long name {n}" for n in range(1200)]
    folder = make_reportable(painted, split=split, classes=classes)
    found = reported(painted)
    assert (folder / "report.html").stat().st_size < MAX_BYTES
    assert len(found.rows("classes")) == 1000
    assert len(found.rows("confusion")) == 21
