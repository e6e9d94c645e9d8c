"""Our entries in FiftyOne's zoo, beside those of FiftyOne's own models."""

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import fiftyone as fo
import fiftyone.zoo as foz
import pytest
from packaging.requirements import Requirement

import yolov1_fo
from tests.serving import ROOT
from yolov1_fo import pretrained, zoo
from yolov1_fo.publishing import manifest

THEIRS = (
    "faster-rcnn-resnet50-fpn-coco-torch",
    "ssd-inception-v2-coco-tf",
    "yolov5n-coco-torch",
)
ADDRESS = re.compile(r"https://github\.com/[\w-]+/yolov1-fo\b")


@pytest.fixture
def entries(tmp_path, monkeypatch, checkpoint_dir):
    """Returns the manifest entries of ours, one that is published among them."""
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path / "models"))
    monkeypatch.setattr(fo.config, "model_zoo_manifest_paths", None)
    yolov1_fo.register()
    folder = yolov1_fo.publish(
        *(checkpoint_dir, "squares"),
        author="Ada Lovelace",
        license="CC-BY-4.0",
        data_url="https://squares.example",
    )
    [published] = json.loads((folder / "manifest.json").read_text())["models"]
    assert (published["author"], published["license"]) == ("Ada Lovelace", "CC-BY-4.0")
    return [*zoo.entries().values(), published]


def fiftyones():
    """Returns the manifest entries of three of FiftyOne's own models."""
    folder = Path(foz.models.__file__).parent
    models = [
        model
        for path in folder.glob("manifest-*.json")
        for model in json.loads(path.read_text())["models"]
    ]
    return [model for model in models if model["base_name"] in THEIRS]


def test_no_field_of_fiftyones_entries_is_missing(entries):
    theirs = fiftyones()
    assert len(theirs) == len(THEIRS)
    fields = {name for model in theirs for name in model} - {"manager"}  # we download
    for entry in entries:
        assert set(entry) == fields, entry["base_name"]
        empty = {name for name, value in entry.items() if value in (None, "")}
        is_ready = entry["base_name"] in pretrained.names()
        assert empty == (set() if is_ready else {"version"}), entry["base_name"]
        for data in entry["training_data"]:
            assert set(data) == {"name", "url"}
            assert data["name"]
            assert data["url"].startswith(("https://", "http://"))


def test_fiftyones_filters_find_ours(entries):
    names = {entry["base_name"] for entry in entries}
    for tags in ("yolo", ["detection", "tf2"], ["yolo", "tf"], "embeddings"):
        listed = {name.partition("@")[0] for name in foz.list_zoo_models(tags=tags)}
        assert names <= listed, tags
    assert "squares" in foz.list_zoo_models(license="CC-BY-4.0")
    assert "yolov1-untrained" in foz.list_zoo_models(license="Apache-2.0")
    for name in names:
        model = foz.get_zoo_model(name)
        assert model.license
        assert model.size_bytes > 1000


def test_requirements_can_be_installed(entries):
    for entry in entries:
        wanted = entry["requirements"]
        assert [*zoo.requirements()["packages"]] == wanted["packages"][:2]
        for device in ("cpu", "gpu"):
            assert wanted[device] == zoo.requirements()[device]
        for line in wanted["packages"]:
            for one in line.split("|"):
                assert "tensorflow-text" not in Requirement(one).name
        foz.ensure_zoo_model_requirements(entry["base_name"], error_level=0)


def test_the_address_is_that_of_pyproject():
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]
    address = urls["Repository"]
    assert address == zoo.SOURCE
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False
    )
    names = tracked.stdout.decode().split("\0")[:-1] or ["README.md", "fiftyone.yml"]
    for name in names:
        path = ROOT / name
        if path.suffix in (".md", ".toml", ".yml", ".cff", ".json", ".py", ".txt"):
            found = set(ADDRESS.findall(path.read_text(encoding="utf-8")))
            assert found <= {address}, name


