"""The metric that decides which checkpoint is best and when a training stops."""

import logging
import math

import numpy as np
import pytest

import yolov1_fo
from yolov1_fo import decode
from yolov1_fo.config import TrainConfig
from yolov1_fo.config.train import MONITORS
from yolov1_fo.evaluation import average_precision, coco
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, folders
from yolov1_fo.training import validation
from yolov1_fo.training.progress import Progress

EPOCHS = [
    {"val_voc07": 0.5, "val_ap50": 0.1, "val_coco_map": 0.1, "val_f1": 0.1},
    {"val_voc07": 0.1, "val_ap50": 0.5, "val_coco_map": 0.1, "val_f1": 0.1},
    {"val_voc07": 0.1, "val_ap50": 0.1, "val_coco_map": 0.5, "val_f1": 0.1},
    {"val_voc07": 0.1, "val_ap50": 0.1, "val_coco_map": 0.1, "val_f1": 0.5},
    {"val_voc07": 0.1, "val_ap50": 0.1, "val_coco_map": 0.1, "val_f1": 0.1},
    {"val_voc07": 0.1, "val_ap50": 0.1, "val_coco_map": 0.1, "val_f1": 0.1},
]
VAL_LOSS, LOSS = [9, 9, 9, 9, 1, 9], [9, 9, 9, 9, 9, 1]
"""In epoch k the k-th monitor is best."""


def epochs():
    return [
        {**scores, "val_loss": float(VAL_LOSS[row]), "loss": float(LOSS[row])}
        for row, scores in enumerate(EPOCHS)
    ]


@pytest.mark.parametrize("monitor", MONITORS)
def test_the_monitor_decides(monitor):
    progress = Progress()
    for epoch, metrics in enumerate(epochs(), start=1):
        progress.add(epoch, metrics, monitor)
    assert progress.best["epoch"] == 1 + MONITORS.index(monitor)


@pytest.mark.parametrize("monitor", MONITORS)
def test_an_epoch_without_validation_is_never_the_best(monitor):
    progress = Progress()
    for epoch, metrics in enumerate(epochs(), start=1):
        rest = {name: math.nan for name in metrics if name != "loss"}
        is_validated = epoch == 3
        unmeasured = {**rest, "loss": 0.0}
        progress.add(epoch, metrics if is_validated else unmeasured, monitor)
    assert progress.best["epoch"] == 3


@pytest.mark.parametrize("monitor", MONITORS)
def test_without_a_validation_split_the_loss_decides(monitor):
    progress = Progress()
    for epoch, loss in enumerate([3.0, 1.0, 2.0], start=1):
        progress.add(epoch, {"loss": loss}, monitor)
    assert progress.best["epoch"] == 2


def test_a_classifier_is_judged_by_its_accuracy():
    progress = Progress()
    for epoch, accuracy in enumerate([0.2, 0.6, 0.4], start=1):
        metrics = {"loss": -epoch, "val_loss": -epoch, "val_top1": accuracy}
        progress.add(epoch, metrics)
    assert progress.best["epoch"] == 2


@pytest.mark.parametrize(
    ("monitor", "reason"),
    [
        ("val_voc07", "val_voc07 has not exceeded 0.5 of epoch 1 for 3 epochs"),
        ("val_loss", "val_loss has not fallen below 9 of epoch 1 for 3 epochs"),
        ("val_coco_map", ""),  # the third epoch was better
    ],
)
def test_a_training_says_why_it_stopped(monitor, reason):
    config = TrainConfig(patience=3, monitor=monitor)
    progress = Progress()
    for epoch, metrics in enumerate(epochs()[:4], start=1):
        progress.add(epoch, metrics, monitor)
    assert progress.stop_reason(config) == reason
    assert progress.is_over(config) == bool(reason)


def test_a_loss_has_not_fallen():
    config = TrainConfig(patience=2, monitor="loss")
    progress = Progress()
    for epoch, loss in enumerate([2.0, 0.51234, 0.6, 0.7], start=1):
        progress.add(epoch, {"loss": loss}, "loss")
    assert progress.stop_reason(config) == (
        "loss has not fallen below 0.5123 of epoch 2 for 2 epochs"
    )


