import json
from dataclasses import asdict

import pytest

from yolov1_fo.config import NetworkConfig, TrainConfig
from yolov1_fo.publishing import model_card


def metadata(**changes):
    settings = json.loads(json.dumps(asdict(TrainConfig(C=2, epochs=3, image_size=96))))
    return {
        "run_key": "mine",
        "classes": ["car", "bus"],
        "settings": settings,
        "images": 40,
        "objects": 90,
        "val_images": 10,
        "dataset": "streets",
        "gt_field": "ground_truth",
        "dropped": {"degenerate": 0, "other_class": 7},
        "skipped": 1,
        "device": "GPU",
        "versions": {"keras": "3.15"},
        "epoch": 2,
        "metrics": {"loss": 1.25, "val_voc07": 0.5, "note": "none"},
        **changes,
    }


def test_a_card_describes_the_run():
    lines = model_card.text("streets", metadata()).splitlines()
    for line in (
        "# streets",
        "yolov1 for 2 classes, 96 px, 7 x 7 cells, trained on 40 images of 'streets'; "
        "VOC07 mAP@0.5 0.500.",
        'model = foz.load_zoo_model("streets")',
        "- classes: car, bus",
        "- 40 images with 90 objects: dataset 'streets', field 'ground_truth'",
        "- validation split: 10 images",
        "- 7 boxes left out: other class",
        "- 1 images left out: they could not be read",
        "- run 'mine', epoch 2 of 3",
        "- on GPU; keras 3.15",
        "| image_size | 96 | 448 |",
        "| epochs | 3 | 135 |",
        "| val_voc07 | 0.5 | VOC07 mAP@0.5 on the validation split |",
        "| loss | 1.25 | loss on the training split |",
    ):
        assert line in lines
    settings = [line for line in lines if line.count("|") == 4]
    assert len(settings) == 2 + 2 + 2 + 2  # heads, rules, settings, metrics


def test_a_card_says_how_images_are_resized():
    card = model_card.text("streets", metadata())
    assert "- images of any shape are resized to 96 x 96 px\n" in card
    settings = {**metadata()["settings"], "letterbox": True}
    card = model_card.text("streets", metadata(settings=settings))
    line = "letterboxed (aspect ratio kept, gray beside them) to 96 x 96 px"
    assert f"- images of any shape are {line}\n" in card


def test_the_card_of_an_imported_network_names_its_origin():
    config = NetworkConfig(network="darknet-yolov1", C=2)
    imported = {
        "classes": ["car", "bus"],
        "settings": asdict(config),
        "origin": "Darknet weights 'yolov1.weights'",
    }
    card = model_card.text("imported", imported)
    assert "7 x 7 cells, Darknet weights 'yolov1.weights'.\n" in card
    assert "each with 3 boxes" in card
    assert "## Training" not in card
    assert "?" not in card


DIGEST = "0123456789ab" + "f" * 52


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({}, None),
        ({"parent": None, "weights": None}, None),
        (
            {"parent": {"weights": "one", "run_key": "one", "dataset": "streets"}},
            "Started from run 'one' of dataset 'streets'",
        ),
        (
            {"parent": {"weights": "/home/me/runs/1/one/epoch_0003", "run_key": "one"}},
            "Started from run 'one'",
        ),
        (
            {"parent": {"weights": "cars", "run_key": "one", "digest": DIGEST}},
            "Started from 'cars', run 'one', sha256 0123456789ab",
        ),
        (
            {"parent": {"weights": "/home/me/extraction.weights", "digest": DIGEST}},
            "Started from 'extraction.weights', sha256 0123456789ab",
        ),
        (
            {"parent": {"weights": r"C:\me\imported\epoch_0001", "digest": None}},
            "Started from 'imported'",
        ),
        ({"weights": "/home/me/runs/1/base/epoch_0001"}, "Started from 'base'"),
        ({"parent": {"weights": "/"}}, r"Started from '?'"),
        (
            {"parent": {"weights": "a", "run_key": "![x](y)", "dataset": "<b>"}},
            r"Started from 'a', run '\!\[x\](y)' of dataset '\<b\>'",
        ),
    ],
)
def test_a_card_names_what_the_training_started_from(parts, line):
    lines = model_card.text("streets", metadata(**parts)).splitlines()
    found = [one for one in lines if "Started from" in one]
    assert found == ([] if line is None else [f"- {line}"])


def test_names_are_escaped_in_markdown():
    names = ["![x](http://x)", "<img src=x>", "a\nb", "snake_case", "_it_", "# x"]
    card = model_card.text("mine", metadata(classes=names, dataset="`rm`"))
    assert (
        r"- classes: \!\[x\](http://x), \<img src=x\>, a b, snake_case, \_it\_, # x"
    ) in card.splitlines()
    assert r"dataset '\`rm\`'" in card


def test_a_card_names_the_operating_point():
    point = {"thresh": 0.314159, "precision": 0.826, "recall": 0.79, "f1": 0.81}
    card = model_card.text("mine", metadata(operating_point=point)).splitlines()
    assert (
        "- confidences start at 0.01, which a correct mAP needs; for viewing, start at "
        "0.314: on the validation split this has a precision of 0.83 and a recall of "
        "0.79"
    ) in card
    for unknown in (None, {}, {**point, "thresh": None}):
        card = model_card.text("mine", metadata(operating_point=unknown))
        assert "for viewing, start at about 0.2\n" in card
