"""The picture of the first batch shows what the first step trains on."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest

import yolov1_fo
from tests.training.test_resume import assert_same_run
from yolov1_fo import augment
from yolov1_fo.runs import folders
from yolov1_fo.training import train_batch
from yolov1_fo.visualize import sheets

LAYERS = [keras.layers.RandomFlip("vertical"), keras.layers.RandomBrightness(0.3)]


class RunEagerly(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.run_eagerly = True
        self.model.make_train_function(force=True)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["host", "device", "stream"])
@pytest.mark.parametrize(
    ("settings", "layers"),
    [({"hue": 0.1}, None), ({"letterbox": True}, None), ({}, LAYERS)],
)
def test_it_shows_what_the_first_step_trains_on(
    painted, micro, monkeypatch, mode, settings, layers
):
    import tensorflow as tf

    results, alive = [], augment.apply

    def note(*given, **named):
        result = alive(*given, **named)
        if isinstance(result[0], tf.__internal__.EagerTensor):  # not when it is built
            results.append([part.numpy() for part in result])
        return result

    monkeypatch.setattr(augment, "apply", note)
    yolov1_fo.train(
        painted,
        **{**micro, "epochs": 1, "batch_size": 4, "data": mode, "val_fraction": 0},
        **settings,
        augmentation=layers,
        callbacks=[RunEagerly()],
    )
    assert len(results) == 1 + 2  # the picture, and two steps of 4 of 8 images
    for shown, trained, other in zip(*results, strict=True):
        assert shown.shape == trained.shape
        np.testing.assert_allclose(shown, trained, atol=1e-6)
        assert not np.array_equal(shown, other)


@pytest.mark.slow
def test_it_does_not_change_the_training(painted, micro, monkeypatch):
    settings = {**micro, "epochs": 2, "dropout": 0.5, "augmentation": LAYERS}
    run = yolov1_fo.train(painted, run_key="with", **settings)
    path = folders.run_folder(painted, "with") / folders.TRAIN_BATCH
    assert sheets.read(path).size == (2 * 320 + 8, 320)
    monkeypatch.setattr(train_batch, "write", lambda *_: None)
    monkeypatch.setattr("yolov1_fo.training.validation.Validator.draw", lambda *_: None)
    without = yolov1_fo.train(painted, run_key="without", **settings)
    assert not (path.parents[1] / "without" / folders.TRAIN_BATCH).exists()
    assert_same_run(run, without)


@pytest.mark.slow
def test_an_error_is_one_warning(painted, micro, monkeypatch, caplog):
    def fail(*_):
        raise MemoryError("no room")

    monkeypatch.setattr(train_batch, "augmented", fail)
    with caplog.at_level(logging.WARNING):
        run = yolov1_fo.train(painted, **{**micro, "epochs": 1})
    lines = [one.message for one in caplog.records if "can't be made" in one.message]
    assert len(lines) == 1
    assert "train_batch.jpg' can't be made: no room" in lines[0]
    assert Path(run.report_path).is_file()
