"""Jobs in child processes, as the App starts them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import fiftyone as fo
import psutil
import pytest

import yolov1_fo
from yolov1_fo import files
from yolov1_fo.jobs import child_process, export_job, monitor, spawn, worker
from yolov1_fo.jobs.job import (
    JOB_FILE,
    LOCK_FILE,
    PROCESS_FILE,
    STOP_FILE,
    Job,
    JobProgress,
    read_json,
    write_json,
    write_progress,
)
from yolov1_fo.runs import deletion, folders

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
    for job in monitor.list_jobs(painted):
        if job.progress.is_active:
            os.killpg(job.pid, signal.SIGKILL)


def training(dataset, **settings):
    """Returns the arguments of a training job."""
    return {
        "view": dataset.match_tags("train")._serialize(),
        "val_view": dataset.match_tags("val")._serialize(),
        "field": "ground_truth",
        "settings": {**SETTINGS, **settings},
    }


def ended(job, within=120):
    """Waits until a job has ended; returns it."""
    deadline = time.monotonic() + within
    for now in monitor.updates(job, 0.1):
        assert time.monotonic() < deadline, now
    return now


def wait_for_exit(job):
    """Waits until the process of a job has ended, with all its threads."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(job.pid).wait(timeout=30)


def reached(job, label, within=120):
    """Waits until the label of a job begins so; returns the job."""
    deadline = time.monotonic() + within
    for now in monitor.updates(job, 0.05):
        if now.progress.label.startswith(label):
            return now
        assert time.monotonic() < deadline, now
    raise AssertionError(f"it ended: {now}\n{now.log()}")


def test_a_model_is_trained_and_applied(dataset):
    job = spawn.start(dataset, "train", "one", training(dataset, epochs=2))
    job = spawn.wait_until_connected(job)
    assert job.progress.state in ("waiting", "running")
    assert job.folder == folders.run_folder(dataset, "one") / "job"
    seen = [
        (now.progress.done, now.progress.label) for now in monitor.updates(job, 0.05)
    ]
    assert seen[-1] == (1.0, "finished")
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert any(label.startswith("epoch 2 of 2, step") for _, label in seen)
    result = monitor.find(job.folder).progress.result
    assert Path(result["checkpoint_dir"]).is_dir()
    assert "\n" not in result["summary"]
    assert "epochs, best at epoch" in result["summary"]
    dataset.reload()
    assert dataset.get_run_info("one").config.status == "finished"
    arguments = {
        "view": dataset.view()._serialize(),
        "model": "one",
        "settings": {"confidence_thresh": 0.001},
        "options": {"batch_size": 4},
    }
    done = ended(spawn.start(dataset, "apply", "found", arguments))
    assert done.progress.state == "finished", done.log()
    assert done.progress.result == {"samples": 8, "faults": {}}
    dataset.reload()
    assert len(dataset.exists("found")) == 8
    for job in monitor.list_jobs(dataset):
        wait_for_exit(job)


def test_a_job_is_stopped_killed_and_resumed(dataset):
    # 1. Stopped in its second epoch, it keeps the first.
    job = spawn.start(dataset, "train", "one", training(dataset, epochs=200))
    reached(job, "epoch 2")
    with pytest.raises(ValueError, match="a job of 'one' is running: epoch"):
        spawn.start(dataset, "train", "one", training(dataset))
    monitor.stop(monitor.find(job.folder))
    now = ended(job)
    assert (now.progress.state, now.progress.label) == ("stopped", "stopped")
    dataset.reload()
    config = dataset.get_run_info("one").config
    assert config.status == "stopped"
    assert config.epoch >= 1
    assert yolov1_fo.load_model("one", dataset=dataset).classes == ["blue", "red"]
    with pytest.raises(ValueError, match="the job of 'one' is not running"):
        monitor.stop(now)

    # 2. Resumed and killed, it has failed, and shows its last progress.
    arguments = {**training(dataset), "resume": True}
    job = spawn.start(dataset, "train", "one", arguments)
    reached(job, f"epoch {config.epoch + 2}")
    os.killpg(job.pid, signal.SIGKILL)
    now = ended(job)
    wait_for_exit(job)
    assert now.progress.state == "failed"
    assert now.progress.label.startswith("its process died at: epoch ")
    assert "; its log ends: " in now.progress.label
    assert not folders.is_locked(folders.run_folder(dataset, "one"))
    assert monitor.list_jobs(dataset) == [now]