def test_fiftyones_form_gives_our_settings():
    """FiftyOne's zoo operator calls both functions of a remote source."""
    from yolov1_fo.config import MAX_TILES, PREDICTION_PRECISIONS, RUNTIMES
    from yolov1_fo.model.model_config import DEFAULTS, YOLOv1ModelConfig

    form = zoo.resolve_input("yolov1-highway@1.0", None).to_json()
    inputs = form["type"]["properties"]
    assert list(inputs) == [
        *("confidence_thresh", "iou_thresh", "max_detections"),
        *("filter_classes", "tiles", "precision", "runtime"),
    ]
    assert inputs["tiles"]["type"]["max"] == MAX_TILES
    for name in ("confidence_thresh", "iou_thresh", "max_detections"):
        assert inputs[name]["default"] == DEFAULTS[name]
    choices = inputs["precision"]["type"]["values"]
    assert sorted(choices) == sorted(PREDICTION_PRECISIONS)
    assert tuple(inputs["runtime"]["type"]["values"]) == RUNTIMES

    untrained = zoo.resolve_input("yolov1-untrained", None).to_json()
    assert "classes" in untrained["type"]["properties"]
    params = {
        "classes": "cat, big dog,",
        "iou_thresh": 0.4,
        "precision": "",
        "runtime": "",
    }
    zoo.parse_parameters("yolov1-untrained", None, params)
    assert params == {"classes": ["cat", "big dog"], "iou_thresh": 0.4}
    YOLOv1ModelConfig({"settings": {"network": "yolov1"}, **params})
    params = {"classes": "", "max_detections": 7, "tiles": None}
    zoo.parse_parameters("yolov1-untrained", None, params)
    assert params == {"max_detections": 7}
    params = {"filter_classes": "car, bus", "tiles": 2}
    zoo.parse_parameters("yolov1-highway", None, params)
    assert params == {"filter_classes": ["car", "bus"], "tiles": 2}
    YOLOv1ModelConfig({"included": "yolov1-highway", **params})


def test_the_readme_of_the_source_lists_all_models():
    text = (ROOT / "yolov1_fo" / "zoo" / "README.md").read_text()
    table = text.split("\n## Models\n")[1]
    assert {*re.findall(r"`((?:[a-z]+-)?yolov1[\w-]*)`", table)} == {*zoo.entries()}


@pytest.mark.slow
def test_fiftyones_commands_know_the_models():
    program = Path(sys.executable).with_name("fiftyone")
    paths = {"FIFTYONE_MODEL_ZOO_MANIFEST_PATHS": str(zoo.MANIFEST)}
    for command, line in (
        (("info", "yolov1-highway"), "Highway Object Detection"),
        (("requirements", "--print", "yolov1-highway"), "yolov1-fo @ git+https"),
    ):
        run = subprocess.run(
            [program, "zoo", "models", *command],
            env={**os.environ, **paths},
            capture_output=True,
            text=True,
            check=True,
        )
        assert line in run.stdout, run.stdout


@pytest.mark.parametrize(
    ("dataset", "tags"), [("My data", ["my-data"]), ("日本", []), (None, [])]
)
def test_published_models_have_a_tag_for_their_dataset(dataset, tags, tmp_path):
    (tmp_path / "network.keras").write_bytes(b"network")
    settings = {"network": "fast-yolov1", "image_size": 448, "S": 7}
    metadata = {"classes": ["cat"], "settings": settings}
    metadata |= {"dataset": dataset} if dataset else {}
    manifest.write(
        tmp_path, "cats", metadata, manifest.Credits("Ada Lovelace", "MIT", None)
    )
    [entry] = json.loads((tmp_path / "manifest.json").read_text())["models"]
    assert entry["tags"] == ["detection", *tags, *manifest.OUR_TAGS, *manifest.TAGS]
