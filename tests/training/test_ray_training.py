"""A training on the workers of a Ray cluster."""

import json
import signal
import threading
from pathlib import Path

import fiftyone as fo
import pytest

import yolov1_fo
from tests import ray_workers
from tests.training.test_distribution import assert_same_curves, on_jax
from yolov1_fo.config import packages
from yolov1_fo.ray_cluster import Workers
from yolov1_fo.runs import records
from yolov1_fo.training import ray_training
from yolov1_fo.training.first_process import FirstProcessError
from yolov1_fo.training.ray_training import WorkersDiedError

pytest.importorskip("ray", reason="needs the extra ray")
pytest.importorskip("jax", reason="needs the extra jax")


@pytest.fixture
def dataset(painted):
    painted.persistent = True
    return painted


@pytest.mark.slow
def test_a_training_outlives_a_worker(dataset, micro, cluster, tmp_path):
    train, val = dataset.match_tags("train"), dataset.match_tags("val")
    settings = {**micro, "epochs": 3}
    killer = ray_workers.Killer(tmp_path / "killed", epoch=2)
    handler = signal.getsignal(signal.SIGINT)
    run = yolov1_fo.train_on_ray(
        *(train, "ground_truth", val),
        **{**settings, "run_key": "shared", "runs_dir": tmp_path},
        ray_workers=2,
        on_epoch=killer,
    )
    assert signal.getsignal(signal.SIGINT) is handler
    assert len(json.loads(killer.marker.read_text())) == 1
    assert records.info(dataset, "shared").status == "finished"
    assert records.info(dataset, "shared").devices == 2
    assert Path(run.checkpoint_dir).is_relative_to(tmp_path)
    (((alone,), _),) = on_jax({"dataset": dataset.name, "trainings": [settings]})
    assert_same_curves({"history": run.history}, alone["history"])
    with pytest.raises(ValueError, match=r"^run 'shared' has finished; there is"):
        yolov1_fo.train_on_ray(train, val_samples=val, resume="shared")
    with pytest.raises(ValueError, match=r"^ray_workers must be at most 2, the CPU"):
        yolov1_fo.train_on_ray(train, val_samples=val, ray_workers=3, **settings)


def test_arguments_are_checked_before_ray_starts(painted, monkeypatch):
    with pytest.raises(ValueError, match=r"must be persistent, .*persistent = True$"):
        yolov1_fo.train_on_ray(painted)
    painted.persistent = True
    for given, line in (
        ({"ray_workers": -1}, "ray_workers must be at least 0, got -1"),
        ({"run_key": "a b"}, "run_key must be letters"),
        ({"epochs": 0}, "epochs must be"),
        ({"max_minutes": 5}, "max_minutes needs the TensorFlow backend"),
        ({"resume": "nobody"}, "run 'nobody' is not on dataset"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.train_on_ray(painted, **given)
    with pytest.raises(TypeError, match=r"^on_step must be picklable: "):
        yolov1_fo.train_on_ray(painted, on_step=threading.Lock())
    monkeypatch.setattr(packages, "is_installed", lambda name: name != "pyarrow")
    with pytest.raises(ImportError, match=r"^train_on_ray needs pyarrow: pip "):
        yolov1_fo.train_on_ray(painted)
    assert painted.list_runs() == []


@pytest.fixture
def attempts(dataset, monkeypatch):
    """Lets each attempt of `run` do what is next in a list; returns what was asked."""
    asked = []

    def run(*deeds):
        left = list(deeds)

        def attempt(work, workers):
            asked.append(work.settings)
            epochs, result = left.pop(0)
            if epochs:
                if not dataset.has_run("one"):
                    dataset.register_run("one", dataset.init_run(epoch=0))
                records.update(dataset, "one", epoch=epochs)
            if isinstance(result, BaseException):
                raise result
            return result

        monkeypatch.setattr(ray_training, "_fit_once", attempt)
        split = ray_training._split(dataset, "samples")
        first = {"epochs": 9}
        work = ray_training.Work(split, None, "one", Path("/nowhere"), first, {})
        return ray_training._fit(work, Workers(2, False, 1))

    run.asked = asked
    return run


def test_a_new_epoch_gives_new_attempts(attempts):
    died = WorkersDiedError("died")
    deeds = [(0, died), (0, died), (1, died), (1, died), (2, died), (2, "done")]
    assert attempts(*deeds) == "done"
    first, again = {"epochs": 9}, {"resume": "one"}
    assert attempts.asked == [first, first, first, again, again, again]


def test_it_gives_up_if_workers_die_repeatedly(attempts):
    with pytest.raises(WorkersDiedError, match=r"^died$"):
        attempts(*[(1, WorkersDiedError("died"))] * 5)
    assert len(attempts.asked) == 4


def test_an_error_of_a_worker_is_not_repeated(attempts):
    with pytest.raises(KeyError):
        attempts((1, KeyError("of on_epoch")), (2, "done"))
    assert len(attempts.asked) == 1


def test_the_error_of_a_worker_is_told_from_a_death():
    from ray import train
    from ray.exceptions import ActorDiedError
    from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

    own, first = OSError("the disk is full"), FirstProcessError()
    failure = train.WorkerGroupError("two", {0: own, 1: first})
    assert ray_training._error(failure) is own
    gone = ValueError("UNKNOWN: Gloo all-reduce failed: [...] Read error")
    dead = WorkerHealthCheckFailedError("worker", ActorDiedError())
    failure = train.WorkerGroupError("two", {0: gone, 1: dead})
    assert isinstance(ray_training._error(failure), WorkersDiedError)
    full = RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 1 bytes")
    failure = train.WorkerGroupError("two", {0: full, 1: gone})
    assert ray_training._error(failure) is full
    failure = train.WorkerGroupError("one", {1: first})
    error = ray_training._error(failure)
    assert isinstance(error, WorkersDiedError)
    assert str(error).startswith("worker 1 of the Ray cluster failed: process 0 has")


def test_a_stopped_training_says_how_to_resume_it(dataset, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ray_training.ray_cluster, "connected", stop)
    with pytest.raises(KeyboardInterrupt) as stopped:
        yolov1_fo.train_on_ray(dataset, run_key="one")
    [note] = stopped.value.__notes__
    assert note.startswith("run 'one' was stopped after epoch 0; resume it with")


def test_splits_of_two_datasets_stay_apart(dataset):
    other = fo.Dataset(persistent=True)
    try:
        other.add_sample(fo.Sample("/nowhere/1.jpg"))
        split = ray_training._split(other, "val_samples")
        assert ray_training._load(split).values("filepath") == ["/nowhere/1.jpg"]
        with pytest.raises(
            OSError, match=r"has no dataset .*, or a different one of that name; set F"
        ):
            ray_training._load(split._replace(dataset_id="0" * 24))
    finally:
        other.delete()
