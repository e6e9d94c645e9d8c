"""A training that is killed ends as if it had never been."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import yolov1_fo
from tests.test_images import damaged
from yolov1_fo import files
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import keras_file
from yolov1_fo.pipeline import batches
from yolov1_fo.runs import checkpoint, folders, records, registry
from yolov1_fo.training import callbacks
from yolov1_fo.training.progress import Progress

SETTINGS = {
    "epochs": 6,
    "dropout": 0.5,
    "optimizer": "adam",
    "ema_momentum": 0.9,
    "patience": 3,
    "validation_freq": 2,
}


class Killed(BaseException):
    """Ends a training as a signal does: nothing of ours catches it."""


def train(dataset, **settings):
    train, val = dataset.match_tags("train"), dataset.match_tags("val")
    return yolov1_fo.train(train, val_samples=val, **settings)


def cut(dataset, epoch, **settings):
    """Trains as run 'cut' until an epoch has ended, and leaves it as a kill would."""

    def die(number, metrics):
        if number == epoch:
            raise Killed

    with pytest.raises(Killed):
        train(dataset, run_key="cut", on_epoch=die, **settings)
    records.update(dataset, "cut", status="running")


def assert_same_run(run, whole):
    for ours, theirs in zip(*map(last_weights, (run, whole)), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert {**run.history, "seconds": 0} == {**whole.history, "seconds": 0}
    assert run.best["epoch"] == whole.best["epoch"]


def last_weights(run):
    folder = Path(run.checkpoint_dir).parent
    return keras_file.load(
        checkpoint.read_pointer(folder, "last") / "network.keras"
    ).get_weights()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "precision"),
    [
        ("host", "float32"),
        ("stream", "float32"),
        ("host", "mixed_float16"),
        ("host", "mixed_bfloat16"),
    ],
)
def test_resumed_is_as_if_never_stopped(painted, micro, mode, precision):
    settings = {**micro, **SETTINGS, "data": mode, "precision": precision}
    whole = train(painted, run_key="whole", **settings)
    cut(painted, 3, **settings)
    run = train(painted, resume="cut", progress=False)
    assert_same_run(run, whole)
    assert records.info(painted, "cut").status == "finished"
    assert painted.load_run_results("cut").history == run.history
    log = Path(run.checkpoint_dir).parent / "log.csv"
    assert len(log.read_text().splitlines()) == 1 + len(run.history["loss"])


CHILD = """
import os, signal, sys
import fiftyone as fo
import yolov1_fo
from tests.micro import MICRO
from yolov1_fo.training import callbacks, resume
from yolov1_fo.runs import checkpoint, records
from yolov1_fo.architectures import NETWORKS

NETWORKS["micro"] = MICRO
name, key, where, when = sys.argv[1:]
left = int(when)

def deadly(home, function):
    alive = getattr(home, function)
    def dies(*arguments, **named):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return alive(*arguments, **named)
    setattr(home, function, dies)

if where == "step":
    deadly(callbacks.RaiseOnNaN, "on_train_batch_end")
elif where == "saving":
    deadly(resume, "save")
elif where == "pointing":
    deadly(checkpoint, "_point")
elif where == "telling":
    deadly(records, "save_curves")
