"""Automatic settings: what the images and the machine decide."""

import numpy as np
import psutil
import pytest

from yolov1_fo.config import TrainConfig
from yolov1_fo.pipeline.objects import RaggedBoxes
from yolov1_fo.runs import automatic, estimate
from yolov1_fo.runs.recipe_settings import Draft

LITE = {"network": "yolov1-efficientnet-lite0"}
ANIMALS = ("cat", "dog")


def objects(images, boxes):
    """Returns the same boxes in each image."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    return RaggedBoxes(
        np.tile(boxes, (images, 1)),
        np.zeros(images * len(boxes), np.int32),
        np.arange(images + 1, dtype=np.int64) * len(boxes),
    )


def squares(count, size):
    """Returns boxes of a size in a row, their centers evenly spaced."""
    centers = (np.arange(count) + 0.5) / count
    return [
        (c - size / 2, 0.5 - size / 2, c + size / 2, 0.5 + size / 2) for c in centers
    ]


def facts_of(objects, classes, *machine):
    return automatic.Facts(len(objects.offsets) - 1, 10, objects, classes, *machine)


def chosen(facts, **given):
    draft = Draft.make(given, len(facts.classes))
    return automatic.settings(draft.known, facts)[0]


ONE = objects(100, [(0.2, 0.2, 0.8, 0.8)])  # 0.6 of the side
SMALL = objects(100, squares(4, 0.1))  # 2 cells of 20


@pytest.mark.parametrize(
    ("boxes", "S"),
    [
        (objects(100, [(0.0, 0.0, 0.9, 0.9)]), 5),  # 4.5 cells with S = 5
        (ONE, 10),  # 3 cells with S = 5, 6 with S = 10
        (objects(100, squares(4, 0.2)), 20),  # 2 cells with S = 10
        # centers 0.42 and 0.55 share a cell with S = 5
        (objects(100, [(0.02, 0.02, 0.82, 0.82), (0.15, 0.15, 0.95, 0.95)]), 10),
        (objects(100, squares(40, 0.9)), 20),  # half are lost even then
        (objects(100, []), 5),
    ],
)
def test_the_grid_is_the_coarsest_that_keeps_objects_apart(boxes, S):
    assert chosen(facts_of(boxes, ANIMALS))["S"] == S


def test_the_grid_follows_the_image_size():
    assert chosen(facts_of(ONE, ANIMALS), image_size=640)["S"] == 10
    assert (
        chosen(facts_of(objects(100, squares(4, 0.2)), ANIMALS), image_size=640)["S"]
        == 20
    )


def test_lost_objects_are_counted_by_image():
    pair = objects(3, [(0.4, 0.4, 0.5, 0.5), (0.41, 0.41, 0.5, 0.5)])
    assert automatic.lost_share(pair, 2) == 0.5
    assert automatic.lost_share(objects(3, [(0.4, 0.4, 0.5, 0.5)]), 2) == 0
    assert automatic.lost_share(objects(3, []), 2) == 0


@pytest.mark.parametrize(
    ("images", "has_gpu", "size"),
    [
        (2, False, 2),
        (100, False, 4),
        (400, False, 8),
        (100_000, False, 8),
        (100, True, 8),
        (1000, True, 16),
        (100_000, True, 64),
    ],
)
def test_the_batch_size_leaves_enough_steps(images, has_gpu, size):
    boxes = objects(images, [(0.2, 0.2, 0.8, 0.8)])
    assert chosen(facts_of(boxes, ANIMALS, has_gpu))["batch_size"] == size


def test_few_images_take_more_epochs():
    # batches of 4: 25 steps, 1000 / 25
    assert chosen(facts_of(ONE, ANIMALS))["epochs"] == 40
    assert (
        chosen(facts_of(objects(20, [(0, 0, 1, 1)]), ANIMALS))["epochs"] == 80
    )  # 4 * 20
    assert chosen(facts_of(objects(800, [(0, 0, 1, 1)]), ANIMALS))["epochs"] == 20


def test_the_average_spans_a_tenth_of_the_training():
    found = chosen(facts_of(ONE, ANIMALS))  # 40 epochs of 25 steps
    assert found["ema_momentum"] == pytest.approx(1 - 1 / 100, abs=1e-4)
    assert (
        chosen(facts_of(objects(2, [(0, 0, 1, 1)]), ANIMALS), epochs=3)["ema_momentum"]
        == 0
    )


def test_the_average_of_a_long_training_is_a_valid_setting():
    facts = automatic.Facts(118_000, 0, None, ANIMALS)  # 14750 steps per epoch
    config, reasons = Draft.make({}, 2).preview(facts)
    assert config.ema_momentum == 0.9998
    assert reasons["ema_momentum"] == "averages 5000 steps"


@pytest.mark.parametrize(
    ("minutes", "size"),
    [(0, 320), (5, 320), (10.5, 384), (20, 448), (10_000, 448)],
)
def test_small_objects_get_larger_images_if_the_time_allows(minutes, size, monkeypatch):
    monkeypatch.setattr(estimate, "processor_speed", lambda: 2e11)  # FLOP per second
    draft = Draft.make({"max_minutes": minutes}, 2)
    found, reasons = automatic.settings(draft.known, facts_of(SMALL, ANIMALS))
    assert found["image_size"] == size
    assert found["S"] == size // 16
    if size > 320:
        assert reasons["image_size"].startswith("time for 40 epochs in ")


def test_images_are_larger_only_where_it_helps(monkeypatch):
    monkeypatch.setattr(estimate, "processor_speed", lambda: 1e15)
    small, large = facts_of(SMALL, ANIMALS), facts_of(ONE, ANIMALS)
    assert chosen(small, max_minutes=9)["image_size"] == 448
    assert chosen(large, max_minutes=9)["image_size"] == 320
    on_gpu = facts_of(SMALL, ANIMALS, True)
    assert chosen(on_gpu, max_minutes=9)["image_size"] == 320
    assert chosen(small, max_minutes=9, S=20)["image_size"] == 320  # its grid
    memory = psutil.virtual_memory()._replace(total=1)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert chosen(small, max_minutes=9)["image_size"] == 320


def test_characters_are_not_mirrored():
    assert chosen(facts_of(ONE, ("0", "1")))["flip"] == 0
    assert chosen(facts_of(ONE, ("6", "nine")))["flip"] == 0.5


def test_tiles_are_images_with_larger_objects():
    facts = facts_of(objects(100, squares(4, 0.22)), ANIMALS)
    plain, tiled = chosen(facts), chosen(facts, tiles=3)
    assert (plain["S"], tiled["S"]) == (20, 10)
    assert (plain["batch_size"], tiled["batch_size"]) == (4, 8)  # of 100, of 1000
    assert (plain["epochs"], tiled["epochs"]) == (40, 20)


def test_precision_follows_the_accelerator():
    assert chosen(facts_of(ONE, ANIMALS, True, True))["precision"] == "mixed_bfloat16"
    assert chosen(facts_of(ONE, ANIMALS, True, False))["precision"] == "float32"


def test_what_is_given_is_not_chosen():
    given = {"S": 5, "batch_size": 3, "epochs": 2, "ema_momentum": 0.5, "flip": 0.25}
    given |= {"image_size": 320}
    found = chosen(facts_of(ONE, ANIMALS), **given)
    assert set(found) == {"precision"}
    assert chosen(facts_of(ONE, ANIMALS), recipe="paper") == {}


@pytest.mark.parametrize(
    ("image_size", "S"), [(320, 20), (64, 4), (448, 28), (640, 40)]
)
def test_without_objects_the_grid_is_the_finest(image_size, S):
    facts = automatic.Facts(400, 0, None, ANIMALS)
    found = chosen(facts, image_size=image_size)
    assert (found["S"], found["batch_size"]) == (S, 8)
    config, _ = Draft.make({"image_size": image_size}, 2).preview(facts)
    assert config.S == S


@pytest.mark.parametrize("image_size", [96, 448])
def test_an_image_size_alone_is_enough(image_size):
    config = Draft.make({"image_size": image_size}, 2).completed(facts_of(ONE, ANIMALS))
    assert config.S in config.grid_sizes


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({"image_size": 100}, "image_size must be a multiple of 32 pixels, got 100"),
        ({"image_size": "64"}, "image_size must be a whole number, got '64'"),
        ({"image_size": 0}, "image_size must be at least 32, got 0"),
        ({"image_size": 448, "S": 20}, "S must be 7, 14 or 28 for yolov1-efficientnet"),
        (
            {"image_size": 64, "recipe": "paper", "network": "yolov1-mobilenetv2"},
            "S must be 1, 2 or 4 for yolov1-mobilenetv2",
        ),
    ],
)
def test_a_draft_refuses_invalid_sizes(given, line):
    with pytest.raises(ValueError, match=line):
        Draft.make(given, 2)


def test_a_draft_becomes_the_settings_of_a_training(caplog):
    caplog.set_level("INFO", logger="yolov1_fo")
    config = Draft.make({}, 2).completed(facts_of(ONE, ANIMALS))
    assert isinstance(config, TrainConfig)
    assert (config.S, config.C, config.recipe) == (10, 2, "transfer")
    assert "S = 10: " in caplog.text
    assert "batch_size = 4: 100 images on the CPU" in caplog.text


def test_a_time_limit_replaces_the_number_of_epochs():
    assert Draft.make({"max_minutes": 5}, 2).max_epochs > 10_000
    assert Draft.make({"max_minutes": 5, "epochs": 7}, 2).max_epochs == 7
    assert Draft.make({"epochs": 7}, 2).max_epochs == 0