def test_of_equally_good_epochs_the_newest_is_the_best():
    """On 13 objects, 0.51 is not significantly lower than 0.61."""
    for scores, objects, best in (
        ([0.4, 0.61, 0.55, 0.51], 13, 4),  # a standard error is 0.12
        ([0.4, 0.61, 0.55, 0.51], 1300, 2),  # 0.014
        ([0.4, 0.61, 0.3, 0.29], 13, 2),
        ([0.4, 0.61, 0.3, 0.5], 13, 4),
        ([0.5, 1.0, 1.0, 0.99], 13, 4),
        ([0.0, 0.0, 0.0, math.nan], 13, 3),
    ):
        progress = Progress()
        for epoch, score in enumerate(scores, start=1):
            metrics = {"loss": 1.0, "val_loss": 1.0, "val_voc07": score}
            progress.add(epoch, metrics, tolerance=1.0, objects=objects)
        assert progress.best["epoch"] == best, scores
        assert progress.highest()["val_voc07"] == np.nanmax(scores)


def test_patience_waits_from_the_highest_value():
    config = TrainConfig(patience=2)
    progress = Progress()
    for epoch, score in enumerate([0.6, 0.59, 0.58], start=1):
        metrics = {"loss": 1.0, "val_loss": 1.0, "val_voc07": score}
        progress.add(epoch, metrics, tolerance=1.0, objects=50)
        progress = Progress.from_json(progress.to_json())
    assert progress.best["epoch"] == 3
    assert progress.stop_reason(config) == (
        "val_voc07 has not exceeded 0.6 of epoch 1 for 2 epochs"
    )


def test_losses_have_no_tolerance():
    progress = Progress()
    for epoch, loss in enumerate([2.0, 0.5, 0.51], start=1):
        progress.add(epoch, {"loss": loss}, "loss", tolerance=1.0, objects=5)
    assert progress.best["epoch"] == 2


class Stub:
    """A validator of detections that are given."""

    _scores = validation.Validator._scores

    def __init__(self, monitor):
        self.config = TrainConfig(C=2, monitor=monitor)
        self.classes = ["a", "b"]


@pytest.mark.parametrize("monitor", MONITORS)
def test_costly_metrics_are_computed_if_they_are_the_monitor(rng, monkeypatch, monitor):
    calls = []
    sweep = coco.sweep
    monkeypatch.setattr(coco, "sweep", lambda *a: calls.append(1) or sweep(*a))
    box = np.array([[0.1, 0.1, 0.5, 0.5]])
    truth = [average_precision.GroundTruth(box, np.array([0]), np.array([False]))]
    near = np.array([[0.1, 0.1, 0.5, 0.42]])  # IoU 0.8: seven of ten thresholds
    found = [decode.Detections(near, np.array([0.75]), np.array([0]))]
    stub = Stub(monitor)
    measured = stub._scores(found, truth)
    expected = {"val_voc07": 1, "val_f1": 1}
    if monitor in ("val_ap50", "val_coco_map"):
        expected[monitor] = {"val_ap50": 1, "val_coco_map": 0.7}[monitor]
    assert measured == pytest.approx(expected)
    assert len(calls) == (monitor in ("val_ap50", "val_coco_map"))
    assert set(measured) < set(validation.Validator.metrics.fget(stub))
    assert OperatingPoint.from_json(stub.operating_point) == (0.75, 1, 1, 1, 1, 0, 0)


def train(dataset, micro, **settings):
    return yolov1_fo.train(
        dataset.match_tags("train"),
        val_samples=dataset.match_tags("val"),
        **{"epochs": 2, **micro, **settings},
    )


