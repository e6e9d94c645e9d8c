"""Training on tiles: what is measured is what the model then predicts."""

import math
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.same import assert_same
from yolov1_fo.config import TrainConfig
from yolov1_fo.curation import image_scores, model_suggestions
from yolov1_fo.runs import estimate, training_samples

TILES = {"tiles": 2, "validation_freq": 1}


@pytest.mark.slow
@pytest.mark.parametrize("letterbox", [False, True])
@pytest.mark.parametrize("mode", ["host", "stream"])
def test_the_validation_is_that_of_the_model(painted, micro, mode, letterbox):
    train, val = painted.match_tags("train"), painted.match_tags("val")
    settings = {**micro, "epochs": 8, "learning_rate": 0.01, "monitor": "val_ap50"}
    run = yolov1_fo.train(
        *(train, "ground_truth", val),
        **{**settings, **TILES, "data": mode, "letterbox": letterbox},
        run_key="tiled",
    )
    model = yolov1_fo.load_model(run)
    assert model.tiles == 2
    assert yolov1_fo.load_model(run, tiles=0).tiles == 0
    yolov1_fo.apply(val, model)
    report = yolov1_fo.evaluate(val, "predictions")
    assert val.count("predictions.detections") > 0
    assert report.voc07 == pytest.approx(run.best["val_voc07"])
    assert report.ap50 == pytest.approx(run.best["val_ap50"])
    assert math.isfinite(run.history["val_loss"][-1])

    # The run is of samples, not of tiles.
    record = painted.get_run_info("tiled").config
    assert (record.images, record.val_images) == (len(train), len(val))
    assert record.objects == train.count("ground_truth.detections")
    assert training_samples.read(Path(record.folder)) == set(train.values("id"))


@pytest.mark.slow
def test_a_training_on_tiles_is_resumed(painted, micro):
    train = painted.match_tags("train")
    settings = {**micro, "epochs": 2, "tiles": 2, "negative_fraction": 0.2}

    def stop(epoch, metrics):
        if epoch == 1:
            raise KeyboardInterrupt

    whole = yolov1_fo.train(train, run_key="whole", val_fraction=0, **settings)
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(train, run_key="one", val_fraction=0, on_epoch=stop, **settings)
    resumed = yolov1_fo.train(train, resume="one")
    assert resumed.history["loss"] == pytest.approx(whole.history["loss"], rel=1e-6)


def test_classifiers_have_no_tiles(painted):
    painted.set_values("color", [fo.Classification(label="red")] * len(painted))
    with pytest.raises(ValueError, match="tiles are for detectors"):
        yolov1_fo.pretrain(painted, "color", tiles=2)


def test_an_epoch_of_tiles_takes_as_long_as_one_of_as_many_images():
    plain, tiled = TrainConfig(), TrainConfig(tiles=3)
    assert estimate.epoch_seconds(tiled, 100, 10, 1e9) == pytest.approx(
        estimate.epoch_seconds(plain, 1000, 100, 1e9)
    )


@pytest.mark.slow
def test_the_model_predicts_and_learns_on_with_its_tiles(painted, micro, tmp_path):
    train = painted.match_tags("train")
    bad = train.first()
    Path(tmp_path / "bad.png").write_bytes(Path(bad.filepath).read_bytes()[:100])
    bad.filepath = str(tmp_path / "bad.png")
    bad.save()
    settings = {**micro, "epochs": 1, "tiles": 2, "learning_rate": 0.05}
    run = yolov1_fo.train(train, val_samples=painted, run_key="one", **settings)
    assert list(run.skipped) == [str(tmp_path / "bad.png")]

    # `apply_model` and `apply` use the tiles; suggestions and embeddings too.
    model = yolov1_fo.load_model(run)
    good = painted.exclude(bad.id)
    good.apply_model(model, "theirs", batch_size=3)
    yolov1_fo.apply(good, model, "ours")
    for sample in good:
        assert_same(sample.theirs, sample.ours, 0.01)
    assert good.count("ours.detections") > 0
    about = model_suggestions.predict(good, model, 0.0, batch_size=2, progress=False)
    scores = image_scores.read(good, model, batch_size=2, progress=False)
    for row, sample in enumerate(good):
        expected = [one.confidence for one in sample.ours.detections]
        for found in (about.found[sample.id], scores.found[row]):
            np.testing.assert_allclose(above(found.scores), above(expected), atol=1e-4)
    assert len(scores.embeddings) == len(good)

    # A training that starts from it has its tiles, unless others are given.
    again = {"epochs": 1, "batch_size": 2, "val_fraction": 0, "weights": "one"}
    second = yolov1_fo.train(train, run_key="two", **again)
    assert second.config.tiles == 2
    third = yolov1_fo.train(train, run_key="three", tiles=0, **again)
    assert third.config.tiles == 0


def above(scores, thresh=0.01 + 1e-4):
    """Returns sorted scores without those at the threshold, which rounding changes."""
    return sorted(score for score in scores if score > thresh)


def test_one_tile_is_the_image():
    assert TrainConfig(tiles=1).tiles == 0
    with pytest.raises(ValueError, match="tiles must be"):
        TrainConfig(tiles=9)
