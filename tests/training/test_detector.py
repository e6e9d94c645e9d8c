import csv
import json
import logging
import math
import os
from dataclasses import asdict
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

import yolov1_fo
from tests.same import assert_same
from yolov1_fo import decode, images
from yolov1_fo.config import TrainConfig
from yolov1_fo.config.train import MONITORS
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.networks import build, keras_file
from yolov1_fo.pipeline import batches, image_loading
from yolov1_fo.runs import checkpoint, folders, recipe_settings
from yolov1_fo.training import (
    examples,
    progress,
    validation,
)
from yolov1_fo.training.learner_builder import build_learner
from yolov1_fo.training.progress import finite

pytestmark = pytest.mark.slow


def train(dataset, micro, **settings):
    return yolov1_fo.train(
        dataset.match_tags("train"),
        val_samples=dataset.match_tags("val"),
        **{"epochs": 2, **micro, **settings},
    )


def test_run_stands_on_the_dataset(painted, micro):
    told = []
    run = train(painted, micro, run_key="one", on_epoch=lambda *a: told.append(a))
    config = painted.get_run_info("one").config
    assert painted.list_runs(method="yolov1/train") == ["one"]
    assert (config.status, config.epoch, config.images) == ("finished", 2, 6)
    assert config.classes == ["blue", "red"]
    assert config.settings["epochs"] == 2
    assert painted.load_run_results("one").history == run.history
    assert [epoch for epoch, _ in told] == [1, 2]
    assert set(run.history) >= {"loss", "coord_xy", "val_loss", "val_voc07", "seconds"}
    assert run.best["val_voc07"] == max(run.history["val_voc07"])
    assert run.summary_line.startswith("run 'one': 2 epochs, best at epoch ")


def test_folder_explains_itself(painted, micro):
    run = train(painted, micro, run_key="one")
    folder = Path(run.checkpoint_dir)
    assert folder.parent == folders.run_folder(painted, "one")
    metadata = json.loads((folder / "run.json").read_text())
    assert metadata["format"] == 2
    assert metadata["classes"] == ["blue", "red"]
    assert metadata["epoch"] == run.best["epoch"]
    assert metadata["versions"]["keras"]
    with (folder.parent / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["val_voc07"]) == run.history["val_voc07"][1]


def test_keys_are_made_up_and_never_taken_twice(painted, micro):
    keys = [train(painted, micro, epochs=1).run_key for _ in range(2)]
    assert keys == ["micro_1", "micro_2"]
    with pytest.raises(ValueError, match="run_key 'micro_1' exists on dataset"):
        train(painted, micro, run_key="micro_1")
    with pytest.raises(ValueError, match="run_key must be letters"):
        train(painted, micro, run_key="../escape")


def test_the_folder_of_a_deleted_run_is_left_alone(painted, micro):
    train(painted, micro, run_key="old", epochs=1)
    painted.delete_run("old")
    with pytest.raises(ValueError, match=r"has a folder '.*' of a run that"):
        train(painted, micro, run_key="old")
    assert checkpoint.resolve(folders.run_folder(painted, "old"))


@pytest.mark.parametrize("mode", ["host", "device", "stream"])
def test_same_seed_gives_the_same_run(painted, micro, mode):
    first, second = (
        train(painted, micro, data=mode, dropout=0.5, seed=4) for _ in range(2)
    )
    assert first.history["loss"] == second.history["loss"]
    a, b = (
        keras_file.load(Path(run.checkpoint_dir) / "network.keras").get_weights()
        for run in (first, second)
    )
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