def test_trainings_wait_for_each_other(dataset):
    first, second, third = (
        spawn.start(dataset, "train", key, training(dataset, epochs=epochs))
        for key, epochs in (("first", 500), ("second", 1), ("third", 500))
    )
    reached(first, "epoch 2")
    reached(third, "waiting for 'first', 'second'")
    waiting = reached(second, "waiting for 'first'")
    assert waiting.progress.state == "waiting"
    with pytest.raises(ValueError, match="a job of 'second' is running: waiting for"):
        spawn.start(dataset, "train", "second", training(dataset))

    # 1. One that waits can be stopped; it has not become a run.
    monitor.stop(monitor.find(third.folder))
    assert ended(third).progress.state == "stopped"
    dataset.reload()
    assert dataset.list_runs() == ["first"]

    # 2. The next one starts even if the one before it is killed.
    os.killpg(first.pid, signal.SIGKILL)
    assert ended(second).progress.state == "finished", second.log()
    dataset.reload()
    assert sorted(dataset.list_runs()) == ["first", "second"]


@pytest.fixture
def many(dataset):
    """1024 samples, with labels that look like predictions."""
    many = dataset.clone(persistent=True)
    for sample in many:
        sample["predictions"] = sample.ground_truth.copy()
        for one in sample.predictions.detections:
            one.confidence = 0.5
        sample.save()
    for _ in range(7):
        many.add_samples([sample.copy() for sample in many])
    yield many
    many.delete()


def test_a_stopped_apply_keeps_whole_predictions(many, checkpoint_dir):
    arguments = {
        "view": many.view()._serialize(),
        "model": str(checkpoint_dir),
        "settings": {},
        "options": {"batch_size": 2},
    }
    job = spawn.start(many, "apply", "found", arguments)
    monitor.stop(reached(job, "sample "))
    now = ended(job)
    assert (now.progress.state, now.progress.label) == ("stopped", "stopped")
    many.reload()
    written = many.exists("found")
    assert 0 < len(written) < len(many)
    found = written.first().found.detections
    assert found
    assert all(one.confidence is not None for one in found)


def test_other_jobs_are_stopped_and_leave_nothing(many, checkpoint_dir, tmp_path):
    before = {*many.get_field_schema(flat=True)}
    fields = {"pred_field": "predictions", "gt_field": "ground_truth"}
    of_model = {"model": str(checkpoint_dir), "gt_field": "new_truth"}
    jobs = {
        "evaluate": ("evaluating ", {**fields, "classes": None, "iou_thresh": 0.5}),
        "find_mistakes": ("comparing ", {**fields, "folds": None, "min_score": 0.0}),
        "suggest": (
            "sample ",
            {**of_model, "pred_field": None, "thresh": 0.5, "include_labeled": True},
        ),
        "next_to_label": ("sample ", {**of_model, "count": 4}),
        "export": (
            "exporting ",
            {**of_model, "path": str(tmp_path / "model.onnx"), "format": "onnx"},
        ),
    }
    for task, (label, arguments) in jobs.items():
        given = {"view": many.view()._serialize(), **arguments}
        job = spawn.start(many, task, "target", given)
        monitor.stop(reached(job, label))
        now = ended(job)
        assert now.progress.state == "stopped", (task, now.log())
        many.reload()
        assert not many.list_evaluations(), task
        assert not many.list_saved_views(), task
        assert not many.count_sample_tags().get("target"), task
        assert {*many.get_field_schema(flat=True)} == before, task
    assert not [*tmp_path.iterdir()]


def test_a_model_is_exported(dataset, checkpoint_dir, tmp_path):
    path, model = tmp_path / "model", str(checkpoint_dir)
    done = ended(export_job.start(dataset, model, path, "saved_model"))
    assert done.progress.state == "finished", done.log()
    assert done.target.endswith("_saved_model")
    assert done.progress.result["path"] == str(path)
    assert (path / "saved_model.pb").is_file()
    for source, target, name, line in (
        (model, path, "saved_model", "exists; choose another path"),
        (model, "model", "saved_model", "path must be absolute"),
        (model, tmp_path / "new", "torch", "format must be one of"),
        ("none", tmp_path / "new", "litert", "run 'none' is not on dataset"),
    ):
        with pytest.raises(ValueError, match=line):
            export_job.start(dataset, source, target, name)


