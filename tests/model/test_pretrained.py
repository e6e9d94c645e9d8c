"""The detectors that come with the package."""

import hashlib
import json
import os
import re
import subprocess
import sys

import fiftyone as fo
import fiftyone.zoo as foz
import numpy as np
import pytest

import yolov1_fo
from tests.serving import ROOT, archive, serving
from yolov1_fo import images, pretrained, zoo
from yolov1_fo.model.yolov1_model import YOLOv1Model, YOLOv1ModelConfig
from yolov1_fo.training import starting_weights

NAMES = ["yolov1-highway", "yolov1-quickstart"]
PHOTOGRAPH = ROOT / "docs" / "highway.jpg"
MAX_BYTES = 12_000_000
RESULTS = json.loads((ROOT / "benchmarks/results/ready_models.json").read_text())
MADE = {one["model"]: one for one in RESULTS["models"]}

FRESH = """
import json, sys
import fiftyone.zoo as foz
import yolov1_fo
import yolov1_fo.images

how, name, photograph = sys.argv[1:]
if how == "registered":
    yolov1_fo.register()
elif how != "directly":
    foz.register_zoo_model_source(how)
load = yolov1_fo.load_model if how == "directly" else foz.load_zoo_model
model = load(name)
found = model.predict(yolov1_fo.images.read(photograph)).detections
print(json.dumps([[one.label, one.confidence, *one.bounding_box] for one in found]))
"""


@pytest.fixture
def registered(tmp_path, monkeypatch):
    """Our zoo manifest in an empty folder of models; returns the folder."""
    monkeypatch.setattr(fo.config, "model_zoo_dir", str(tmp_path / "models"))
    monkeypatch.setattr(fo.config, "model_zoo_manifest_paths", None)
    yolov1_fo.register()
    return tmp_path / "models"


def found(model):
    """Returns what a model detects in a photograph, as `FRESH` does."""
    return [
        [one.label, one.confidence, *one.bounding_box]
        for one in model.predict(images.read(PHOTOGRAPH)).detections
    ]


@pytest.mark.parametrize("name", NAMES)
def test_files_are_those_that_were_made(name):
    assert pretrained.names() == NAMES
    folder = pretrained.ROOT / name
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    digests = {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    assert digests == MADE[name]["digests"]
    assert len(files["network.keras"]) < MAX_BYTES
    text = files["run.json"].decode() + files["README.md"].decode()
    assert not re.search(r"[\"' ]/\w", text)  # no path of a machine
    entry = zoo.entries()[name]
    assert entry["size_bytes"] == len(files["network.keras"])
    assert entry["version"] == "1.0"
    settings = json.loads(files["run.json"])["settings"]
    network = "{image_size} px, S = {S}".format(**settings)
    assert network in entry["description"]
    card = files["README.md"].decode()
    assert f"{MADE[name]['voc07']:.3f}" in card
    assert "CC BY 4.0" in card
    [data] = entry["training_data"]
    assert name != "yolov1-highway" or data["url"] in card
    assert MADE[name]["same as in the package"]  # the second time
    page = (ROOT / "docs" / "models.md").read_text()
    [row] = re.findall(rf"^\| `{name}` \|.*$", page, re.MULTILINE)
    assert f"{MADE[name]['voc07']:.3f}" in row


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_half_precision(name):
    for variable in yolov1_fo.load_model(name).network.variables:
        values = variable.numpy()
        np.testing.assert_array_equal(values, values.astype(np.float16))


@pytest.mark.slow
def test_digits_are_found():
    model = yolov1_fo.load_model("yolov1-quickstart")
    dataset = yolov1_fo.load_quickstart("for-pretrained", persistent=False)
    some = dataset.match_tags("val").limit(30)
    yolov1_fo.apply(some, model, "digits", progress=False)
    report = yolov1_fo.evaluate(some, "digits", progress=False)
    assert report.voc07 > 0.8
    assert report.voc07 == pytest.approx(MADE["yolov1-quickstart"]["voc07"], abs=0.1)
    assert 0.2 < model.recommended_thresh < 0.6


@pytest.mark.slow
def test_vehicles_are_found(photographs):
    dataset = fo.Dataset.from_dir(
        dataset_type=fo.types.COCODetectionDataset,
        data_path=str(photographs / "highway" / "val" / "data"),
        labels_path=str(photographs / "highway" / "val" / "labels.json"),
        label_types="detections",
        label_field="ground_truth",
        max_samples=60,
        progress=False,
    )
    model = yolov1_fo.load_model("yolov1-highway")
    dataset.apply_model(model, "yolov1", batch_size=8)
    report = yolov1_fo.evaluate(dataset, "yolov1", progress=False)
    assert report.voc07 == pytest.approx(MADE["yolov1-highway"]["voc07"], abs=0.15)
    dataset.delete()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["directly", "registered", "remote source"])
