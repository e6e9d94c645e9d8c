"""benchmarks/ready_models.py, and whether the package has what it makes."""

import json
import zipfile
from dataclasses import asdict

import fiftyone as fo
import pytest

from benchmarks import ready_models
from yolov1_fo import pretrained
from yolov1_fo.config import TrainConfig, recipes

NAMES = [*ready_models.MODELS]


def metadata(name):
    return json.loads((pretrained.ROOT / name / "run.json").read_text())


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_those_of_the_recipe(name):
    made = metadata(name)
    kept, given = made["settings"], ready_models.settings(name)
    recipe = TrainConfig.for_network(kept["network"])
    expected = {**asdict(recipe), "C": len(made["classes"]), **given}
    assert kept.keys() == expected.keys()
    chosen = recipes.choices(recipe.recipe, recipe.network)
    automatic = {name for name, choice in chosen.items() if choice.is_automatic}
    expected = json.loads(json.dumps(expected))
    different = {name for name in kept if kept[name] != expected[name]}
    assert different <= automatic - given.keys()


@pytest.mark.parametrize("name", NAMES)
def test_cards_are_written_as_today(name):
    kept = (pretrained.ROOT / name / "README.md").read_text()
    assert kept == ready_models.card(name, metadata(name))


def test_every_tenth_image_validates():
    dataset = fo.Dataset()
    names = [f"{k:02}.jpg" for k in range(21)]
    dataset.add_samples(
        [fo.Sample(filepath=f"/{name}") for name in reversed(names)], progress=False
    )
    train, val = ready_models.split(dataset.view())
    assert sorted(path[1:] for path in val.values("filepath")) == names[::10]
    assert not set(train.values("id")) & set(val.values("id"))
    assert len(train) + len(val) == len(names)
    dataset.delete()


def test_the_time_of_a_file_does_not_change_its_digest(tmp_path):
    for folder, date in (("first", "2026-01-02@03:04:05"), ("second", "2027")):
        (tmp_path / folder).mkdir()
        with zipfile.ZipFile(tmp_path / folder / "network.keras", "w") as file:
            file.writestr("metadata.json", json.dumps({"date_saved": date}))
            file.writestr("model.weights.h5", bytes(1000))
        ready_models.pack(tmp_path / folder / "network.keras")
    assert ready_models.digests(tmp_path / "first") == ready_models.digests(
        tmp_path / "second"
    )
    with zipfile.ZipFile(tmp_path / "first" / "network.keras") as file:
        assert file.read("model.weights.h5") == bytes(1000)


def test_records_have_nothing_that_differs_in_each_training():
    kept = {"run_key": "yolov1_squares", "metrics": {"loss": 1.0, "seconds": 3.0}}
    figures = {"voc07": 0.5, "ap50": 0.6, "coco_map": 0.3, "per_class": {"red": 0.5}}
    ready = ready_models.Ready("squares", {}, "Squares.", "all")
    left_out = dict.fromkeys(ready_models.LEFT_OUT, "another each time")
    assert ready_models.about(kept | left_out, ready, figures | {"f1": 1}, 7) == {
        "run_key": "yolov1_squares",
        "dataset": "squares",
        "metrics": {"loss": 1.0},
        "test": {"images": 7, **figures},
    }
