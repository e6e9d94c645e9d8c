"""The advanced settings of Apply YOLOv1: engine, workers, runtime and media field."""

import pytest

import yolov1_fo
from tests import engine_workers
from tests.plugin.conftest import call, error
from tests.same import assert_same
from yolov1_fo.config import ENGINES, RUNTIMES, packages
from yolov1_fo.jobs import job as jobs
from yolov1_fo.jobs import monitor
from yolov1_fo.runs import gpus

ADVANCED = ["engine", "num_workers", "runtime"]


@pytest.fixture
def given(checkpoint_dir):
    return {"model": str(checkpoint_dir), "label_field": "found", "batch_size": 4}


def shown(asked):
    return [name for name in asked if name in (*ADVANCED, "media_field")]


def test_advanced_inputs_are_shown_when_they_are_wanted(dataset, form, given):
    asked = form("apply_model", dataset, **given)
    assert "advanced" in asked
    assert shown(asked) == []
    asked = form("apply_model", dataset, **given, advanced=True)
    assert shown(asked) == ADVANCED  # the images are in one field
    assert asked["engine"]["type"]["values"] == [*ENGINES]
    assert asked["engine"]["default"] == "thread"
    assert asked["num_workers"]["default"] == 0
    assert asked["runtime"]["type"]["values"] == ["", *RUNTIMES]
    dataset.clone_sample_field("filepath", "url")
    asked = form("apply_model", dataset, **given, advanced=True)
    assert asked["media_field"]["type"]["values"] == ["", "filepath", "url"]
    assert error(asked) is None


def test_videos_have_no_engine(given, form):
    import fiftyone as fo

    videos = fo.Dataset()
    videos.persistent = True
    videos.add_sample(fo.Sample("/nowhere/film.mp4", url="s3://films/film.mp4"))
    asked = form("apply_model", videos, **given, advanced=True)
    assert shown(asked) == ["runtime"]
    for name, value in {"engine": "process", "media_field": "url"}.items():
        left = form("apply_model", videos, **given, **{name: value})
        assert "is for images, not for videos" in error(left)
        with pytest.raises(Exception, match="is for images, not for videos"):
            call("apply_model", videos, **given, **{name: value})
    videos.delete()


def test_edited_inputs_that_are_hidden_are_listed(dataset, form, given):
    edited = {"engine": "process", "num_workers": 2}
    asked = form("apply_model", dataset, **given, **edited)
    line = "Edited advanced settings: Engine process, Workers 2"
    assert asked["edited"]["view"]["label"] == line
    defaults = {"engine": "thread", "num_workers": 0, "runtime": ""}
    assert "edited" not in form("apply_model", dataset, **given, **defaults)


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"engine": "ray"}, "Engine='ray' needs ray: pip install ray"),
        ({"engine": "tread"}, "Engine must be one of thread, process, ray, got"),
        ({"num_workers": -1}, "Workers must be at least 0, got -1"),
        ({"runtime": "openvino"}, "Runtime='openvino' needs openvino: pip install"),
        ({"runtime": "torch"}, "Runtime must be one of auto, keras, openvino"),
        ({"media_field": "nope"}, "Media field 'nope' on dataset"),
        ({"media_field": "ground_truth"}, "Media field 'ground_truth' on dataset"),
    ],
)
def test_errors_of_the_library_are_below_their_input(
    dataset, form, given, params, line, monkeypatch
):
    missing = ("ray", "openvino")
    monkeypatch.setattr(packages, "is_installed", lambda name: name not in missing)
    dataset.clone_sample_field("filepath", "url")
    asked = form("apply_model", dataset, **given, **params, advanced=True)
    assert error(asked).startswith(line)
    names, [name] = list(asked), params
    assert names[names.index("error") - 1] == name
    hidden = error(form("apply_model", dataset, **given, **params))
    assert hidden.startswith(line)
    assert hidden.endswith("(among the advanced settings)")
    with pytest.raises(Exception, match=line):
        call("apply_model", dataset, **given, **params)
    assert not monitor.list_jobs(dataset)


def test_processes_are_for_cpus(dataset, form, given, monkeypatch):
    monkeypatch.setattr(gpus, "names", lambda: ["H100"])
    asked = form("apply_model", dataset, **given, engine="process", advanced=True)
    assert error(asked).startswith("Engine='process' is for CPUs; on a GPU use")


@pytest.mark.slow
def test_a_job_uses_the_engine_the_runtime_and_the_media_field(
    dataset, given, checkpoint_dir
):
    pytest.importorskip("openvino", reason="needs the extra openvino")
    yolov1_fo.apply(dataset, yolov1_fo.load_model(checkpoint_dir), "here")
    dataset.clone_sample_field("filepath", "local")
    dataset.set_values("filepath", [f"/nowhere/{number}.png" for number in range(8)])
    chosen = {"engine": "process", "num_workers": 1, "media_field": "local"}
    call("apply_model", dataset, **given, **chosen, runtime="openvino")
    [job] = monitor.list_jobs(dataset)
    assert jobs.read_arguments(job.folder)["settings"]["runtime"] == "openvino"
    workers = 0
    for now in monitor.updates(job, 0.1):
        workers = max(workers, now.progress.is_active and running(job.pid))
    assert now.progress.state == "finished", now.progress.label
    assert now.progress.result["faults"] == {}
    assert workers == 1
    dataset.reload()
    for found, here in zip(*dataset.values(["found", "here"]), strict=True):
        assert_same(found, here)


def running(pid):
    """Returns the number of worker processes that a job has started."""
    return len(engine_workers.running("process", pid))