def test_stream_and_host_take_the_same_steps(painted, micro):
    losses = [
        train(painted, micro, data=mode).history["loss"] for mode in ("host", "stream")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_without_validation_the_lowest_loss_is_best(painted, micro):
    run = yolov1_fo.train(painted, **micro, epochs=3)
    assert run.best["loss"] == min(run.history["loss"])
    assert "val_loss" not in run.history


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"gt_field": "truth"}, "gt_field 'truth' is not on"),
        (
            {"gt_field": "tags"},
            "gt_field 'tags' .* must hold Detections, got ListField",
        ),
        (
            {"classes": ["red"]},
            "classes lack labels of 'ground_truth' .*: blue; add them",
        ),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 7}, "batch_size 7 must be at most .* training images, got 6"),
        ({"steps_per_execution": 2}, "steps_per_execution 2 must divide the 3 steps"),
        ({"epoch": 3}, r"unknown setting epoch \(did you mean epochs"),
        ({"quick": True}, "unknown setting quick; there are: .*epochs"),
        ({"C": 3}, "unknown setting C"),
        ({"network": "resnet"}, "network must be one of"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_left(
    painted, micro, settings, line
):
    with pytest.raises(ValueError, match=line) as caught:
        train(painted, micro, **{"run_key": "bad", **settings})
    assert "\n" not in str(caught.value)
    assert not painted.list_runs()
    assert not list(Path(fo.config.default_dataset_dir).rglob("bad"))


def test_no_objects_is_one_clear_line(painted, micro):
    empty = painted.skip(5).limit(1)
    with pytest.raises(ValueError, match="has no objects"):
        yolov1_fo.train(empty, **micro)
    with pytest.raises(ValueError, match="has no objects to validate on"):
        yolov1_fo.train(painted, val_samples=empty, **micro)
    assert not painted.list_runs()


def test_overlapping_splits_are_warned_of(painted, micro, caplog):
    with caplog.at_level(logging.WARNING, logger="yolov1_fo"):
        yolov1_fo.train(painted, val_samples=painted.limit(3), epochs=1, **micro)
    assert "val_samples shares 3 of its 3 images with samples" in caplog.text


@pytest.mark.parametrize("mode", ["host", "device", "stream"])
def test_unreadable_images_are_skipped_and_named(
    painted, micro, mode, tmp_path, caplog
):
    content = Path(painted.first().filepath).read_bytes()
    (tmp_path / "cut.png").write_bytes(content[:-30])
    (tmp_path / "text.jpg").write_text("this is no picture, only its name says so")
    (tmp_path / "exr.jpg").write_bytes(b"v/1\x01" + bytes(300))  # OpenCV raises
    os.mkfifo(tmp_path / "pipe.jpg")  # whoever opens it waits for ever
    Image.new("L", (300, 300)).save(tmp_path / "large.png")
    names = {"cut.png", "text.jpg", "exr.jpg", "pipe.jpg", "large.png", "missing.png"}
    for name in names:
        sample = painted.first().copy()
        sample.filepath = str(tmp_path / name)
        painted.add_sample(sample)
    with caplog.at_level(logging.WARNING, logger="yolov1_fo"):
        run = train(painted, micro, data=mode, max_image_pixels=299 * 300)
    assert {Path(path).name for path in run.skipped} == names
    assert run.summary_line.endswith("6 images skipped")
    assert all(f"{name}' " in caplog.text for name in names)


def test_objects_without_size_are_left_out(painted, micro, caplog):
    sample = painted.first()
    sample.ground_truth.detections.append(
        fo.Detection(label="red", bounding_box=[0.5, 0.5, 0, 0.2])
    )
    sample.save()
    with caplog.at_level(logging.INFO, logger="yolov1_fo"):
        train(painted, micro, epochs=1)
    assert "train: 6 images" in caplog.text
    assert "; left out 1 without area\n" in caplog.text


def test_samples_without_labels_are_counted(painted, micro, caplog):
    train(painted, micro, epochs=1)
    assert "without 'ground_truth'" not in caplog.text
    view = painted.limit(2)
    view.set_values("ground_truth", [None, None])
    train(painted, micro, epochs=1)
    assert (
        "train: 2 samples without 'ground_truth' count as images without" in caplog.text
    )


def test_loss_that_is_not_finite_stops_and_names_the_step(painted, micro):
    with pytest.raises(
        FloatingPointError, match=r"not finite at epoch \d, step \d"
    ) as got:
        train(painted, micro, run_key="nan", learning_rate=1e30, schedule="constant")
    assert ".png" in str(got.value)
    assert painted.get_run_info("nan").config.status == "failed"
    for metadata in folders.run_folder(painted, "nan").glob("*/run.json"):
        net = keras_file.load(metadata.parent / "network.keras")
        assert all(np.isfinite(w).all() for w in net.get_weights())


def test_an_interrupted_run_is_stopped(painted, micro):
    def interrupt(epoch, metrics):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(painted, micro, run_key="cut", on_epoch=interrupt)
    assert painted.get_run_info("cut").config.status == "stopped"
    assert checkpoint.resolve(folders.run_folder(painted, "cut")).name == "epoch_0001"


def test_patience_stops_early(painted, micro, monkeypatch):
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.6])
    monkeypatch.setattr(
        validation.Validator,
        "__call__",
        lambda self, net: {"val_loss": 1.0, "val_voc07": next(scores)},
    )
    run = train(painted, micro, epochs=6, patience=2)
    assert len(run.history["loss"]) == 4
    assert run.best["epoch"] == 2


def test_validation_may_be_rare(painted, micro):
    run = train(painted, micro, run_key="rare", epochs=5, validation_freq=2)
    measured = [value is not None for value in run.history["val_voc07"]]
    assert measured == [False, True, False, True, True]  # the last one always is
    assert run.best["epoch"] in (2, 4, 5)
    log = folders.run_folder(painted, "rare") / "log.csv"
    assert len(log.read_text().splitlines()) == 6


def test_patience_waits_for_a_measurement(painted, micro):
    run = train(painted, micro, epochs=6, validation_freq=4, patience=1)
    assert len(run.history["loss"]) >= 4


def test_better_is_more_map_then_less_loss():
    rank = progress._rank
    first, second = (
        {"val_voc07": 0.0, "val_loss": 2.0},
        {"val_voc07": 0.0, "val_loss": 1.0},
    )
    unmeasured = {"val_voc07": math.nan, "val_loss": math.nan}
    assert rank(second) > rank(first) > rank(unmeasured)
    assert rank({"loss": 1.0}) > rank({"loss": 2.0})
    for monitor in MONITORS:  # without a validation split the loss decides
        assert rank({"loss": 1.0}, monitor) > rank({"loss": 2.0}, monitor)