def test_a_failed_job_has_an_error_of_one_line(dataset):
    job = spawn.start(dataset, "train", "one", training(dataset, epochs=0))
    now = ended(job)
    assert now.progress.state == "failed"
    assert now.progress.label == "epochs must be at least 1, got 0"
    assert "Traceback" in now.log(100)
    dataset.reload()
    assert dataset.list_runs() == []
    # The key can be used again.
    now = ended(spawn.start(dataset, "train", "one", training(dataset, epochs=1)))
    assert now.progress.state == "finished", now.log()


def test_names_can_not_lead_to_other_folders(dataset):
    for name in ("../escape", "/tmp/x", "a b", "a\nb", "", "a/b"):
        with pytest.raises(ValueError, match="must be letters, digits and underscores"):
            monitor.job_folder(dataset, "train", name)
        with pytest.raises(ValueError, match="label_field must be letters"):
            monitor.job_folder(dataset, "apply", name)


def test_the_environment_is_that_of_an_own_client(monkeypatch):
    monkeypatch.setenv("FIFTYONE_PRIVATE_DATABASE_PORT", "1")
    monkeypatch.setenv("FIFTYONE_DISABLE_SERVICES", "1")
    assert "FIFTYONE_PRIVATE_DATABASE_PORT" in child_process.environment()
    monkeypatch.delenv("FIFTYONE_DATABASE_URI")
    kept = child_process.environment()
    assert "FIFTYONE_PRIVATE_DATABASE_PORT" not in kept
    assert "FIFTYONE_DISABLE_SERVICES" not in kept


def test_a_run_is_deleted_with_its_files(dataset):
    job = ended(spawn.start(dataset, "train", "one", training(dataset, epochs=1)))
    assert job.progress.state == "finished"
    deletion.delete_run(dataset, "one")
    assert not folders.run_folder(dataset, "one").exists()
    assert dataset.list_runs() == []
    assert fo.dataset_exists(dataset.name)


@pytest.fixture
def sleeper(dataset, monkeypatch):
    """The folder of a job that sleeps for a minute."""
    folder = monitor.job_folder(dataset, "apply", "found")
    folder.mkdir(parents=True)
    write_json(
        folder / JOB_FILE,
        {"format": 1, "task": "apply", "dataset": dataset.name, "target": "found"},
    )
    popen, started = subprocess.Popen, []

    def sleep(*_, **options):
        code = [sys.executable, "-c", "import time; time.sleep(60)"]
        started.append(popen(code, **options))
        return started[-1]

    with monkeypatch.context() as patch:
        patch.setattr(spawn.subprocess, "Popen", sleep)
        spawn._spawn(folder)
    write_progress(folder, JobProgress("running", 0.5, "sample 5 of 10"))
    yield folder
    for process in started:
        process.kill()
        process.wait()
    files.remove(folder)  # one test writes its own process into it


def test_a_job_is_running_whatever_the_clock_is_set_to(sleeper, monkeypatch):
    job = monitor.find(sleeper)
    assert job.progress.state == "running"
    create_time = psutil.Process.create_time
    for shift in (1, 3600, -3600):
        monkeypatch.setattr(
            psutil.Process, "create_time", lambda self, by=shift: create_time(self) + by
        )
        assert monitor.find(sleeper).progress.state == "running"
    psutil.Process(job.pid).kill()
    wait_for_exit(job)
    assert monitor.find(sleeper).progress.state == "failed"


def test_another_process_with_the_same_pid_is_not_stopped(sleeper):
    process = read_json(sleeper / PROCESS_FILE)
    job = monitor.find(sleeper)
    write_json(sleeper / PROCESS_FILE, {**process, "started": "of another boot 1"})
    assert monitor.find(sleeper).progress.state == "failed"
    with pytest.raises(ValueError, match="the job of 'found' is not running"):
        monitor.stop(job)
    with files.locked(sleeper / LOCK_FILE):  # by a process of another machine
        assert monitor.find(sleeper).progress.state == "running"
        with pytest.raises(ValueError, match="runs on another machine"):
            monitor.stop(job)
    assert psutil.pid_exists(process["pid"])


