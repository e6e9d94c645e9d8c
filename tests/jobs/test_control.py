"""Jobs in processes of their own, as the App starts them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import fiftyone as fo
import psutil
import pytest

import yolov1_fo
from yolov1_fo import files
from yolov1_fo.jobs import child_process, control, worker
from yolov1_fo.runs import registry

pytestmark = pytest.mark.slow

SETTINGS = {
    "network": "yolov1-efficientnet-lite0",
    "pretrained": False,
    "image_size": 32,
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
    for job in control.all_of(painted):
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
    for now in control.follow(job, 0.1):
        assert time.monotonic() < deadline, now
    return now


def gone(job):
    """Waits until the job's process is gone, with all its threads."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(job.pid).wait(timeout=30)


def reached(job, label, within=120):
    """Returns the job when its label begins so."""
    deadline = time.monotonic() + within
    for now in control.follow(job, 0.05):
        if now.progress.label.startswith(label):
            return now
        assert time.monotonic() < deadline, now
    raise AssertionError(f"it ended: {now}\n{now.log()}")


def test_training_predicting_and_what_is_left(dataset):
    told = control.start(dataset, "train", "one", learning(dataset, epochs=2))
    assert told.progress.state == "running"
    assert told.folder == registry.folder(dataset, "one") / "job"
    seen = [
        (now.progress.done, now.progress.label) for now in control.follow(told, 0.05)
    ]
    assert seen[-1] == (1.0, "finished")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert any(label.startswith("epoch 2 of 2, step") for _, label in seen)
    assert control.find(told.folder).progress.result["checkpoint_dir"]
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
    done = ended(control.start(dataset, "apply", "found", said))
    assert done.progress.state == "finished", done.log()
    assert done.progress.result == {"samples": 8, "faults": {}}
    dataset.reload()
    assert len(dataset.exists("found")) == 8
    for job in control.all_of(dataset):
        gone(job)


def test_stopped_killed_and_resumed(dataset):
    # 1. Stop it in its second epoch: the first stays.
    job = control.start(dataset, "train", "one", learning(dataset, epochs=200))
    reached(job, "epoch 2")
    with pytest.raises(ValueError, match="a job of 'one' goes on: epoch"):
        control.start(dataset, "train", "one", learning(dataset))
    control.stop(control.find(job.folder))
    now = ended(job)
    assert (now.progress.state, now.progress.label) == ("stopped", "stopped")
    dataset.reload()
    config = dataset.get_run_info("one").config
    assert config.status == "stopped"
    assert config.epoch >= 1
    assert yolov1_fo.load_model("one", dataset=dataset).classes == ["blue", "red"]
    with pytest.raises(ValueError, match="the job of 'one' does not go on"):
        control.stop(now)

    # 2. Go on; kill it: it has failed, with what it last said.
    again = {**learning(dataset), "resume": True}
    job = control.start(dataset, "train", "one", again)
    reached(job, f"epoch {config.epoch + 2}")
    os.killpg(job.pid, signal.SIGKILL)
    now = ended(job)
    gone(job)
    assert now.progress.state == "failed"
    assert now.progress.label.startswith("its process died at: epoch ")
    assert "; its log ends: " in now.progress.label
    assert not registry.is_locked(registry.folder(dataset, "one"))
    assert control.all_of(dataset) == [now]


def test_what_fails_says_why_in_one_line(dataset):
    job = control.start(dataset, "train", "one", learning(dataset, epochs=0))
    now = ended(job)
    assert now.progress.state == "failed"
    assert now.progress.label == "epochs must be a whole number of at least 1, got 0"
    assert "Traceback" in now.log(100)
    dataset.reload()
    assert dataset.list_runs() == []
    # The name is free again.
    now = ended(control.start(dataset, "train", "one", learning(dataset, epochs=1)))
    assert now.progress.state == "finished", now.log()


def test_names_stay_in_their_folder(dataset):
    for name in ("../escape", "/tmp/x", "a b", "a\nb", "", "a/b"):
        with pytest.raises(ValueError, match="must be letters, digits and underscores"):
            control.folder(dataset, "train", name)
        with pytest.raises(ValueError, match="label_field must be letters"):
            control.folder(dataset, "apply", name)


def test_environment_is_that_of_a_client_of_its_own(monkeypatch):
    monkeypatch.setenv("FIFTYONE_PRIVATE_DATABASE_PORT", "1")
    monkeypatch.setenv("FIFTYONE_DISABLE_SERVICES", "1")
    assert "FIFTYONE_PRIVATE_DATABASE_PORT" in control.environment()
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")
    kept = control.environment()
    assert "FIFTYONE_PRIVATE_DATABASE_PORT" not in kept
    assert "FIFTYONE_DISABLE_SERVICES" not in kept


def test_a_run_is_deleted_with_its_files(dataset):
    job = ended(control.start(dataset, "train", "one", learning(dataset, epochs=1)))
    assert job.progress.state == "finished"
    registry.delete(dataset, "one")
    assert not registry.folder(dataset, "one").exists()
    assert dataset.list_runs() == []
    assert fo.dataset_exists(dataset.name)


