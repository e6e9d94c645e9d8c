"""Whoever shares a batch, the losses are those of one device."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import yolov1_fo
from tests import mongod
from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import records
from yolov1_fo.training.distribution import ONE, Devices, share

NAMES = ("loss", "coord_xy", "class_probs", "val_loss", "val_voc07")


def start(arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.share", json.dumps(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
        cwd=Path(__file__).parents[2],
    )


def said(process):
    try:
        out, error = process.communicate(timeout=500)
    except subprocess.TimeoutExpired:  # one that waits for another
        process.kill()
        out, error = process.communicate()
        error += "CUT OFF"
    lines = [line for line in out.splitlines() if line.startswith("said ")]
    return [json.loads(line[5:]) for line in lines], error


def on_jax(arguments, processes=1):
    """Returns what each worker says, and its exit code."""
    address = f"127.0.0.1:{mongod.free_port()}"
    environment = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    if processes > 1:
        environment |= {
            "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
            "KERAS_DISTRIBUTION_NUM_PROCESSES": str(processes),
            "JAX_COORDINATOR_BIND_ADDRESS": address,
        }
    processes = [
        start(arguments, **environment, KERAS_DISTRIBUTION_PROCESS_ID=str(worker))
        for worker in range(processes)
    ]
    return [said(process) for process in processes]


def assert_same_curves(run, alone):
    for name in NAMES:
        assert run["history"][name] == pytest.approx(alone[name], abs=1e-4)


@pytest.mark.slow
def test_two_devices_take_the_steps_of_one(painted, micro):
    train, val = painted.match_tags("train"), painted.match_tags("val")
    settings = {**micro, "epochs": 2}
    cases = [
        {**settings, "data": "stream"},
        {**settings, "data": "device", "sample_weights": "balanced"},
        # What Keras would do to the gradients of each replica; averages of the weights.
        {
            **settings,
            "global_clipnorm": 0.5,
            "learning_rate": 1e-2,
            "ema_momentum": 0.5,
        },
    ]
    more = [
        {"run_key": "cut", "deed": "stop"},
        {"learning_rate": 1e30, "schedule": "constant", "run_key": "diverges"},
        # That they run at all; their curves are others.
        {
            "batch_norm": True,
            "dropout": 0.5,
            "precision": "mixed_float16",
            "epochs": 1,
            "layer": "RandomFlip",
            "mosaic": 1.0,
        },
        {"batch_size": 3},
        {"steps_per_execution": 3},
        {"gradient_accumulation_steps": 2},
    ]
    trainings = [{**one, "devices": 2} for one in cases]
    trainings += [{**settings, **one, "devices": 2} for one in more]
    trainings.append({**settings, "devices": 3})
    told, error = said(
        start({"dataset": painted.name, "trainings": trainings, "notice": True})
    )
    assert len(told) == len(trainings) + 1, error
    for case, run in zip(cases, told, strict=False):
        alone = yolov1_fo.train(train, val_samples=val, **case)
        assert_same_curves(run, alone.history)
    info = records.info(painted, told[1]["run_key"])
    assert (info.devices, info.data) == (2, "device")

    cut, diverges, other, odd, several, accumulated, three, noticed = told[len(cases) :]
    assert cut["error"] == "interrupted"
    resumed = yolov1_fo.train(train, val_samples=val, resume="cut", progress=False)
    assert_same_curves(told[0], resumed.history)
    assert "the loss is not finite at epoch 1, step" in diverges["error"]
    assert "history" in other
    assert accumulated["error"] == (
        "gradient_accumulation_steps must be 1 for several devices on TensorFlow, got 2"
    )
    assert odd["error"] == (
        "batch_size must be a multiple of 2, the devices that share it, got 3"
    )
    assert several["error"] == (
        "steps_per_execution must be 1 for several devices on TensorFlow, got 3"
    )
    assert three["error"] == (
        "devices must be at most 2, the logical CPU devices that TensorFlow has "
        "started with; got 3; train in a new process"
    )
    assert noticed == [-1, 1, 1, 1]


@pytest.mark.slow
def test_two_workers_take_the_steps_of_one(painted, micro):
    pytest.importorskip("jax", reason="needs the extra jax")
    settings = {**micro, "epochs": 2}
    (((alone,), _),) = on_jax({"dataset": painted.name, "trainings": [settings]})
    shared = {**settings, "run_key": "shared"}
    failing = {**settings, "run_key": "failing", "deed": "fail"}
    early = {"resume": "failing", "tag": "val", "progress": False}
    stopped = {**settings, "run_key": "stopped", "epochs": 3, "stop_at": 1}
    stopped |= {"gradient_accumulation_steps": 2, "layer": "RandomFlip"}
    trainings = [shared, failing, early, stopped]
    arguments = {"dataset": painted.name, "trainings": trainings}
    (first, error), (second, _) = on_jax(arguments, processes=2)
    assert len(first) == len(second) == 4, error
    assert_same_curves(first[0], alone["history"])
    assert second[0] == first[0]
    assert first[1]["error"] == "no more space"
    assert "samples must be those that run 'failing' started with" in first[2]["error"]
    assert len(first[3]["history"]["loss"]) == 1
    assert second[3] == first[3]
    for heard in second[1:3]:
        assert heard["error"] == "process 0 has failed; see its own output"
    painted.reload()
    run = records.info(painted, "shared")
    assert (run.status, run.devices, run.processes, run.data) == (
        "finished",
        2,
        2,
        "stream",
    )
    assert records.info(painted, "failing").status == "failed"
    stopped = records.info(painted, "stopped")
    assert (stopped.status, stopped.epoch) == ("finished", 1)
    assert stopped.stopped_early == "by callback StopAt in epoch 1"


@pytest.mark.slow
def test_a_worker_does_not_outlive_the_first(painted, micro):
    pytest.importorskip("jax", reason="needs the extra jax")
    dies = {**micro, "epochs": 2, "run_key": "dies", "deed": "die"}
    (first, _), (second, error) = on_jax(
        {"dataset": painted.name, "trainings": [dies]}, processes=2
    )
    assert first == []
    assert "CUT OFF" not in error
    if second:  # it may be ended before it can say so
        assert "error" in second[0]


def test_each_worker_reads_its_part():
    parts = [Devices(count=3, process=one, processes=3).part(12) for one in range(3)]
    assert [list(range(12))[part] for part in parts] == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]
    assert ONE.part(12) == slice(0, 12)


@pytest.mark.parametrize(
    ("devices", "line"),
    [
        (-1, "devices must be at least 0, got -1"),
        (1.5, "devices must be a whole number, got 1.5"),
        (True, "devices must be a whole number, got True"),
    ],
)
def test_bad_numbers_are_one_clear_line(devices, line):
    with pytest.raises(ValueError, match=line), share(devices):
        pass


def test_workers_need_jax(monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    line = "several processes need the JAX backend"
    with pytest.raises(ValueError, match=line), share():
        pass


def test_one_device_is_keras_default():
    with share() as devices, share(0) as zero:
        assert devices is zero is ONE
    ONE.check(TrainConfig(batch_size=3, steps_per_execution=3))