def test_only_one_process_works_on_a_job(sleeper):
    with spawn.working(sleeper):
        assert monitor.find(sleeper).pid == os.getpid()
        with pytest.raises(TimeoutError), spawn.working(sleeper):
            raise AssertionError("both work on it")


def test_a_process_that_was_never_started_does_not_block_its_name(dataset, monkeypatch):
    folder, arguments = monitor.job_folder(dataset, "apply", "found"), {"view": []}

    # 1. The system starts no process: nothing is left.
    def fail(*_, **__):
        raise OSError("no more processes")

    with monkeypatch.context() as patch:
        patch.setattr(spawn.subprocess, "Popen", fail)
        with pytest.raises(OSError, match=r"can't be started: no more processes"):
            spawn.start(dataset, "apply", "found", arguments)
    assert not folder.exists()

    # 2. The process that starts it was killed: it is starting only while locked.
    folder.mkdir()
    content = {"task": "apply", "dataset": dataset.name, "target": "found"}
    write_json(folder / JOB_FILE, content)
    with files.locked(folder.with_name(folders.JOB_LOCK)):
        assert monitor.find(folder).progress.state == "starting"
    assert monitor.find(folder).progress.state == "failed"

    # 3. It dies at once: an error of one line, and the key can be used again.
    popen = subprocess.Popen
    dead = [sys.executable, "-c", "print('no TensorFlow here'); raise SystemExit(3)"]
    monkeypatch.setattr(
        spawn.subprocess, "Popen", lambda *_, **options: popen(dead, **options)
    )
    for _ in range(2):
        with pytest.raises(OSError, match=r"did not start: .*no TensorFlow here"):
            spawn.wait_until_connected(
                spawn.start(dataset, "apply", "found", arguments)
            )


def test_arguments_that_are_not_json_are_a_type_error_and_nothing_is_made(dataset):
    with pytest.raises(TypeError, match=r"'found' must be JSON: .*set"):
        spawn.start(dataset, "apply", "found", {"view": {1, 2}})
    assert not monitor.job_folder(dataset, "apply", "found").exists()


def test_a_second_start_at_the_same_time_is_an_os_error(dataset, monkeypatch):
    folder = monitor.job_folder(dataset, "apply", "found")
    folder.parent.mkdir(parents=True)
    monkeypatch.setattr(spawn, "START_TIMEOUT", 0.1)
    with (
        files.locked(folder.with_name(folders.JOB_LOCK)),
        pytest.raises(OSError, match=r"can't be started: another process is starting"),
    ):
        spawn.start(dataset, "apply", "found", {"view": []})


@pytest.mark.parametrize("text", ["[]", "{}", '"job"', '{"task": 1}', "{"])
def test_a_folder_that_is_not_a_job(tmp_path, text):
    (tmp_path / JOB_FILE).write_text(text)
    assert monitor.find(tmp_path) is None


def test_without_process_groups_a_file_interrupts(tmp_path, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr(child_process, "HAS_GROUPS", False)
    monkeypatch.setattr(child_process, "POLL_SECONDS", 0.01)
    assert child_process.new_group() == {"creationflags": 0}
    stop_file = tmp_path / STOP_FILE
    child_process.terminate(os.getpid())  # does nothing: the file is the signal
    child_process.interrupt_when_exists(stop_file)

    def work():
        stop_file.touch()
        for _ in range(500):
            time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        work()


def test_the_training_of_a_job_uses_its_runs_dir(dataset, tmp_path, monkeypatch):
    options = {}

    def train(*_, **named):
        options.update(named)
        return SimpleNamespace(checkpoint_dir="there", summary_line="trained")

    monkeypatch.setattr(yolov1_fo, "train", train, raising=False)
    folder = monitor.job_folder(dataset, "train", "one", tmp_path)
    job = Job(folder, "train", dataset.name, "one", JobProgress(), None)
    worker._train(job, training(dataset), lambda *_, **__: None)
    assert options["runs_dir"] == tmp_path
    assert options["run_key"] == "one"