@pytest.mark.slow
def test_a_training_stops_by_its_monitor_and_says_so(
    painted, micro, monkeypatch, caplog
):
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.6])
    monkeypatch.setattr(
        validation.Validator,
        "__call__",
        lambda self, net: {"val_loss": 1.0, "val_voc07": 1.0, "val_f1": next(scores)},
    )
    with caplog.at_level(logging.INFO, logger="yolov1_fo"):
        run = train(painted, micro, epochs=6, patience=2, monitor="val_f1")
    assert run.best["epoch"] == 2
    assert (
        "stopped early: val_f1 has not exceeded 0.5 of epoch 2 for 2 epochs"
        in caplog.messages
    )


@pytest.mark.slow
def test_without_a_validation_split_the_log_says_what_decides(painted, micro, caplog):
    with caplog.at_level(logging.INFO, logger="yolov1_fo"):
        run = yolov1_fo.train(
            painted,
            run_key="alone",
            epochs=3,
            **{**micro, "monitor": "val_f1", "val_fraction": 0.0},
        )
    assert any(
        line.startswith("val_f1 needs a validation split, and there is none")
        for line in caplog.messages
    )
    assert run.best["loss"] == min(run.history["loss"])
    assert painted.get_run_info("alone").config.operating_point is None
    metadata = checkpoint.read_metadata(checkpoint.resolve(run.checkpoint_dir))
    assert "operating_point" not in metadata


@pytest.mark.slow
def test_the_operating_point_is_kept_with_the_run_and_the_model(
    painted, micro, zoo_dir, tmp_path
):
    run = train(painted, micro, run_key="one", epochs=40, learning_rate=3e-3)
    point = painted.get_run_info("one").config.operating_point
    assert point["iou_thresh"] == 0.5
    assert point["f1"] == run.best["val_f1"] > 0
    metadata = checkpoint.read_metadata(checkpoint.resolve(run.checkpoint_dir))
    stored = metadata["operating_point"]
    assert {name: stored[name] for name in point} == point
    assert len(stored["curve"]["thresh"]) == 101
    model = yolov1_fo.load_model(run.checkpoint_dir)
    assert model.recommended_thresh == point["thresh"] > 0
    model.save(tmp_path / "saved")
    yolov1_fo.publish(run.checkpoint_dir, "published")
    for source in (tmp_path / "saved", "published"):
        again = yolov1_fo.load_model(source)
        assert again.recommended_thresh == point["thresh"]
    card = (local_zoo.folder_of("published") / "README.md").read_text()
    assert f"for viewing, start at {point['thresh']:.3g}: on the validation" in card
    # The same as of `evaluate` on the validation split.
    val = painted.match_tags("val")
    yolov1_fo.apply(val, model, "found", progress=False)
    report = yolov1_fo.evaluate(val, "found", classes=model.classes)
    assert report.best_f1 == pytest.approx(point["f1"])
    assert report.recommended_thresh == pytest.approx(point["thresh"], abs=1e-3)


@pytest.mark.slow
def test_a_resumed_training_keeps_the_operating_point(painted, micro, monkeypatch):
    """Of the best epoch, also if that was before the interruption."""
    scores = [0.1, 0.5, 0.4, 0.3]

    def validate(self, network):
        epoch = len(validated)
        validated.append(epoch)
        self.operating_point = {"thresh": 0.1 * epoch, "class_threshs": {"red": 0.2}}
        return {"val_loss": 1.0, "val_voc07": scores[epoch], "val_f1": scores[epoch]}

    def stop(epoch, metrics):
        if epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(validation.Validator, "__call__", validate)
    validated = []
    with pytest.raises(KeyboardInterrupt):
        train(painted, micro, run_key="cut", epochs=4, on_epoch=stop)
    run = yolov1_fo.train(
        painted.match_tags("train"),
        val_samples=painted.match_tags("val"),
        resume="cut",
        progress=False,
    )
    assert run.best["epoch"] == 2
    assert painted.get_run_info("cut").config.operating_point == {"thresh": 0.1}
    folder = folders.run_folder(painted, "cut")
    best, last = (checkpoint.read_pointer(folder, name) for name in ("best", "last"))
    thresholds = [
        checkpoint.read_metadata(one)["operating_point"]["thresh"]
        for one in (best, last)
    ]
    assert thresholds == pytest.approx([0.1, 0.3])
