"""Other processes find what this one finds, and survive the death of one of them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fiftyone as fo
import psutil
import pytest
from bson import ObjectId

import yolov1_fo
from tests import engine_workers
from tests.engine_workers import Killer
from tests.same import assert_same
from yolov1_fo.inference import engine_worker, engines, process_engine
from yolov1_fo.inference.engine_worker import ChunkResult
from yolov1_fo.model import YOLOv1Model, YOLOv1ModelConfig


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.fixture
def many(painted, painted_files):
    """A dataset of 120 images, of which one can't be read."""
    paths = painted.values("filepath") * 15
    paths[7] = "/nowhere/missing.png"
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(path) for path in paths])
    yield dataset
    dataset.delete()


@pytest.mark.parametrize("engine", ["process", "ray"])
@pytest.mark.slow
def test_the_death_of_a_worker_changes_nothing(
    many, model, engine, request, monkeypatch, caplog
):
    if engine == "ray":
        request.getfixturevalue("cluster")
    monkeypatch.setattr(engine_worker, "CHUNK_SIZE", 8)
    yolov1_fo.apply(many, model, "alone")
    caplog.clear()
    killer = Killer(engine)
    settings = {"engine": engine, "num_workers": 2, "batch_size": 4}
    faults = yolov1_fo.apply(many, model, "shared", progress=killer, **settings)
    assert [*faults] == ["/nowhere/missing.png"]
    assert caplog.text.count("missing.png") == 1
    assert killer.killed
    assert "predicted again" in caplog.text
    assert killer.images == len(many)
    assert len(many.exists("shared")) == len(many) - 1
    for shared, alone in zip(*many.values(["shared", "alone"]), strict=True):
        if alone is not None:
            assert_same(shared, alone)


@pytest.mark.slow
def test_images_that_kill_workers_keep_no_others_from_being_predicted(
    many, model, monkeypatch
):
    predict, poison = engine_worker.predict, many.values("id")[17]

    def die(task, files):
        if poison in files.ids:
            os.kill(os.getpid(), signal.SIGKILL)
        return predict(task, files)

    monkeypatch.setattr(engine_worker, "CHUNK_SIZE", 8)
    monkeypatch.setattr(engine_worker, "predict", die)
    monkeypatch.setattr(process_engine, "ATTEMPTS", 2)
    settings = {"engine": "process", "num_workers": 1, "batch_size": 4}
    with pytest.raises(
        OSError, match=r"^worker processes died 2 times in a row, .* 7 f"
    ):
        yolov1_fo.apply(many, model, "shared", **settings)
    assert len(many.exists("shared")) == len(many) - 8 - 1


@pytest.mark.slow
def test_workers_end_with_an_error_of_the_caller(many, model, monkeypatch):
    monkeypatch.setattr(engine_worker, "CHUNK_SIZE", 8)

    def fail(progress_bar):
        if progress_bar.iteration:
            raise KeyboardInterrupt

    settings = {"engine": "process", "num_workers": 2, "batch_size": 4}
    sample = many.first()
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.apply(many, model, "shared", progress=fail, **settings)
    assert not engine_workers.running("process")
    assert 0 < len(many.exists("shared")) < len(many)
    assert sample.shared == many.first().shared  # it was refreshed


@pytest.mark.slow
def test_the_caller_can_stop_when_a_worker_has_died(many, model, monkeypatch, caplog):
    """As a job does, whose workers get the signal that stops it too."""
    killer = Killer("process")

    def kill_and_stop(progress_bar):
        if killer.killed:
            raise KeyboardInterrupt
        killer(progress_bar)

    monkeypatch.setattr(engine_worker, "CHUNK_SIZE", 8)
    settings = {"engine": "process", "num_workers": 1, "batch_size": 4}
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.apply(many, model, "shared", progress=kill_and_stop, **settings)
    assert killer.killed
    assert "predicted again" not in caplog.text


KILLED = """
import os, signal, sys
import fiftyone as fo
import yolov1_fo
from tests import engine_workers
from yolov1_fo.inference import engine_worker

engine_worker.CHUNK_SIZE = 8
dataset, model = fo.load_dataset(sys.argv[1]), yolov1_fo.load_model(sys.argv[2])

def die(progress_bar):
    if progress_bar.iteration:
        print(*[one.pid for one in engine_workers.running("process")], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

settings = {"engine": "process", "num_workers": 2, "batch_size": 4}
yolov1_fo.apply(dataset, model, "shared", progress=die, **settings)
"""

LOST = """
import sys
import fiftyone as fo
import ray
from ray.cluster_utils import Cluster
import yolov1_fo
from yolov1_fo.inference import engine_worker

engine_worker.CHUNK_SIZE = 8
dataset, model = fo.load_dataset(sys.argv[1]), yolov1_fo.load_model(sys.argv[2])
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
lost = [cluster.add_node(num_cpus=1)]
ray.init(address=cluster.address, log_to_driver=False)

def lose(progress_bar):
    if progress_bar.iteration >= 40 and lost:
        cluster.remove_node(lost.pop(), allow_graceful=False)

settings = {"engine": "ray", "batch_size": 4}
yolov1_fo.apply(dataset, model, "shared", progress=lose, **settings)
assert not lost
print("found in", len(dataset.exists("shared")))
ray.shutdown()
cluster.shutdown()
"""