dataset = fo.load_dataset(name)
yolov1_fo.train(
    dataset.match_tags("train"), val_samples=dataset.match_tags("val"),
    resume=key, progress=False,
)
"""


def killed_child(dataset, *arguments):
    return subprocess.run(
        [sys.executable, "-c", CHILD, dataset.name, "cut", *arguments],
        cwd=Path(__file__).parents[2],
        env=os.environ,
        check=False,
    ).returncode


@pytest.mark.slow
def test_killed_again_and_again_it_ends_the_same(painted, micro):
    painted.persistent = True
    settings = {**micro, **SETTINGS, "freeze_epochs": 0}
    whole = train(painted, run_key="whole", **settings)
    cut(painted, 1, **settings)
    for where, when in (("step", 5), ("saving", 1), ("pointing", 2), ("telling", 2)):
        assert killed_child(painted, where, str(when)) == -signal.SIGKILL
        assert registry.keys(painted) == ["cut", "whole"]  # whoever lists runs looks
        assert painted.get_run_info("cut").config.status == "failed"
    assert not files.find_unfinished(folders.run_folder(painted, "cut"), "epoch_0002")
    run = train(painted, resume=folders.run_folder(painted, "cut"), progress=False)
    assert_same_run(run, whole)


@pytest.mark.slow
def test_killed_before_its_first_checkpoint_it_begins_again(painted, micro):
    whole = train(painted, run_key="whole", epochs=2, **micro)
    cut(painted, 1, epochs=2, **micro)
    folder = folders.run_folder(painted, "cut")
    for path in (folder / "last", folder / "best", folder / "epoch_0001"):
        path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(FileNotFoundError, match="has lost 'last'"):
        train(painted, resume="cut", progress=False)
    records.update(painted, "cut", epoch=0)
    assert_same_run(train(painted, resume="cut", progress=False), whole)


def test_a_backbone_that_has_thawed_learns_after_a_resume(monkeypatch):
    thawed = []
    monkeypatch.setattr(
        callbacks, "freeze_backbone", lambda *given: thawed.append(given)
    )
    config = TrainConfig(
        network="yolov1-efficientnet-lite0",
        epochs=9,
        freeze_epochs=2,
        freeze_to_stride=4,
    )
    for first, expected in ((0, 2), (2, 2), (5, 5)):
        unfreeze = callbacks.UnfreezeBackbone(config)
        unfreeze.set_model(
            SimpleNamespace(
                backbone="backbone",
                accelerate=lambda: None,
                make_train_function=lambda **_: None,
            )
        )
        for epoch in range(first, 9):
            unfreeze.on_epoch_begin(epoch)
            assert len(thawed) == (epoch >= expected)
        assert thawed == [("backbone", 4)]
        thawed.clear()


@pytest.mark.slow
def test_what_does_not_fit_a_resume_is_one_clear_line(painted, micro, caplog):
    cut(painted, 1, epochs=2, **micro)
    folder = folders.run_folder(painted, "cut")

    def resumed(samples=None, val="same", **arguments):
        samples = samples or painted.match_tags("train")
        val = painted.match_tags("val") if val == "same" else val
        arguments = {"resume": "cut", "progress": False, **arguments}
        return yolov1_fo.train(samples, val_samples=val, **arguments)

    with pytest.raises(ValueError, match=r"from the run; got gt_field, epochs too"):
        resumed(epochs=3, gt_field="boxes")
    with pytest.raises(ValueError, match=r"'other' is not on .*; training runs: cut"):
        resumed(resume="other")
    with pytest.raises(ValueError, match=r"validated on 2 images; .* got none"):
        resumed(val=None)
    with pytest.raises(ValueError, match=r"samples must be .* 6 .* then, 5 others now"):
        resumed(painted.match_tags("train").limit(5))
    with pytest.raises(ValueError, match=r"val_samples must be .* 2 .* then, 1 others"):
        resumed(val=painted.match_tags("val").limit(1))
    with (
        folders.locked(folder, "cut"),
        pytest.raises(ValueError, match="run 'cut' is being trained by a process"),
    ):
        resumed()
    state = folder / "epoch_0001" / "state"
    kept = (state / "variables.npz").read_bytes()
    (state / "variables.npz").write_bytes(kept[:1000])
    with pytest.raises(ValueError, match=r"state' can't be read"):
        resumed()
    (state / "variables.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"epoch_0001' has no state/variables"):
        resumed()
    (state / "variables.npz").write_bytes(kept)
    metadata = state.with_name("run.json")
    text = metadata.read_text()
    metadata.write_text(text.replace('"format": 2', '"format": 3'))
    with pytest.raises(ValueError, match=r"run.json' must have a format"):
        resumed()
    metadata.write_text(text)
    assert records.info(painted, "cut").status == "failed"

    sample = painted.match_tags("train").first()
    sample.ground_truth.detections[0].bounding_box[0] += 0.01
    sample.save()
    assert len(resumed(painted.match_tags("train").shuffle()).history["loss"]) == 2
    assert "labels changed since run 'cut' started" in caplog.text
    with pytest.raises(ValueError, match="run 'cut' has finished"):
        resumed()
    shutil.rmtree(folder)
    records.update(painted, "cut", status="stopped")
    with pytest.raises(FileNotFoundError, match="of run 'cut' does not exist"):
        resumed()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["host", "device", "stream"])
def test_the_choice_of_auto_stays(painted, micro, monkeypatch, tmp_path, mode):
    """Else a file that is damaged in the middle would count once, and once not."""
    spoilt = damaged(tmp_path / "spoilt.png")
    sample = painted.match_tags("train").first().copy()
    sample.filepath = str(spoilt)
    painted.add_sample(sample)
    choose = batches.choose_data_mode
    monkeypatch.setattr(batches, "choose_data_mode", lambda asked, *_: mode)
    whole = train(painted, run_key="whole", epochs=2, **micro)
    cut(painted, 1, epochs=2, **micro)
    monkeypatch.setattr(batches, "choose_data_mode", choose)  # host, as there is room
    assert_same_run(train(painted, resume="cut", progress=False), whole)


def test_progress_comes_back_from_json():
    progress = Progress(2, 1.5, {"loss": [1.0, None]}, {"epoch": 1, "loss": 0.5})
    assert Progress.from_json(progress.to_json()) == progress
    progress.operating_point = {"thresh": 0.3, "precision": None}
    assert Progress.from_json(progress.to_json()) == progress


def test_a_metric_that_came_later_is_none_in_earlier_epochs():
    progress = Progress(2, 1.5, {"loss": [2.0, 1.0]}, {"epoch": 2, "loss": 1.0})
    progress.add(3, {"loss": 3.0, "val_f1": 0.5})
    assert progress.history == {"loss": [2.0, 1.0, 3.0], "val_f1": [None, None, 0.5]}


@pytest.mark.slow
def test_a_run_of_an_older_version_goes_on(painted, micro):
    """It knows nothing of settings that came later."""

    def stop(epoch, _):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(painted, run_key="old", epochs=2, on_epoch=stop, **micro)
    record = painted._doc.runs["old"]
    older = {k: v for k, v in record.config.items() if k not in ("task", "weights")}
    for name in ("sqrt", "softmax", "hue", "align_corners", "rescore", "rmse_fallback"):
        del older["settings"][name]
    record.config = older
    record.save()
    painted.reload()
    run = yolov1_fo.train(painted, resume="old", progress=False)
    assert len(run.history["loss"]) == 2


@pytest.mark.slow
def test_a_run_of_other_layers_can_not_go_on(painted, micro, monkeypatch):
    """As one begun when normalization was Keras' own."""
    import keras

    from yolov1_fo.networks import layers

    def stop(epoch, _):
        raise KeyboardInterrupt

    normed = {**micro, "batch_norm": True}
    ours = layers.BatchNormalization
    monkeypatch.setattr(layers, "BatchNormalization", keras.layers.BatchNormalization)
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(painted, run_key="old", epochs=2, on_epoch=stop, **normed)
    monkeypatch.setattr(layers, "BatchNormalization", ours)
    line = "has a layer BatchNormalization where this version has yolov1_fo>BatchNorm"
    with pytest.raises(ValueError, match=line):
        yolov1_fo.train(painted, resume="old", progress=False)
    assert painted.get_run_info("old").config.epoch == 1
