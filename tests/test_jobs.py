"""Jobs in processes of their own, as the App starts them."""

import contextlib
import os
import signal
import time

import fiftyone as fo
import psutil
import pytest

import yolov1_fo
from yolov1_fo import jobs, runs

pytestmark = pytest.mark.slow

SETTINGS = {
    "network": "yolov1-efficientnet-lite0",
    "pretrained": False,
    "side": 32,
    "S": 2,
    "head_filters": 8,
    "batch_size": 2,
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "schedule": "constant",
}


@pytest.fixture
def dataset(painted):
    painted.persistent = True  # else FiftyOne may delete it when a job connects
    yield painted
    for job in jobs.all_of(painted):
        if job.progress.is_active:
            os.killpg(job.pid, signal.SIGKILL)


def learning(dataset, **settings):
    """Returns what a training job is told."""
    return {
        "view": dataset.match_tags("train")._serialize(),
        "val_view": dataset.match_tags("val")._serialize(),
        "field": "ground_truth",
        "settings": {**SETTINGS, **settings},
    }


def ended(job, within=120):
    """Returns the job when it has ended."""
    deadline = time.monotonic() + within
    for now in jobs.follow(job, 0.1):
        assert time.monotonic() < deadline, now
    return now


def gone(job):
    """Waits until the job's process is gone, with all its threads."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(job.pid).wait(timeout=30)


def reached(job, label, within=120):
    """Returns the job when its label begins so."""
    deadline = time.monotonic() + within
    for now in jobs.follow(job, 0.05):
        if now.progress.label.startswith(label):
            return now
        assert time.monotonic() < deadline, now
    raise AssertionError(f"it ended: {now}\n{now.log()}")


def test_training_predicting_and_what_is_left(dataset):
    told = jobs.start(dataset, "train", "one", learning(dataset, epochs=2))
    assert told.progress.state == "running"
    assert told.folder == runs.folder(dataset, "one") / "job"
    seen = [(now.progress.done, now.progress.label) for now in jobs.follow(told, 0.05)]
    assert seen[-1] == (1.0, "finished")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert any(label.startswith("epoch 2 of 2, step") for _, label in seen)
    assert jobs.find(told.folder).progress.result["checkpoint_dir"]
    dataset.reload()
    assert dataset.get_run_info("one").config.status == "finished"
    said = {
        "view": None,
        "model": "one",
        "settings": {"confidence_thresh": 0.001},
        "batch_size": 4,
        "skip_existing": False,
    }
    said["view"] = dataset.view()._serialize()
    done = ended(jobs.start(dataset, "apply", "found", said))
    assert done.progress.state == "finished", done.log()
    assert done.progress.result == {"samples": 8, "faults": {}}
    dataset.reload()
    assert len(dataset.exists("found")) == 8
    for job in jobs.all_of(dataset):
        gone(job)


def test_stopped_killed_and_resumed(dataset):
    # 1. Stop it in its second epoch: the first stays.
    job = jobs.start(dataset, "train", "one", learning(dataset, epochs=200))
    reached(job, "epoch 2")
    with pytest.raises(ValueError, match="a job of 'one' goes on: epoch"):
        jobs.start(dataset, "train", "one", learning(dataset))
    jobs.stop(jobs.find(job.folder))
    now = ended(job)
    assert (now.progress.state, now.progress.label) == ("stopped", "stopped")
    dataset.reload()
    config = dataset.get_run_info("one").config
    assert config.status == "stopped"
    assert config.epoch >= 1
    assert yolov1_fo.load_model("one", dataset=dataset).classes == ["blue", "red"]
    with pytest.raises(ValueError, match="the job of 'one' does not go on"):
        jobs.stop(now)

    # 2. Go on; kill it: it has failed, with what it last said.
    again = {**learning(dataset), "resume": True}
    job = jobs.start(dataset, "train", "one", again)
    reached(job, f"epoch {config.epoch + 2}")
    os.killpg(job.pid, signal.SIGKILL)
    now = ended(job)
    gone(job)
    assert now.progress.state == "failed"
    assert now.progress.label.startswith("its process died at: epoch ")
    assert "; its log ends: " in now.progress.label
    assert not runs.is_locked(runs.folder(dataset, "one"))
    assert jobs.all_of(dataset) == [now]


def test_what_fails_says_why_in_one_line(dataset):
    job = jobs.start(dataset, "train", "one", learning(dataset, epochs=0))
    now = ended(job)
    assert now.progress.state == "failed"
    assert now.progress.label == "epochs must be a whole number of at least 1, got 0"
    assert "Traceback" in now.log(100)
    dataset.reload()
    assert dataset.list_runs() == []
    # The name is free again.
    now = ended(jobs.start(dataset, "train", "one", learning(dataset, epochs=1)))
    assert now.progress.state == "finished", now.log()


def test_names_stay_in_their_folder(dataset):
    for name in ("../escape", "/tmp/x", "a b", "a\nb", "", "a/b"):
        with pytest.raises(ValueError, match="must be letters, digits and underscores"):
            jobs.folder(dataset, "train", name)
        with pytest.raises(ValueError, match="label_field must be letters"):
            jobs.folder(dataset, "apply", name)


def test_environment_is_that_of_a_client_of_its_own(monkeypatch):
    monkeypatch.setenv("FIFTYONE_PRIVATE_DATABASE_PORT", "1")
    monkeypatch.setenv("FIFTYONE_DISABLE_SERVICES", "1")
    assert "FIFTYONE_PRIVATE_DATABASE_PORT" in jobs.environment()
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")
    kept = jobs.environment()
    assert "FIFTYONE_PRIVATE_DATABASE_PORT" not in kept
    assert "FIFTYONE_DISABLE_SERVICES" not in kept


def test_a_run_is_deleted_with_its_files(dataset):
    job = ended(jobs.start(dataset, "train", "one", learning(dataset, epochs=1)))
    assert job.progress.state == "finished"
    runs.delete(dataset, "one")
    assert not runs.folder(dataset, "one").exists()
    assert dataset.list_runs() == []
    assert fo.dataset_exists(dataset.name)
