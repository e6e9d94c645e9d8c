"""Estimated time and memory of a training."""

import csv

import pytest

from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import estimate, gpus

TRANSFER = {
    "network": "yolov1-efficientnet-lite0",
    "image_size": 320,
    "S": 20,
    "epochs": 30,
    "batch_size": 8,
}


def test_larger_trainings_take_longer():
    config = TrainConfig(**TRANSFER, C=5)
    base = estimate.estimate_training(config, 1000, 100)
    assert base.seconds > 60
    assert base.memory > 1e9
    for change in ({"epochs": 90}, {"image_size": 640, "S": 40}):
        other = TrainConfig(**{**TRANSFER, "C": 5, **change})
        changed = estimate.estimate_training(other, 1000, 100)
        assert changed.seconds > base.seconds * 1.5
    more_images = estimate.estimate_training(config, 4000, 100)
    assert more_images.seconds > base.seconds * 1.5
    larger = TrainConfig(**{**TRANSFER, "C": 5, "batch_size": 64})
    assert estimate.estimate_training(larger, 1000, 100).memory > base.memory


def past_run(tmp_path, seconds, **settings):
    """Returns a past run, with its log."""
    with (tmp_path / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "loss", "seconds"])
        writer.writerows((n, 1.0, s) for n, s in enumerate(seconds, start=1))
    config = TrainConfig(**{**TRANSFER, "C": 5, **settings})
    device = estimate.device_name(accelerated=False)
    return estimate.PastRun("before", config, device, 800, 100, str(tmp_path))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(gpus, "names", list)


def test_a_past_run_corrects_the_estimate(tmp_path, no_gpu):
    # 600 s per epoch; the first also compiles
    run = past_run(tmp_path, [1000.0, 1600.0, 2200.0])
    known = estimate.estimate_training(run.config, 800, 100, [run])
    assert known.source == 'on this CPU (based on run "before")'
    assert known.seconds == pytest.approx(30 * 600, rel=0.1)
    doubled = estimate.estimate_training(run.config, 1600, 200, [run])
    assert doubled.seconds == pytest.approx(2 * known.seconds, rel=0.1)
    begins = 'about 5 hours on this CPU (based on run "before"); '
    assert str(known).startswith(begins)
    assert str(known).endswith(" GB of memory")


@pytest.mark.parametrize("seconds", [[], [1000.0], [5.0, 5.0]])
def test_a_past_run_without_times_is_ignored(tmp_path, no_gpu, seconds):
    run = past_run(tmp_path, seconds)
    found = estimate.estimate_training(run.config, 800, 100, [run])
    assert found.source == "on this CPU (estimated)"


def test_runs_of_other_networks_and_devices_are_not_even_read(
    tmp_path, no_gpu, monkeypatch
):
    run = past_run(tmp_path, [1000.0, 1600.0])
    folders, read = [], estimate.history.read
    monkeypatch.setattr(
        estimate.history, "read", lambda folder: folders.append(folder) or read(folder)
    )
    for other in (
        run._replace(device="GPU"),
        run._replace(config=TrainConfig(network="fast-yolov1", C=5)),
    ):
        found = estimate.estimate_training(run.config, 800, 100, [other])
        assert found.source == "on this CPU (estimated)"
    assert folders == []
    estimate.estimate_training(run.config, 800, 100, [run])
    assert folders == [tmp_path]


def test_there_is_no_estimate_for_a_gpu_before_its_first_run(tmp_path, monkeypatch):
    monkeypatch.setattr(gpus, "names", lambda: ["NVIDIA H100"])
    run = past_run(tmp_path, [1000.0, 1010.0])
    found = estimate.estimate_training(run.config, 800, 100)
    assert found.seconds is None
    assert str(found).startswith("no estimate before a first run on this GPU; ")
    run = run._replace(device="GPU")
    found = estimate.estimate_training(run.config, 800, 100, [run])
    assert found.source == 'on this GPU (based on run "before")'


def test_a_time_limit_is_the_estimate(no_gpu):
    config = TrainConfig(**TRANSFER, C=5, schedule="cosine", max_minutes=20)
    found = estimate.estimate_training(config, 800, 100)
    assert found.seconds == 1200
    assert str(found).startswith("ends after about 20 minutes; ")


def test_epochs_may_end_a_training_before_its_time_limit(monkeypatch, no_gpu):
    config = TrainConfig(**{**TRANSFER, "epochs": 1}, C=5, max_minutes=10_000)
    found = estimate.estimate_training(config, 800, 100, has_max_epochs=True)
    assert found.seconds < 10_000 * 60
    assert "on this CPU" in str(found)
    # Without a speed, the limit is all that is known.
    found = estimate.estimate_training(
        config, 800, 100, has_gpu=True, has_max_epochs=True
    )
    assert found.seconds == 10_000 * 60


def test_a_duration_of_any_length_is_text():
    assert estimate.format_duration(1e300) == "100 years or more"
    assert estimate.format_duration(99 * 365 * 86400.0).startswith("99 years")
