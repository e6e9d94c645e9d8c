"""`run.json` of format 1 reads as format 2; other formats are refused."""

import json
from dataclasses import asdict

import pytest

from yolov1_fo.config import TrainConfig
from yolov1_fo.runs import checkpoint, run_json

OLD_SETTINGS = {
    "clip_norm": 5.0,
    "ema": 0.99,
    "frozen_stride": 8,
    "side": 64,
    "trunk_rate": 0.1,
    "validate_every": 4,
    "workers": 3,
}
NEW_SETTINGS = {
    "global_clipnorm": 5.0,
    "ema_momentum": 0.99,
    "freeze_to_stride": 8,
    "image_size": 64,
    "backbone_lr_multiplier": 0.1,
    "validation_freq": 4,
    "num_workers": 3,
}
SHARED_SETTINGS = {"network": "yolov1", "S": 1, "B": 2, "C": 1, "epochs": 9}
SHARED_PARTS = {"classes": ["a"], "run_key": "one", "metrics": {"loss": 1.5}}
OLD = {
    "format": 1,
    **SHARED_PARTS,
    "trunk": "classifier",
    "workers": 2,
    "settings": {**SHARED_SETTINGS, **OLD_SETTINGS},
}
NEW = {
    "format": 2,
    **SHARED_PARTS,
    "weights": "classifier",
    "processes": 2,
    "settings": {**SHARED_SETTINGS, **NEW_SETTINGS},
}


def read(folder, content):
    (folder / "run.json").write_text(json.dumps(content))
    return checkpoint.read_metadata(folder, "detect")


def test_format_1_reads_as_format_2(tmp_path):
    assert read(tmp_path, OLD) == NEW
    assert read(tmp_path, NEW) == NEW


def test_every_renamed_setting_and_part_is_tested():
    assert set(OLD_SETTINGS) == set(run_json.RENAMED_SETTINGS)
    assert set(NEW_SETTINGS) == set(run_json.RENAMED_SETTINGS.values())
    assert set(NEW_SETTINGS) <= set(asdict(TrainConfig()))
    assert set(run_json.RENAMED_PARTS) == set(OLD) - set(NEW)
    assert set(run_json.RENAMED_PARTS.values()) == set(NEW) - set(OLD)


@pytest.mark.parametrize("old", [*OLD_SETTINGS])
def test_each_setting_is_renamed_alone(tmp_path, old):
    new = run_json.RENAMED_SETTINGS[old]
    shared = {**SHARED_SETTINGS, "image_size": 64}
    settings = {**shared, old: OLD_SETTINGS[old]}
    if old == "side":
        del settings["image_size"]
    metadata = read(tmp_path, {"format": 1, "classes": ["a"], "settings": settings})
    assert metadata["settings"] == {**shared, new: NEW_SETTINGS[new]}


@pytest.mark.parametrize("old", [*run_json.RENAMED_PARTS])
def test_each_part_is_renamed_alone(tmp_path, old):
    parts = {"classes": ["a"], "settings": NEW["settings"]}
    metadata = read(tmp_path, {"format": 1, **parts, old: OLD[old]})
    new = run_json.RENAMED_PARTS[old]
    assert metadata == {"format": 2, **parts, new: NEW[new]}


@pytest.mark.parametrize("old", [*OLD_SETTINGS])
def test_names_of_format_1_are_not_renamed_in_format_2(tmp_path, old):
    settings = {**NEW["settings"], old: OLD_SETTINGS[old]}
    assert read(tmp_path, {**NEW, "settings": settings})["settings"] == settings


@pytest.mark.parametrize("number", [1, 2])
def test_earlier_spellings_are_read_in_both_formats(tmp_path, number):
    settings = {**SHARED_SETTINGS, "image_size": 64}
    stored = {"format": number, "classes": ["a"]}
    found = read(
        tmp_path, {**stored, "settings": {**settings, "neighbour_cells": True}}
    )
    assert found["settings"] == {**settings, "neighbor_cells": True}


@pytest.mark.parametrize("tiles", [-1, 9, 2.0, True, "2"])
def test_a_wrong_number_of_tiles_is_refused(tmp_path, tiles):
    settings = {**NEW["settings"], "tiles": tiles}
    with pytest.raises(ValueError, match=r"settings in '.*' must be"):
        read(tmp_path, {**NEW, "settings": settings})


@pytest.mark.parametrize("number", [0, 3, -1, 1.5, "2", None, True, [1]])
def test_an_unknown_format_is_refused(tmp_path, number):
    with pytest.raises(ValueError, match="must have a format of at most 2, got"):
        read(tmp_path, {**NEW, "format": number})
    missing = {name: value for name, value in NEW.items() if name != "format"}
    with pytest.raises(ValueError, match="must have a format of at most 2, got None"):
        read(tmp_path, missing)


@pytest.mark.parametrize(
    "parent",
    [
        *("first", 7, [], True, {"weights": 7}, {"run_key": ["a"]}),
        *({"digest": "0" * 63}, {"digest": "../" * 20}, {"checkpoint": {}}),
    ],
)
def test_a_parent_of_the_wrong_type_is_refused(tmp_path, parent):
    line = r"parent in '.*run.json' must be an object of texts with a sha256 as digest"
    with pytest.raises(ValueError, match=line):
        read(tmp_path, {**NEW, "parent": parent})


def test_a_parent_is_read(tmp_path):
    for parent in (None, {}, {"weights": "first", "digest": "0a" * 32, "more": 1}):
        assert read(tmp_path, {**NEW, "parent": parent})["parent"] == parent


def test_a_part_of_the_wrong_type_is_refused_in_both_formats(tmp_path):
    for content, name in ((OLD, "trunk"), (NEW, "weights")):
        with pytest.raises(ValueError, match=r"weights in '.*run.json' must be text"):
            read(tmp_path, {**content, name: 7})
    with pytest.raises(ValueError, match="must be an object of settings, got"):
        read(tmp_path, {**OLD, "settings": {**OLD["settings"], "side": "large"}})
