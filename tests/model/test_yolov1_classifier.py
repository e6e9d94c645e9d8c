"""The classifier from `pretrain` as a model of FiftyOne."""

import json

import fiftyone as fo
import fiftyone.brain as fob
import fiftyone.core.models as fom
import fiftyone.zoo as foz
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo.architectures import NETWORKS

pytestmark = pytest.mark.slow


@pytest.fixture
def trained(painted, micro, monkeypatch, tmp_path):
    """The painted images, and a classifier of their colors."""
    shorter = NETWORKS["micro"]._replace(pretrained_convs=2)
    monkeypatch.setitem(NETWORKS, "micro", shorter)
    for sample in painted:
        colors = sorted({one.label for one in sample.ground_truth.detections})
        sample["color"] = fo.Classification(label=(colors or ["red"])[0])
        sample.save()
    settings = {key: value for key, value in micro.items() if key != "S"}
    result = yolov1_fo.pretrain(
        painted.match_tags("train"),
        "color",
        val_samples=painted.match_tags("val"),
        run_key="colors",
        runs_dir=tmp_path,
        **{**settings, "epochs": 30},
    )
    return painted, result


def test_it_classifies_with_logits(trained):
    dataset, _ = trained
    model = yolov1_fo.load_model("colors", dataset, precision="float32")
    assert isinstance(model, yolov1_fo.YOLOv1Classifier)
    dataset.apply_model(model, "found", store_logits=True, batch_size=3)
    for sample in dataset:
        found = sample.found
        assert isinstance(found, fo.Classification)
        probs = np.exp(found.logits) / np.exp(found.logits).sum()
        assert found.confidence == pytest.approx(probs.max(), abs=1e-6)
        assert found.label == model.classes[int(np.argmax(found.logits))]
    dataset.apply_model(model, "plain")
    assert dataset.values("plain.logits") == [None] * len(dataset)
    assert dataset.values("plain.label") == dataset.values("found.label")
    report = dataset.evaluate_classifications("found", "color", progress=False)
    assert report.metrics()["accuracy"] > 0.6

    fob.compute_hardness(dataset, "found", progress=False)
    assert np.isfinite(dataset.bounds("hardness")).all()
    fob.compute_mistakenness(dataset, "found", "color", use_logits=True)
    assert dataset.count("mistakenness") == len(dataset)
    embeddings = dataset.compute_embeddings(model, progress=False)
    assert embeddings.shape[0] == len(dataset)


def test_it_is_published_and_exported(trained, zoo_dir, tmp_path):
    _, result = trained
    folder = yolov1_fo.publish(result.checkpoint_dir, "colors-v1")
    card = (folder / "README.md").read_text()
    assert "classifier of micro for 2 classes" in card
    assert "one class per image" in card
    assert "| val_top1 |" in card
    for word in ("objects", "boxes", "paper", "cells"):
        assert word not in card
    assert "colors-v1" in foz.list_zoo_models(tags=["classification", "logits"])
    model = foz.load_zoo_model("colors-v1", cache=False)
    image = np.full((40, 40, 3), 200, np.uint8)
    expected = yolov1_fo.load_model(result.checkpoint_dir).predict(image)
    assert model.predict(image).confidence == pytest.approx(expected.confidence)
    again = fom.load_model(
        {
            "type": "yolov1_fo.model.YOLOv1Classifier",
            "config": model.config.serialize(),
        }
    )
    assert again.predict(image).label == expected.label
    pytest.importorskip("tf2onnx", reason="needs the extra export")
    path = yolov1_fo.export(model, tmp_path / "colors.onnx", "onnx")
    about = json.loads(path.with_name("colors.onnx.json").read_text())
    assert about["output"] == "(N, 2) float32 logits"
    assert "grid" not in about


def test_outputs_that_are_not_finite_are_no_label(trained):
    _, result = trained
    model = yolov1_fo.load_model(result.checkpoint_dir)
    found = model.labels_of(np.float32([[np.nan, 1.0], [2.0, 1.0]]))
    assert found[0] is None
    assert found[1].label == model.classes[0]


def test_it_is_no_detector(trained):
    dataset, result = trained
    model = yolov1_fo.load_model(result.checkpoint_dir)
    with pytest.raises(TypeError, match=r"apply it with dataset\.apply_model"):
        yolov1_fo.apply(dataset, model, "found")
    with pytest.raises(ValueError, match="unknown setting iou_thresh"):
        yolov1_fo.load_model(result.checkpoint_dir, iou_thresh=0.5)
