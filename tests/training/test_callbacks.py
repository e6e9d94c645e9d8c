"""Keras callbacks see a training as they see one of Keras, and can end it."""

import csv
import logging
from types import SimpleNamespace

import fiftyone as fo
import keras
import pytest

import yolov1_fo
from tests.training.test_resume import assert_same_run, train
from yolov1_fo.runs import records
from yolov1_fo.training import callbacks
from yolov1_fo.training.coordination import StopTogether


class Seeing(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.seen, self.steps, self.begun = [], 0, []

    def on_train_begin(self, logs=None):
        self.begun.append((self.params["epochs"], self.params["steps"]))

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append((epoch, dict(logs)))


class Stopping(keras.callbacks.Callback):
    """Stops in an epoch, at the first call of a hook."""

    def __init__(self, epoch, hook="on_epoch_end"):
        super().__init__()
        self.epoch, self.now = epoch, 0
        setattr(self, hook, self.stop)

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def stop(self, number, logs=None):
        if self.now == self.epoch:
            self.model.stop_training = True


class Failing(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            raise KeyError("no such\nrun")


@pytest.mark.slow
def test_they_see_the_metrics_of_the_validation(painted, micro, tmp_path):
    seeing = Seeing()
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    run = train(painted, epochs=2, callbacks=[seeing, log], **micro)
    assert seeing.begun == [(2, 3)]
    assert seeing.steps == 6
    for epoch, logs in seeing.seen:
        for name in ("loss", "coord_xy", "val_loss", "val_voc07"):
            assert logs[name] == run.history[name][epoch]
    assert seeing.model.network.count_params() > 0
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["val_loss"]) for row in rows] == run.history["val_loss"]
    assert records.info(painted, run.run_key).stopped_early is None


@pytest.mark.slow
def test_early_stopping_of_keras_finishes_the_run(painted, micro, caplog):
    early = keras.callbacks.EarlyStopping("val_voc07", mode="max", patience=2)
    still = {**micro, "learning_rate": 0.0}  # never better than the first epoch
    with caplog.at_level(logging.INFO):
        run = train(painted, epochs=6, callbacks=[Seeing(), early], **still)
    info = records.info(painted, run.run_key)
    assert (info.status, info.epoch) == ("finished", 3)
    assert info.stopped_early == "by callback EarlyStopping in epoch 3"
    assert "stopped early, by callback EarlyStopping in epoch 3 of 6" in caplog.text
    assert len(run.history["loss"]) == 3
    with pytest.raises(ValueError, match="has finished; there is nothing to resume"):
        train(painted, resume=run.run_key, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
def test_a_stop_within_an_epoch_finishes_the_run(painted, micro, hook):
    seeing, stopping = Seeing(), Stopping(1, hook)
    run = train(painted, epochs=4, callbacks=[seeing, stopping], **micro)
    info = records.info(painted, run.run_key)
    assert (info.status, info.epoch) == ("finished", 2)
    assert info.stopped_early == "by callback Stopping in epoch 2"
    assert seeing.steps == 4  # 3 in epoch 1, 1 in epoch 2


@pytest.mark.slow
def test_patience_and_the_last_epoch_are_not_ascribed_to_them(painted, micro):
    last = train(painted, epochs=1, callbacks=[Stopping(0)], **micro)
    still = {**micro, "learning_rate": 0.0, "patience": 1}
    patient = train(painted, epochs=4, callbacks=[Seeing()], **still)
    assert len(patient.history["loss"]) == 2
    whole, early = (records.info(painted, run.run_key) for run in (last, patient))
    assert (whole.status, whole.stopped_early) == ("finished", None)
    assert early.status == "finished"
    assert "has not exceeded" in early.stopped_early


@pytest.mark.slow
def test_one_that_fails_leaves_a_run_that_resumes(painted, micro):
    whole = train(painted, run_key="whole", epochs=3, **micro)
    with pytest.raises(KeyError):
        train(painted, run_key="cut", epochs=3, callbacks=[Failing()], **micro)
    info = records.info(painted, "cut")
    assert (info.status, info.epoch) == ("failed", 2)
    assert "no such" in info.error
    assert "\n" not in info.error
    seeing = Seeing()
    run = train(painted, resume="cut", callbacks=[seeing], progress=False)
    assert_same_run(run, whole)
    assert [epoch for epoch, _ in seeing.seen] == [2]
    assert records.info(painted, "cut").status == "finished"


@pytest.mark.slow
def test_a_loss_that_is_not_finite_fails_before_they_can_stop_it(painted, micro):
    settings = {**micro, "learning_rate": 1e30, "schedule": "constant"}
    with pytest.raises(FloatingPointError, match="images of that step"):
        train(painted, callbacks=[keras.callbacks.TerminateOnNaN()], **settings)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ([keras.callbacks.TerminateOnNaN], "got the class TerminateOnNaN"),
        (["tensorboard"], "got 'tensorboard'"),
        (3, "got 3"),
    ],
)
@pytest.mark.parametrize("function", ["train", "pretrain"])
def test_others_are_one_clear_line(painted, micro, function, given, line):
    line = f"callbacks must be instances of keras.callbacks.Callback, {line}"
    with pytest.raises(TypeError, match=line):
        getattr(yolov1_fo, function)(painted, callbacks=given, **micro)
    assert not painted.list_runs()


def test_one_callback_or_several_are_taken():
    one = keras.callbacks.TerminateOnNaN()
    assert callbacks.check_callbacks(None) == []
    assert callbacks.check_callbacks(one) == callbacks.check_callbacks((one,)) == [one]


@pytest.mark.slow
def test_pretrain_takes_them_too(painted, micro):
    painted.set_values(
        "kind", [fo.Classification(label=("red", "blue")[n % 2]) for n in range(8)]
    )
    seeing = Seeing()
    settings = {key: value for key, value in micro.items() if key != "S"}
    val = painted.match_tags("val")
    yolov1_fo.pretrain(
        *(painted.match_tags("train"), "kind", val),
        epochs=1,
        callbacks=[seeing],
        **settings,
    )
    assert seeing.seen[0][1]["val_top1"] >= 0


def test_processes_stop_together_at_the_end_of_an_epoch():
    said = []

    def from_first(text):  # as the second process sees it, then as the first
        said.append(text)
        return "stop" if is_first is False else text

    for is_first in (True, False):
        model = SimpleNamespace(stop_training=False)
        together = StopTogether(SimpleNamespace(from_first=from_first))
        together.set_model(model)
        together.on_train_batch_end(0)
        model.stop_training = is_first  # a callback of the first process
        together.on_train_batch_end(1)
        assert model.stop_training is False
        together.on_epoch_end(0)
        assert model.stop_training is True
    assert said == ["stop", "continue"]


@pytest.mark.slow
def test_mlflow_keeps_the_metrics_in_a_local_store(
    painted, micro, tmp_path, monkeypatch
):
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    import mlflow.keras

    store = (tmp_path / "mlruns").as_uri()
    mlflow.set_tracking_uri(store)
    with mlflow.start_run() as started:
        told = mlflow.keras.MlflowCallback()
        run = train(painted, epochs=2, callbacks=[told], **micro)
    client = mlflow.MlflowClient(store)
    for name in ("loss", "coord_xy", "val_loss", "val_voc07"):
        kept = client.get_metric_history(started.info.run_id, name)
        assert [one.value for one in kept] == pytest.approx(run.history[name])
        assert [one.step for one in kept] == [0, 1]
