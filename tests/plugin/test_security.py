"""What docs/security.md says."""

import os
from pathlib import Path

import fiftyone as fo
import psutil
import pytest

from tests.plugin.conftest import SETTINGS, call, ended, error
from yolov1_fo import jobs, publishing, runs

HOSTILE = (
    "../escape",
    "../../escape",
    "/tmp/escape",
    "a/../../b",
    "a\\b",
    "a\x00b",
    "a\nb",
    "a b",
    "$(touch x)",
    "a;b",
    ".hidden",
    "-rf",
    "ключ",
    "",
)
GIVEN = {"gt_field": "ground_truth", "split": "none"}


def tree():
    """Returns all files of FiftyOne's folders, but the database's own."""
    top = Path(fo.config.default_dataset_dir).parent
    return {
        path.relative_to(top)
        for path in top.rglob("*")
        if path.is_file() and path.relative_to(top).parts[0] not in ("db", "plugins")
    }


@pytest.mark.parametrize("name", HOSTILE)
def test_names_lead_nowhere(dataset, form, name):
    before = tree()
    if name:  # else one is made up
        line = error(form("train_model", dataset, **GIVEN, **SETTINGS, run_key=name))
        assert line.startswith("run_key must be letters, digits and underscores")
        with pytest.raises(Exception, match="run_key must be"):
            call("train_model", dataset, **GIVEN, **SETTINGS, run_key=name)
    with pytest.raises(ValueError, match="name must be letters, digits, dots"):
        publishing.check_name(name)
    with pytest.raises(ValueError, match="must be letters, digits"):
        jobs.folder(dataset, "apply", name)
    with pytest.raises(ValueError, match="must be letters, digits"):
        runs.folder(dataset, name)
    for operator, params in (
        ("resume_training", {"run_key": name}),
        ("delete_run", {"run_key": name}),
        ("stop_training", {"target": name}),
        ("publish_model", {"run_key": name, "name": "x"}),
        ("apply_model", {"model": name, "label_field": "found"}),
    ):
        with pytest.raises(Exception, match=r".+"):
            call(operator, dataset, **params)
    assert tree() == before
    assert jobs.all_of(dataset) == []


@pytest.mark.slow
def test_it_writes_where_it_says_and_runs_nothing_of_a_dataset(
    dataset, form, tmp_path, monkeypatch
):
    # 1. A dataset whose words are commands, code, HTML and Markdown.
    monkeypatch.chdir(tmp_path)
    witness = tmp_path / "executed"
    code = f"__import__('pathlib').Path({str(witness)!r}).touch()"
    words = [f"$(touch {witness})", code, "<img src=x onerror=alert(1)>"]
    for number, sample in enumerate(dataset):
        for detection in sample.ground_truth.detections:
            detection.label = words[number % 3]
        sample.tags = [f"; touch {witness}"]
        sample.save()
    dataset.name = f"`touch {witness}` ![x](http://127.0.0.1/x)"
    before = tree()

    # 2. All that writes.
    call("train_model", dataset, **GIVEN, **SETTINGS, run_key="one", epochs=200)
    [job] = jobs.all_of(dataset)
    process = psutil.Process(job.pid)
    assert process.cmdline()[1:] == ["-P", "-m", "yolov1_fo", "--job", str(job.folder)]
    assert Path(process.cmdline()[0]).name.startswith("python")
    assert process.cwd() == str(job.folder)
    assert os.getpgid(job.pid) == job.pid != os.getpgid(0)
    for now in jobs.follow(job, 0.05):
        if now.progress.label.startswith("epoch 2"):
            break
    call("stop_training", dataset, target="one")
    assert ended(dataset, "one").progress.state == "stopped"
    call("apply_model", dataset, model="one", label_field="found", batch_size=4)
    assert ended(dataset, "found").progress.state == "finished"
    call(
        "evaluate_model",
        dataset,
        pred_field="found",
        gt_field="ground_truth",
        eval_key="one_eval",
    )
    report = call("inspect_dataset", dataset, gt_field="ground_truth", S=2, side=32)
    assert report.result["report"].startswith("```\n")
    call("publish_model", dataset, run_key="one", name="secured")

    # 3. Nothing was run, and nothing stands elsewhere.
    assert list(tmp_path.iterdir()) == []
    mine = ("datasets", "__yolov1__", str(dataset._doc.id))
    models = ("models", "yolov1-published")
    published, lock = (*models, "secured"), Path(*models, ".lock")
    decoded = (*mine[:2], runs.PIXELS)
    for path in tree() - before - {lock}:
        assert path.parts[:3] in (mine, published, decoded), path
    publishing.unpublish("secured")
    call("delete_run", dataset, run_key="one")
    new = (path.parts for path in tree() - before - {lock})
    left = {parts[3] for parts in new if parts[:3] != decoded}
    places = {place for place, _ in jobs.OTHERS.values()}
    assert left <= {*places, runs.lock(runs.folder(dataset, "one")).name}


def test_names_of_other_people_are_shown_as_they_are(dataset, form):
    hostile = "![x](http://127.0.0.1/x) <b>b</b> `c`"
    for sample in dataset:
        sample["label"] = fo.Classification(label=hostile)
        sample.save()
    dataset.name = hostile
    dataset.delete_sample_field("ground_truth")
    asked = form("train_model", dataset)
    shown = asked["error"]["view"]["label"]
    assert hostile not in shown
    assert shown.replace("\\", "") == error(asked)