def test_no_space_is_said_before_anything(painted, micro, monkeypatch):
    import shutil

    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"needs .*B for checkpoints, got 1\.0 kB free"):
        train(painted, micro)
    assert not painted.list_runs()


def test_missing_tensorboard_is_said_before_anything(painted, micro, monkeypatch):
    monkeypatch.setattr(recipe_settings, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="tensorboard=True needs a package: pip inst"):
        train(painted, micro, tensorboard=True)
    assert not painted.list_runs()


def test_tensorboard_is_written_if_asked(painted, micro):
    run = train(painted, micro, epochs=1, tensorboard=True)
    assert list((Path(run.checkpoint_dir).parent / "tensorboard").rglob("events*"))


TRANSFER = {
    "network": "yolov1-efficientnet-lite0",
    "pretrained": False,
    "image_size": 64,
    "head_filters": 8,
    "batch_norm": True,
}


def test_backbone_stands_still_until_its_epoch(painted, micro):
    before = build.detector(TrainConfig(**{**TRANSFER, "C": 2, "S": 2})).get_layer(
        "backbone"
    )
    seen = {}

    def look(epoch, metrics):
        folder = checkpoint.resolve(
            folders.run_folder(painted, "frozen") / f"epoch_{epoch:04d}"
        )
        seen[epoch] = (
            keras_file.load(folder / "network.keras")
            .get_layer("backbone")
            .get_weights()
        )

    train(
        painted,
        micro,
        run_key="frozen",
        **TRANSFER,
        freeze_epochs=1,
        freeze_to_stride=16,
        epochs=2,
        ema_momentum=0.5,
        on_epoch=look,
    )
    fine = len(before.get_layer("_conv_stem").get_weights())
    start = before.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(start, seen[1], strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(start, seen[2], strict=True))
    assert all(
        np.array_equal(a, b) for a, b in zip(start[:fine], seen[2][:fine], strict=True)
    )


def test_a_tiny_network_overfits_eight_images(painted, micro):
    run = yolov1_fo.train(
        painted,
        val_samples=painted,
        **{
            **micro,
            "image_size": 64,
            "S": 4,
            "epochs": 150,
            "batch_size": 8,
            "optimizer": "adam",
            "learning_rate": 3e-3,
            "schedule": "cosine",
            "validation_freq": 50,
            "jitter": 0.0,
            "flip": 0.0,
        },
    )
    assert run.best["val_voc07"] > 0.95
    assert run.history["loss"][-1] < 0.03 * run.history["loss"][0]


def test_metrics_without_a_number_are_none():
    assert finite({"a": math.nan, "b": 1.0}) == {"a": None, "b": 1.0}


def test_half_precision_survives_the_thaw(painted, micro):
    run = train(
        painted, micro, **TRANSFER, freeze_epochs=1, epochs=2, precision="mixed_float16"
    )
    assert all(math.isfinite(loss) for loss in run.history["loss"])


def test_the_papers_network_trains_on_photographs(photographs, tmp_path):
    """24 convolutions at 448 px: steps with a falling loss, saved, loaded, the same."""
    from benchmarks.photographs import fruit

    dataset = fruit(photographs / "fruit")
    listing = examples.load(
        dataset.match_tags("train").take(4, seed=1),
        "ground_truth",
        ["apple", "banana", "orange"],
    )
    config = TrainConfig(
        C=3, batch_size=2, schedule="constant", learning_rate=1e-3, global_clipnorm=10.0
    )
    learner = build_learner(config, 2)
    pixels = image_loading.read_into_memory(listing.filepaths, config.image_size).pixels
    fed = batches.HostBatches(
        pixels,
        listing.objects,
        batch_size=2,
        seed=0,
        width=listing.objects.max_per_image(),
    )
    losses = learner.fit(
        fed, steps_per_epoch=2, epochs=3, shuffle=False, verbose=0
    ).history["loss"]
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]

    metadata = {"classes": ["apple", "banana", "orange"], "settings": asdict(config)}
    with checkpoint.writing(tmp_path, 1, best=True) as folder:
        checkpoint.write(folder, learner.network, metadata)
    folder = checkpoint.resolve(tmp_path)
    y_pred = learner.network.predict_on_batch(pixels[:1].astype(np.float32) / 255)
    options = {"confidence_thresh": 0.001, "iou_thresh": 0.5, "max_detections": 100}
    (found,) = decode.decode(y_pred, config, **options)
    assert len(found.scores)
    model = yolov1_fo.load_model(folder, **options)
    # the paper's 271.7 M, less the weights of 17 classes in each of 49 cells
    assert model.network.count_params() == 271_703_550 - 49 * 17 * 4097
    expected = fiftyone_boxes.to_detections(*found, model.classes)
    assert_same(model.predict(images.read(listing.filepaths[0])), expected, 0.001)
    dataset.delete()