def run_child(code, dataset, checkpoint_dir):
    return subprocess.run(
        [sys.executable, "-c", code, dataset.name, checkpoint_dir],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_workers_end_with_a_caller_that_is_killed(many, checkpoint_dir):
    many.persistent = True
    done = run_child(KILLED, many, checkpoint_dir)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pids = [*map(int, done.stdout.split())]
    assert len(pids) == 2
    deadline = time.monotonic() + 30
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < deadline, pids
        time.sleep(0.1)
    assert 0 < len(many.exists("shared")) < len(many)


@pytest.mark.slow
def test_the_others_predict_the_images_of_a_lost_machine(many, checkpoint_dir):
    pytest.importorskip("ray", reason="needs the extra ray")
    many.persistent = True
    done = run_child(LOST, many, checkpoint_dir)
    assert done.returncode == 0, done.stderr
    assert f"found in {len(many) - 1}" in done.stdout


@pytest.mark.slow
def test_workers_have_the_thresholds_of_the_caller(painted, model):
    model.config.confidence_thresh = None
    yolov1_fo.apply(painted, model, "alone")
    yolov1_fo.apply(painted, model, "shared", engine="process", num_workers=1)
    for shared, alone in zip(*painted.values(["shared", "alone"]), strict=True):
        assert_same(shared, alone)


def test_what_workers_warn_of_is_logged_once(painted, model, monkeypatch, caplog):
    results = [ChunkResult(2, {}, frozenset({"not finite"}))] * 2
    monkeypatch.setitem(engines._RUN, "process", lambda *_: (one for one in results))
    yolov1_fo.apply(painted, model, "shared", engine="process")
    assert caplog.messages == ["not finite"]


def test_a_worker_with_another_database_is_an_error(painted):
    other = str(ObjectId())
    with pytest.raises(OSError, match=r"has no dataset .*, or a different one of that"):
        engine_worker._target(painted.name, other, "found", "id")
    own = str(painted._doc.id)
    assert engine_worker._target(painted.name, own, "found", "id").samples == painted


@pytest.mark.slow
def test_processes_write_tiles_logits_and_frames(painted, model, checkpoint_dir):
    files = painted.values("filepath")
    video = fo.Sample("/nowhere/film.mp4")
    for number, path in enumerate(files, 1):
        video.frames[number] = fo.Frame(filepath=path)
    films = fo.Dataset()
    films.add_sample(video)
    frames = films.to_frames(sample_frames=False)
    settings = {"tiles": 2, "store_logits": True}
    yolov1_fo.apply(frames.limit(2), model, "shared")  # skipped below
    first = frames.limit(2).values("shared.detections.id")
    yolov1_fo.apply(frames, model, "alone", **settings)
    settings |= {"engine": "process", "num_workers": 1, "skip_existing": True}
    yolov1_fo.apply(frames, model, "shared", **settings)
    assert frames.limit(2).values("shared.detections.id") == first
    assert films.values("frames.shared.detections.id", unwind=True) == frames.values(
        "shared.detections.id", unwind=True
    )
    pairs = zip(*frames.skip(2).values(["shared", "alone"]), strict=True)
    for shared, alone in pairs:
        assert_same(shared, alone)
        for one, other in zip(shared.detections, alone.detections, strict=True):
            assert one.logits == pytest.approx(other.logits, abs=1e-4)


@pytest.mark.slow
def test_a_cluster_may_have_too_few_cores(painted, model, cluster):
    yolov1_fo.apply(painted.limit(1), model, "shared")
    before = painted.get_field("shared").info
    with pytest.raises(ValueError, match=r"at most 2, the CPU cores of the Ray .* 3$"):
        yolov1_fo.apply(painted, model, "shared", engine="ray", num_workers=3)
    assert len(painted.exists("shared")) == 1
    assert painted.get_field("shared").info == before


def test_engines_refuse_what_they_cannot_do(painted, model, micro):
    with pytest.raises(ValueError, match=r"engine .*'tread'.* thread"):
        yolov1_fo.apply(painted, model, engine="tread")
    settings = {"network": "micro", "image_size": 32, "S": 2}
    network = YOLOv1Model(YOLOv1ModelConfig({"settings": settings}))
    with pytest.raises(ValueError, match="an untrained network needs engine='thread'"):
        yolov1_fo.apply(painted, network, engine="process")
    assert not painted.has_field("predictions")
    videos = fo.Dataset()
    videos.add_sample(fo.Sample("/nowhere/film.mp4"))
    with pytest.raises(ValueError, match="engine='ray' is for images, not for videos"):
        yolov1_fo.apply(videos, model, engine="ray")