@pytest.fixture
def sleeper(dataset, monkeypatch):
    """A job that does nothing for a minute; its folder."""
    place = control.folder(dataset, "apply", "found")
    place.mkdir(parents=True)
    control._write(
        place / control.JOB,
        {"format": 1, "task": "apply", "dataset": dataset.name, "target": "found"},
    )
    start, begun = subprocess.Popen, []

    def sleep(*_, **given):
        code = [sys.executable, "-c", "import time; time.sleep(60)"]
        begun.append(start(code, **given))
        return begun[-1]

    with monkeypatch.context() as patch:
        patch.setattr(control.subprocess, "Popen", sleep)
        control._spawn(place)
    control.tell(place, control.Progress("running", 0.5, "sample 5 of 10"))
    yield place
    for process in begun:
        process.kill()
        process.wait()
    files.remove(place)  # one test signs it itself


def test_a_job_lives_whatever_the_clock_is_set_to(sleeper, monkeypatch):
    told = control.find(sleeper)
    assert told.progress.state == "running"
    began = psutil.Process.create_time
    for shift in (1, 3600, -3600):
        monkeypatch.setattr(
            psutil.Process, "create_time", lambda self, by=shift: began(self) + by
        )
        assert control.find(sleeper).progress.state == "running"
    psutil.Process(told.pid).kill()
    gone(told)
    assert control.find(sleeper).progress.state == "failed"


def test_another_process_with_the_pid_of_a_dead_one_is_left_alone(sleeper):
    known = control._read(sleeper / control.PROCESS)
    job = control.find(sleeper)
    control._write(sleeper / control.PROCESS, {**known, "started": "of another boot 1"})
    assert control.find(sleeper).progress.state == "failed"
    with pytest.raises(ValueError, match="the job of 'found' does not go on"):
        control.stop(job)
    with files.locked(sleeper / control.LOCK):  # one of another machine does it
        assert control.find(sleeper).progress.state == "running"
        with pytest.raises(ValueError, match="goes on on another machine"):
            control.stop(job)
    assert psutil.pid_exists(known["pid"])


def test_one_process_does_a_job(sleeper):
    with control.at_work(sleeper):
        assert control.find(sleeper).pid == os.getpid()
        with pytest.raises(TimeoutError), control.at_work(sleeper):
            raise AssertionError("two of them")


def test_a_process_that_was_never_started_does_not_block_its_name(dataset, monkeypatch):
    place, told = control.folder(dataset, "apply", "found"), {"view": []}

    # 1. The system starts no process: nothing is left.
    def fails(*_, **__):
        raise OSError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr(control.subprocess, "Popen", fails)
        with pytest.raises(OSError, match=r"can't be started: no more processes"):
            control.start(dataset, "apply", "found", told)
    assert not place.exists()

    # 2. Who started it was killed before: it is starting only while that is locked.
    place.mkdir()
    said = {"task": "apply", "dataset": dataset.name, "target": "found"}
    control._write(place / control.JOB, said)
    with files.locked(place.with_name(registry.JOB_LOCK)):
        assert control.find(place).progress.state == "starting"
    assert control.find(place).progress.state == "failed"

    # 3. It dies at once: one line says so, and the name is free still.
    start = subprocess.Popen
    dead = [sys.executable, "-c", "print('no TensorFlow here'); raise SystemExit(3)"]
    monkeypatch.setattr(
        control.subprocess, "Popen", lambda *_, **given: start(dead, **given)
    )
    for _ in range(2):
        with pytest.raises(OSError, match=r"did not start: .*no TensorFlow here"):
            control.start(dataset, "apply", "found", told)


def test_what_can_not_be_told_a_job_is_a_type_error_and_nothing_is_made(dataset):
    with pytest.raises(TypeError, match=r"'found' must be JSON: .*set"):
        control.start(dataset, "apply", "found", {"view": {1, 2}})
    assert not control.folder(dataset, "apply", "found").exists()


def test_another_who_starts_the_job_too_is_an_os_error(dataset, monkeypatch):
    place = control.folder(dataset, "apply", "found")
    place.parent.mkdir(parents=True)
    monkeypatch.setattr(control, "START_WITHIN", 0.1)
    with (
        files.locked(place.with_name(registry.JOB_LOCK)),
        pytest.raises(OSError, match=r"can't be started: another process is starting"),
    ):
        control.start(dataset, "apply", "found", {"view": []})


@pytest.mark.parametrize("text", ["[]", "{}", '"job"', '{"task": 1}', "{"])
def test_a_folder_that_is_no_job(tmp_path, text):
    (tmp_path / control.JOB).write_text(text)
    assert control.find(tmp_path) is None


def test_without_process_groups_a_file_interrupts(tmp_path, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr(child_process, "HAS_GROUPS", False)
    monkeypatch.setattr(child_process, "LOOK_EVERY", 0.01)
    assert child_process.apart() == {"creationflags": 0}
    stopping = tmp_path / control.STOPPING
    child_process.end(os.getpid())  # leaves it to the file
    child_process.interrupt_when(stopping)
    stopping.touch()

    def work():
        for _ in range(500):
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_jobs_training_goes_where_its_job_stands(dataset, tmp_path, monkeypatch):
    given = {}

    def train(*_, **named):
        given.update(named)
        return SimpleNamespace(checkpoint_dir="there")

    monkeypatch.setattr(yolov1_fo, "train", train, raising=False)
    place = control.folder(dataset, "train", "one", tmp_path)
    job = control.Job(place, "train", dataset.name, "one", control.Progress(), None)
    worker._learn(job, learning(dataset), lambda *_, **__: None)
    assert given["runs_dir"] == tmp_path
    assert given["run_key"] == "one"
