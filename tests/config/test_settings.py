import json
from dataclasses import asdict

import numpy as np
import pytest

from yolov1_fo.config import GridConfig, NetworkConfig, TrainConfig


def test_settings_are_the_same_after_json():
    config = TrainConfig(schedule="steps", rate_steps=((0, 1e-3), (4, 1e-2)), epochs=9)
    assert TrainConfig(**json.loads(json.dumps(asdict(config)))) == config


def test_numpys_numbers_become_pythons():
    config = TrainConfig(epochs=np.int64(3), learning_rate=np.float32(0.5), flip=1)
    assert json.dumps([config.epochs, config.learning_rate, config.flip]) == (
        "[3, 0.5, 1]"
    )


def test_pick_ignores_other_settings():
    settings = asdict(TrainConfig(C=3, image_size=224))
    assert NetworkConfig.pick(settings).image_size == 224
    assert GridConfig.pick(settings) == GridConfig(C=3)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"epochs": 2.5}, "epochs must be a whole number, got 2.5"),
        ({"epochs": True}, "epochs must be a whole number, got True"),
        ({"batch_size": -1}, "batch_size must be at least 1, got -1"),
        ({"image_size": 10**30}, r"image_size must be at most 16384, got 1000.*"),
        ({"image_size": 64, "S": 65}, "S must be at most image_size, 64, got 65"),
        ({"B": 10**9}, "with 1000000000 boxes and 20 classes has more than 16777216"),
        ({"iou_thresh": 1.5}, r"iou_thresh must be in \[0, 1\], got 1.5"),
        ({"learning_rate": float("nan")}, "learning_rate must be at least 0, got nan"),
        ({"learning_rate": "fast"}, "learning_rate must be a number, got 'fast'"),
        ({"learning_rate": 1e301}, "learning_rate must be at least 0, got 1e[+]301"),
        ({"network": "yolo9000"}, "network must be one of yolov1, .*, got 'yolo9000'"),
        (
            {"optimizer": "adamm"},
            r"must be one of sgd, adam, got 'adamm' \(did you mean",
        ),
        ({"schedule": ["paper"]}, "schedule must be one of paper, .*, got .'paper'."),
        ({"schedule": "linear"}, "schedule must be one of paper, .*, got 'linear'"),
        ({"image_size": 100}, "image_size must be a multiple of 32 pixels, got 100"),
        ({"batch_norm": 1}, "batch_norm must be True or False, got 1"),
        ({"saturation": 0.5}, "saturation must be at least 1, got 0.5"),
        (
            {"schedule": "steps", "rate_steps": ((3, 0.1),)},
            "rate_steps must begin with epoch 0",
        ),
        ({"rate_steps": 5}, r"rate_steps must be pairs \(epoch, rate\) .* got 5"),
        ({"rate_steps": ((0, -1),)}, r"rate_steps must be pairs"),
        ({"rate_steps": ((0, 1, 2),)}, r"rate_steps must be pairs"),
        (
            {"freeze_epochs": 2},
            "is for networks with a pretrained backbone",
        ),
        (
            {"network": "yolov1-efficientnet-lite0", "image_size": 416, "S": 6},
            "S must be 7, 13 or 26 .* at image_size 416, got 6",
        ),
        (
            {"rate_steps": ((4, 0.1), (0, 0.2))},
            "rate_steps must be sorted by epoch",
        ),
        (
            {"network": "yolov1-efficientnet-lite0", "image_size": 448, "S": 9},
            "S must be 7, 14 or 28 for .* at image_size 448, got 9",
        ),
    ],
)
def test_bad_settings_are_one_line(settings, line):
    with pytest.raises(ValueError, match=line) as caught:
        TrainConfig(**settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["adam", "Adam", "ADAM"])
def test_optimizer_ignores_case(name):
    assert TrainConfig(optimizer=name).optimizer == "adam"


def test_optimizer_objects_are_refused():
    with pytest.raises(
        TypeError, match="optimizer must be one of sgd, adam, got object"
    ):
        TrainConfig(optimizer=object())