def test_a_fresh_process_loads_them(tmp_path, how):
    name, models = "yolov1-highway", tmp_path / "models"
    archive(tmp_path / "site" / "yolov1.zip")
    with serving(tmp_path / "site") as address:
        given = f"{address}yolov1.zip" if how == "remote source" else how
        done = subprocess.run(
            [sys.executable, "-c", FRESH, given, name, PHOTOGRAPH],
            env={**os.environ, "FIFTYONE_MODEL_ZOO_DIR": str(models)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    expected = found(yolov1_fo.load_model(name))
    assert len(expected) > 3
    got = json.loads(done.stdout.splitlines()[-1])
    assert [row[0] for row in got] == [row[0] for row in expected]
    np.testing.assert_allclose(
        [row[1:] for row in got], [row[1:] for row in expected], atol=1e-5
    )
    copies = [*models.rglob("*.keras")]
    if how == "remote source":  # FiftyOne wants a file, which it can also delete
        [copy] = copies
        assert copy.name == f"{name}-v1.0.keras"
        source = pretrained.ROOT / name / "network.keras"
        assert copy.read_bytes() == source.read_bytes()
    else:
        assert not copies


@pytest.mark.slow
def test_name_and_version_load_beside_older_downloads(
    registered, checkpoint_dir, tmp_path
):
    """In a zoo with a published model, and a file of a former version."""
    yolov1_fo.publish(checkpoint_dir, "squares")
    former = registered / "yolov1-highway-v0.9.keras"
    former.write_bytes(b"former")
    (registered / "yolov1-untrained").write_bytes(b"")
    expected = found(yolov1_fo.load_model("yolov1-highway"))
    for name in ("yolov1-highway", "yolov1-highway@1.0"):
        assert found(foz.load_zoo_model(name, cache=False)) == expected
        assert found(yolov1_fo.load_model(name)) == expected
    assert foz.load_zoo_model("squares", cache=False).classes == ["blue", "red"]
    assert former.read_bytes() == b"former"


def test_a_training_starts_from_them():
    source = starting_weights.source(None, "yolov1-highway")
    assert source.classes == ["bus", "car", "motorbike", "person", "truck"]
    assert source.config.network == "yolov1-efficientnet-lite0"
    assert source.digest == MADE["yolov1-highway"]["digests"]["network.keras"]


def test_a_wrong_name_is_one_line():
    with pytest.raises(ValueError, match="included must be one of yolov1-highway"):
        YOLOv1Model(YOLOv1ModelConfig({"included": "yolov1-motorway"}))
    for name in ("yolov1-motorway", "yolov1-highway@0.9"):
        with pytest.raises(FileNotFoundError, match="neither a checkpoint folder nor"):
            yolov1_fo.load_model(name)
    line = "'yolov1-highway' is the name of another model"
    with pytest.raises(ValueError, match=line):
        yolov1_fo.publish(pretrained.ROOT / "yolov1-highway", "yolov1-highway")
