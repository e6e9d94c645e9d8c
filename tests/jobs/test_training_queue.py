"""Trainings that wait for each other."""

import os
import threading
import time

import pytest

from yolov1_fo import files
from yolov1_fo.jobs import monitor, training_queue
from yolov1_fo.jobs.job import (
    JOB_FILE,
    PROCESS_FILE,
    JobProgress,
    write_json,
    write_progress,
)
from yolov1_fo.jobs.spawn import _write_process


@pytest.fixture
def make_job(painted, tmp_path, monkeypatch):
    """Returns a function that makes a training, whose process is this one."""
    monkeypatch.setattr(training_queue, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(training_queue.gpus, "names", lambda: ["a", "b"])

    def make(target, submitted, device=None, task="train", state="running", **more):
        folder = monitor.job_folder(painted, task, target, tmp_path)
        folder.mkdir(parents=True)
        content = {"task": task, "dataset": painted.name, "target": target}
        given = {"device": device, **more}
        arguments = {"arguments": given, "submitted": submitted}
        write_json(folder / JOB_FILE, {**content, **arguments})
        write_progress(folder, JobProgress(state))
        _write_process(folder, os.getpid())
        return monitor.find(folder)

    return make


def finish(job):
    write_progress(job.folder, JobProgress("finished"))


def test_they_wait_in_the_order_in_which_they_were_started(make_job):
    second, first, third = (make_job(f"run_{n}", n) for n in (2, 1, 3))
    make_job("found", 0, task="apply")  # no training
    assert training_queue.ahead(first) == []
    assert training_queue.ahead(second) == ["'run_1'"]
    assert sorted(training_queue.ahead(third)) == ["'run_1'", "'run_2'"]
    finish(first)
    assert training_queue.ahead(second) == []
    assert training_queue.ahead(third) == ["'run_2'"]


def test_trainings_out_of_fold_wait_too(make_job):
    first = make_job("first", 1)
    folds = make_job("mistake", 2, task="find_mistakes", folds=3)
    last = make_job("last", 3)
    assert training_queue.ahead(folds) == ["'first'"]
    assert sorted(training_queue.ahead(last)) == ["'first'", "'mistake'"]
    assert not training_queue.trains(make_job("other", 4, task="find_mistakes"))
    assert training_queue.trains(first)


def test_a_killed_training_is_waited_for_no_longer(make_job):
    first, second = make_job("first", 1), make_job("second", 2)
    process = {"pid": 4_000_000, "started": "never"}
    write_json(first.folder / PROCESS_FILE, process)
    assert training_queue.ahead(second) == []


@pytest.mark.parametrize(
    ("devices", "waits"),
    [
        ((None, None), True),
        ((None, "0"), True),  # the backend's choice is the first GPU
        (("0", "1"), False),
        (("cpu", None), False),
        (("cpu", "cpu"), True),
    ],
)
def test_only_trainings_on_one_device_wait(make_job, devices, waits):
    make_job("first", 1, devices[0])
    assert bool(training_queue.ahead(make_job("second", 2, devices[1]))) == waits


def test_without_a_gpu_all_trainings_are_on_the_cpu(make_job, monkeypatch):
    monkeypatch.setattr(training_queue.gpus, "names", list)
    make_job("first", 1, "cpu")
    assert training_queue.ahead(make_job("second", 2)) == ["'first'"]


def test_one_trains_at_a_time(make_job):
    jobs = [make_job(f"run_{n}", n) for n in range(3)]
    order, shown = [], {job.target: [] for job in jobs}

    def train(job):
        with training_queue.turn(job, shown[job.target].append):
            order.append(f"{job.target} begins")
            time.sleep(0.05)
            order.append(f"{job.target} ends")
        finish(job)

    threads = [threading.Thread(target=train, args=(job,)) for job in reversed(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert order == [f"run_{n} {what}" for n in range(3) for what in ("begins", "ends")]
    assert shown["run_0"] == []
    assert shown["run_1"][0] == "waiting for 'run_0'"


def test_what_holds_the_device_is_waited_for(make_job):
    job, shown = make_job("one", 1), []
    with training_queue.turn(job, shown.append):
        [lock] = job.folder.parents[2].glob(".training_*_0.lock")
    with files.locked(lock):

        def show(line):
            shown.append(line)
            if len(shown) == 2:
                files.remove(job.folder)

        with (
            pytest.raises(ValueError, match="the job of 'one' was deleted"),
            training_queue.turn(job, show),
        ):
            raise AssertionError("two train on one device")
    assert shown == ["waiting for another training"] * 2
