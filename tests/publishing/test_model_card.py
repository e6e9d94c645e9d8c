import json
from dataclasses import asdict

from yolov1_fo.config import NetworkConfig, TrainConfig
from yolov1_fo.publishing import model_card


def metadata(**known):
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
        **known,
    }


def test_a_card_tells_what_the_run_was():
    lines = model_card.text("streets", metadata()).splitlines()
    for line in (
        "# streets",
        "yolov1 for 2 classes, 96 px, 7 x 7 cells, trained on 40 images of 'streets'; "
        "VOC07 mAP@0.5 0.500.",
        'model = foz.load_zoo_model("streets")',
        "- classes: car, bus",
        "- 40 images with 90 objects: dataset 'streets', field 'ground_truth'",
        "- measured on 10 others",
        "- 7 boxes left out: other class",
        "- 1 images left out: they could not be read",
        "- run 'mine', epoch 2 of 3",
        "- on GPU; keras 3.15",
        "| image_size | 96 | 448 |",
        "| epochs | 3 | 135 |",
        "| val_voc07 | 0.5 | VOC07 mAP at IoU 0.5, on the images to measure on |",
        "| loss | 1.25 | loss on the images to learn from |",
    ):
        assert line in lines
    settings = [line for line in lines if line.count("|") == 4]
    assert len(settings) == 2 + 2 + 2 + 2  # heads, rules, settings, metrics


def test_a_network_that_was_not_trained_here_says_where_it_is_from():
    known = NetworkConfig(network="darknet-yolov1", C=2)
    imported = {
        "classes": ["car", "bus"],
        "settings": asdict(known),
        "origin": "weights of Darknet's, 'yolov1.weights'",
    }
    said = model_card.text("imported", imported)
    assert "7 x 7 cells, weights of Darknet's, 'yolov1.weights'.\n" in said
    assert "each with 3 boxes" in said
    assert "learned" not in said
    assert "?" not in said


def test_names_of_others_make_no_markdown():
    names = ["![x](http://x)", "<img src=x>", "a\nb", "snake_case", "_it_", "# x"]
    said = model_card.text("mine", metadata(classes=names, dataset="`rm`"))
    assert (
        r"- classes: \!\[x\](http://x), \<img src=x\>, a b, snake_case, \_it\_, # x"
    ) in said.splitlines()
    assert r"dataset '\`rm\`'" in said
