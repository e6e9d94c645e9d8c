"""Bad arguments are refused in one line, by type and by value."""

import math

import numpy as np
import pytest

import yolov1_fo
from benchmarks import attempts
from yolov1_fo import zoo
from yolov1_fo.config import arguments


@pytest.mark.parametrize(
    ("value", "error", "line"),
    [
        ("2", TypeError, "num_workers must be a whole number, got '2'"),
        (True, TypeError, "num_workers must be a whole number, got True"),
        (2.0, TypeError, "num_workers must be a whole number, got 2.0"),
        (-1, ValueError, "num_workers must be at least 0, got -1"),
    ],
)
def test_check_integer(value, error, line):
    with pytest.raises(error) as raised:
        arguments.check_integer("num_workers", value, 0)
    assert str(raised.value) == line
    arguments.check_integer("num_workers", np.int64(3), 0)


@pytest.mark.parametrize(
    ("value", "error", "line"),
    [
        (None, TypeError, "tiny_px must be a number, got None"),
        (math.nan, ValueError, "tiny_px must be at least 0, got nan"),
        (-0.5, ValueError, "tiny_px must be at least 0, got -0.5"),
    ],
)
def test_check_number(value, error, line):
    with pytest.raises(error) as raised:
        arguments.check_number("tiny_px", value, 0)
    assert str(raised.value) == line
    arguments.check_number("tiny_px", np.float32(0.5), 0)


@pytest.mark.parametrize(
    ("config", "line"),
    [
        (3, "the config of a model must be a dict, got 3"),
        ({"darknet": 1}, "darknet must be True or False, got 1"),
        ({"precision": True}, "precision must be a string, got True"),
        ({"max_detections": 1.5}, "max_detections must be a whole number, got 1.5"),
        ({"iou_thresh": "0.5"}, "iou_thresh must be a number, got '0.5'"),
        ({"settings": [1]}, r"settings must be a dict, got \[1\]"),
        ({"checkpoint_dir": 5}, "checkpoint_dir must be a string, got 5"),
    ],
)
def test_model_config_refuses_wrong_types(config, line):
    with pytest.raises(TypeError, match=f"^{line}$"):
        yolov1_fo.YOLOv1ModelConfig(config)


def test_unknown_settings_of_a_network_are_refused(micro):
    config = yolov1_fo.YOLOv1ModelConfig(
        {"settings": {"network": "micro", "image_siz": 32}}
    )
    with pytest.raises(ValueError, match=r"image_siz [(]did you mean image_size"):
        yolov1_fo.YOLOv1Model(config)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"tiny_px": "8"}, "tiny_px must be a number, got '8'"),
        ({"num_workers": [2]}, r"num_workers must be a whole number, got \[2\]"),
        ({"num_workers": -1}, "num_workers must be at least 0, got -1"),
        ({"gt_field": ["truth"]}, r"gt_field must be a string, got \['truth'\]"),
        ({"gt_field": "a\nb"}, r"gt_field 'a\\nb' is not on .*; fields .*"),
    ],
)
def test_bad_arguments_of_inspect(painted, given, line):
    with pytest.raises((TypeError, ValueError), match=f"^{line}$"):
        yolov1_fo.inspect(painted, **given)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"batch_size": "2"}, "batch_size must be a whole number, got '2'"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"num_workers": None}, "num_workers must be a whole number, got None"),
        ({"skip_existing": "no"}, "skip_existing must be True or False, got 'no'"),
    ],
)
def test_bad_arguments_of_apply_are_refused_before_it_writes(
    painted, checkpoint_dir, given, line
):
    model = yolov1_fo.load_model(checkpoint_dir)
    with pytest.raises((TypeError, ValueError), match=f"^{line}$"):
        yolov1_fo.apply(painted, model, "fresh", **given)
    assert not painted.has_field("fresh")


@pytest.mark.parametrize("name", ["a" * 300, "\ud800", "a\0b", "", None, 3, b"x"])
def test_bad_paths_are_one_line(painted, name):
    for call in (
        lambda: yolov1_fo.train(painted, weights=name or 0, network="fast-yolov1"),
        lambda: yolov1_fo.train(painted, resume=name or 0),
        lambda: yolov1_fo.load_model(name, network="fast-yolov1"),
    ):
        with pytest.raises((ValueError, TypeError, FileNotFoundError)) as raised:
            call()
        assert "\n" not in str(raised.value)
        assert attempts.judge(raised.value).outcome == attempts.REFUSED


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"iou_thresh": "0.5"}, "iou_thresh must be a number, got '0.5'"),
        ({"inclusive_corners": 1}, "inclusive_corners must be True or False, got 1"),
        ({"similar": 3}, "similar must be sets of classes, got 3"),
        ({"similar": [3]}, "each set of similar must be a list of names, got 3"),
        ({"similar": ["a\nb"]}, r"similar must be sets .*; got 'a\\nb'"),
    ],
)
def test_bad_arguments_of_evaluate(painted, given, line):
    painted.clone_sample_field("ground_truth", "found")
    with pytest.raises((TypeError, ValueError), match=f"^{line}$"):
        yolov1_fo.evaluate(painted, "found", **given)


def test_labels_that_are_not_strings_are_named(painted):
    label = "ground_truth.detections.0.label"
    painted._sample_collection.update_one({label: "red"}, {"$set": {label: ["red"]}})
    line = r"labels of 'ground_truth' on dataset .* must be strings, got \['red'\]"
    with pytest.raises(TypeError, match=line):
        yolov1_fo.inspect(painted)


def test_unknown_zoo_models_come_with_a_suggestion(zoo_dir):
    zoo.register()
    line = r"model_name 'darknet-yolov1-vo' is not in the zoo \(did you mean darknet-"
    with pytest.raises(ValueError, match=line):
        yolov1_fo.YOLOv1ModelConfig({"model_name": "darknet-yolov1-vo"})
