"""The summary of a training."""

import argparse
import math
import os
import shlex

import pytest

import yolov1_fo
from yolov1_fo.cli.commands import apply, train
from yolov1_fo.config import TrainConfig
from yolov1_fo.evaluation.operating_point import OperatingPoint
from yolov1_fo.training.result import TrainResult

HISTORY = {
    "loss": [3.0, 2.0, 1.0],
    "val_voc07": [0.25, 0.5, 0.375],
    "seconds": [100.0, 200.0, 724.0],
}
BEST = {"epoch": 2, "loss": 2.0, "val_loss": 3.0, "val_voc07": 0.5}


def result(**changed):
    parts = {
        "dataset": "my photographs",
        "config": TrainConfig(epochs=3),
        "peak_memory": 2_140_000_000,
        **changed,
    }
    known = {"history": HISTORY, "best": BEST, **parts}
    return TrainResult(checkpoint_dir="/runs/one/epoch_0002", run_key="one", **known)


def test_a_usual_summary():
    assert str(result()) == "\n".join(
        [
            "run          'one' on dataset 'my photographs'",
            "best epoch   2 of 3, with VOC07 mAP@0.5 0.500",
            "time         12 min 4 s",
            "peak memory  2.1 GB",
            "checkpoint   /runs/one/epoch_0002",
            "next         dataset = fo.load_dataset('my photographs')",
            "             yolov1_fo.apply(dataset, "
            "yolov1_fo.load_model('one', dataset))",
        ]
    )


def test_a_result_is_a_path_of_its_checkpoint():
    assert os.fspath(result()) == "/runs/one/epoch_0002"
    assert repr(result()) == f"<TrainResult {result().summary_line}>"


def test_a_detector_that_finds_nothing_is_not_to_be_applied():
    nothing = OperatingPoint(math.nan, 0, 0, 0, 0, 0, 5)
    last = str(result(operating_point=nothing)).splitlines()[-1]
    assert last.split(maxsplit=1) == [
        "next",
        "train for longer: no object of the validation split is found",
    ]


def test_a_summary_of_everything():
    full = result(
        config=TrainConfig(epochs=30, patience=1),
        skipped={"/a.jpg": "not an image", "/b.jpg": "missing"},
        operating_point=OperatingPoint(0.314, 0.8, 0.75, 0.774, 12, 3, 4),
        stop_reason="val_voc07 has not improved since epoch 2 (patience 1)",
        peak_device_memory=5_000_000_000,
        report_path="/runs/one/report.html",
    )
    assert full.summary("yolov1-fo apply x one").splitlines() == [
        "run              'one' on dataset 'my photographs'",
        "best epoch       2 of 3 (of 30 planned), with VOC07 mAP@0.5 0.500",
        "ended early      val_voc07 has not improved since epoch 2 (patience 1)",
        "operating point  F1 0.77 at a confidence of at least 0.314: precision 0.80, "
        "recall 0.75",
        "time             12 min 4 s",
        "peak memory      2.1 GB, GPU 5.0 GB",
        "checkpoint       /runs/one/epoch_0002",
        "report           /runs/one/report.html",
        "skipped          2 images",
        "next             yolov1-fo apply x one",
    ]


def test_the_summary_in_one_line():
    assert result(skipped={"/a.jpg": "missing"}).summary_line == (
        "run 'one': 3 epochs, best at epoch 2 with VOC07 mAP@0.5 0.500, checkpoint "
        "/runs/one/epoch_0002, 1 image skipped"
    )
    without = result(best={"epoch": 3, "loss": 1.0})
    assert "best at epoch 3, checkpoint" in without.summary_line
    assert "best epoch   3 of 3, with loss 1.000" in str(without)


@pytest.mark.parametrize(
    ("monitor", "shown"), [("val_loss", "val loss 3.000"), ("val_f1", "F1 0.625")]
)
def test_the_summary_names_the_monitored_metric(monitor, shown):
    best = {**BEST, "val_f1": 0.625}
    config = TrainConfig(epochs=3, monitor=monitor)
    named = result(config=config, best=best)
    assert f"2 of 3, with {shown}" in str(named)
    assert f"best at epoch 2 with {shown}" in named.summary_line


def parsed(command, words):
    parser = argparse.ArgumentParser()
    command.add(parser.add_subparsers())
    program, *rest = shlex.split(words)
    assert program == "yolov1-fo"
    return parser.parse_args(rest)


def test_the_next_shell_command_is_one_of_the_command_line():
    arguments = parsed(apply, result().next_shell_command)
    assert (arguments.dataset, arguments.model) == ("my photographs", "one")
    classifier = result(task="classify")
    arguments = parsed(train, classifier.next_shell_command)
    assert (arguments.dataset, arguments.weights) == ("my photographs", "one")
    assert classifier.next_code.endswith("yolov1_fo.train(dataset, weights='one')")


@pytest.mark.slow
def test_a_result_is_a_source_of_models_and_weights(painted, micro, tmp_path):
    run = yolov1_fo.train(painted, run_key="first", epochs=1, **micro)
    assert yolov1_fo.load_model(run).classes == ["blue", "red"]
    again = yolov1_fo.train(painted, run_key="second", epochs=1, weights=run, **micro)
    assert again.config.epochs == 1
    assert yolov1_fo.export(run, tmp_path / "it.onnx", "onnx").is_file()
    yolov1_fo.publish(run, "by-result")
    yolov1_fo.unpublish("by-result")
