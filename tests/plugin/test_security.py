"""The claims of docs/security.md."""

import os
import sys
import tempfile
import warnings
from pathlib import Path

import fiftyone as fo
import psutil
import pytest

from tests.plugin.conftest import SETTINGS, call, ended, error
from tests.plugin.watching import watching
from yolov1_fo import files
from yolov1_fo.cli import plugin_links
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.jobs import launch, monitor
from yolov1_fo.jobs.job import OTHER_TASKS
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import folders

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
    """Returns all files in FiftyOne's folders, except those of the database."""
    top = Path(fo.config.default_dataset_dir).parent
    return {
        path.relative_to(top)
        for path in top.rglob("*")
        if path.is_file() and path.relative_to(top).parts[0] not in ("db", "plugins")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_names_cannot_lead_to_other_folders(dataset, form, name):
    before = tree()
    if name:  # otherwise one is generated
        line = error(form("train_model", dataset, **GIVEN, **SETTINGS, run_key=name))
        assert line.startswith("Run name must be letters, digits and underscores")
        with pytest.raises(Exception, match="Run name must be"):
            call("train_model", dataset, **GIVEN, **SETTINGS, run_key=name)
    with pytest.raises(ValueError, match="name must be letters, digits, dots"):
        local_zoo.check_name(name)
    with pytest.raises(ValueError, match="must be letters, digits"):
        monitor.job_folder(dataset, "apply", name)
    with pytest.raises(ValueError, match="must be letters, digits"):
        folders.run_folder(dataset, name)
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
    assert monitor.list_jobs(dataset) == []


@pytest.mark.slow
def test_it_writes_only_where_documented_and_runs_no_code_of_a_dataset(
    dataset, tmp_path, tmp_path_factory, monkeypatch
):
    # 1. A dataset whose names are commands, code, HTML and Markdown.
    monkeypatch.chdir(tmp_path)
    top = folders.top_folder()  # where other tests may have kept the same files
    DiskCache(top / folders.IMAGE_CACHE, 0).clear()
    for lock in top.glob(".training_*.lock"):
        lock.unlink()
    witness = tmp_path / "executed"
    code = f"__import__('pathlib').Path({str(witness)!r}).touch()"
    words = [f"$(touch {witness})", code, "<img src=x onerror=alert(1)>"]
    for number, sample in enumerate(dataset):
        for detection in sample.ground_truth.detections:
            detection.label = words[number % 3]
        sample.tags = [f"; touch {witness}"]
        sample.save()
    dataset.name = f"`touch {witness}` ![x](http://127.0.0.1/x)"
    before, in_database = tree(), database_content(dataset)

    # 2. Everything that writes.
    with watching(tmp_path_factory.mktemp("watch") / "notes") as notes:
        train_and_predict(dataset)
        inspect_and_publish(dataset)

    # 3. No code was run, and no other files or database entries were written.
    assert list(tmp_path.iterdir()) == []
    check_files(tree() - before, dataset)
    check_notes(notes, dataset)
    added = {
        kind: now - in_database[kind] for kind, now in database_content(dataset).items()
    }
    assert added["ids"] == set()
    assert {name.partition("_")[0] for name in added["fields"]} == {"found", "one"}
    assert added["evaluations"] == {"one_eval"}
    assert added["runs"] == {"one"}
    assert all(one.startswith("inspect") for one in added["tags"] | added["views"])
    assert added["tags"]
    assert added["views"]

    # 4. After deletion only the files of other jobs remain.
    local_zoo.unpublish("secured")
    call("delete_run", dataset, run_key="one", confirm=True)
    of_run = [path.parts for path in tree() - before if len(path.parts) > 3]
    left = {parts[3] for parts in of_run if parts[2] != "pixels"}
    assert left <= {*(place for place, _ in OTHER_TASKS.values()), ".one.lock"}


def train_and_predict(dataset):
    """Trains, stops, predicts and evaluates, each in a child process."""
    call("train_model", dataset, **GIVEN, **SETTINGS, run_key="one", epochs=200)
    [job] = monitor.list_jobs(dataset)
    process = psutil.Process(job.pid)
    assert process.cmdline()[1:] == ["-P", "-m", "yolov1_fo", "--job", str(job.folder)]
    assert Path(process.cmdline()[0]).name.startswith("python")
    assert process.cwd() == str(job.folder)
    assert os.getpgid(job.pid) == job.pid != os.getpgid(0)
    for now in monitor.updates(job, 0.05):
        if now.progress.label.startswith("epoch 2"):
            break
    call("stop_training", dataset, target="one")
    assert ended(dataset, "one").progress.state == "stopped"
    call("apply_model", dataset, model="one", label_field="found", batch_size=4)
    assert ended(dataset, "found").progress.state == "finished"
    launch.evaluate(dataset, "found", "ground_truth", "one_eval")
    assert ended(dataset, "one_eval").progress.state == "finished"


def inspect_and_publish(dataset):
    lost = dataset.last()
    lost.filepath = "/nowhere.png"
    lost.save()
    marks = {"tag": True, "save_views": True}
    asked = {"gt_field": "ground_truth", "S": 2, "image_size": 32}
    report = call("inspect_dataset", dataset, **asked)
    assert report.result["findings"]["unreadable"] == 1
    assert not dataset.list_saved_views()
    call("inspect_dataset", dataset, **asked, **marks)
    call("publish_model", dataset, run_key="one", name="secured")


def database_content(dataset):
    """Returns what the database holds of a dataset."""
    dataset.reload()
    return {
        "ids": set(dataset.values("id")),
        "fields": set(dataset.get_field_schema()),
        "tags": set(dataset.distinct("tags")),
        "views": set(dataset.list_saved_views()),
        "evaluations": set(dataset.list_evaluations()),
        "runs": set(dataset.list_runs()),
    }


def check_files(made, dataset):
    """Checks that files were written only where docs/security.md says."""
    runs_of = ("datasets", "__yolov1__", str(dataset._doc.id))
    published = ("models", "yolov1-published")
    tasks = [OTHER_TASKS[task][0] for task in ("apply", "evaluate")]
    [lock] = [path.name for path in made if path.name.startswith(".training_")]
    places = [
        (*runs_of, "one"),
        (*runs_of, ".one.lock"),
        *((*runs_of, place) for place in tasks),
        ("datasets", "__yolov1__", lock),
        ("datasets", "__yolov1__", "pixels"),
        (*published, "secured"),
        (*published, ".lock"),
    ]
    assert {path for path in made if not is_within(path, places)} == set()
    for place in places:
        assert any(is_within(path, [place]) for path in made), place
    assert not [path for path in made if path.name.endswith(files.UNFINISHED)]
    top = Path(fo.config.default_dataset_dir).parent
    assert not [path for path in made if (top / path).is_symlink()]


def is_within(path, places):
    return any(path.parts[: len(place)] == tuple(place) for place in places)


def check_notes(notes, dataset):
    """Checks the files, programs and connections that Python's audit hooks reported."""
    top = Path(fo.config.default_dataset_dir).parent
    ours = (Path(fo.config.default_dataset_dir) / "__yolov1__", local_zoo.root())
    caches = [Path.home() / ".keras", *Path.home().glob(".c*/matplotlib")]
    strange = set()
    for note in notes:
        if note.kind not in ("write", "remove") or "__pycache__" in note.path.parts:
            continue
        path = note.path
        is_ours = any(path.is_relative_to(one) for one in ours)
        is_parent = any(one.is_relative_to(path) for one in ours)
        is_temporary = path.is_relative_to(tempfile.gettempdir()) and (
            not path.is_relative_to(top)
        )
        is_cache = any(path.is_relative_to(one) for one in caches)
        if not (is_ours or is_parent or is_temporary or is_cache):
            strange.add(note)
    assert {note for note in strange if note.words != (os.devnull,)} == set()
    job = [sys.executable, "-P", "-m", "yolov1_fo", "--job"]
    programs = [note.words for note in notes if note.kind == "run"]
    started = [words for words in programs if list(words[:5]) == job]
    assert len(started) == 3
    assert {words[0] for words in programs} - {sys.executable} <= {
        *("uname", "nvidia-smi", "ffmpeg", "ffprobe")
    }
    assert len([words for words in programs if words[0] == sys.executable]) == 3
    place = fo.config.database_uri.rpartition("/")[2].split(":")
    connected = {note.words for note in notes if note.kind == "connect"}
    assert connected == {tuple(place)}
    assert not [note for note in notes if note.kind == "unpickle"]


@pytest.mark.slow
def test_files_of_the_plugins_folder_are_served_through_links(dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of these libraries
        from fiftyone.server.app import app
        from starlette.testclient import TestClient

        client = TestClient(app)
    assert client.get("/plugins/yolov1/pyproject.toml").status_code == 200
    assert client.get("/plugins/yolov1/nothing").status_code == 404


def test_a_copy_contains_only_the_plugin(tmp_path, monkeypatch):
    monkeypatch.setattr(fo.config, "plugins_dir", str(tmp_path))
    copied = plugin_links.install(copy=True).path
    assert {path.name for path in copied.iterdir()} == {
        *("fiftyone.yml", "requirements.txt", "plugin", "skills", plugin_links.MARKER)
    }
    found = [path for path in (copied / "plugin").rglob("*") if not path.is_dir()]
    assert {path.suffix for path in found} == {".py"}


def test_markup_in_names_is_escaped(dataset, form):
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
