"""Prediction with tiles: `apply` and `apply_model` find the same."""

import fiftyone as fo
import numpy as np
import PIL.Image
import pytest

import yolov1_fo
from tests.same import assert_same
from yolov1_fo.boxes import iou


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


def test_apply_and_apply_model_find_the_same(painted, checkpoint_dir):
    tiled = yolov1_fo.load_model(checkpoint_dir, tiles=2)
    painted.apply_model(tiled, "theirs", batch_size=3)
    faults = yolov1_fo.apply(painted, tiled, "ours", batch_size=16)
    assert faults == {}
    for sample in painted:
        assert_same(sample.theirs, sample.ours, 0.01)
    plain = yolov1_fo.load_model(checkpoint_dir)
    yolov1_fo.apply(painted, plain, "plain")
    assert painted.values("plain.detections.label") != painted.values(
        "ours.detections.label"
    )
    yolov1_fo.apply(painted, plain, "given", tiles=2, store_logits=True)
    assert plain.config.tiles is None
    assert plain.tiles == 0
    assert painted.values("given.detections.confidence") == painted.values(
        "ours.detections.confidence"
    )
    logits = painted.values("given.detections.logits", unwind=True)
    assert {len(one) for one in logits} == {2}


def test_it_is_the_union_of_the_parts(model, tmp_path, rng):
    """Each detection is one of the image or of a tile, moved and scaled."""
    pixels = rng.integers(0, 256, (90, 140, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "one.png")
    dataset = fo.Dataset()
    try:
        dataset.add_sample(fo.Sample(str(tmp_path / "one.png")))
        yolov1_fo.apply(dataset, model, "found", tiles=2)
        found = dataset.first().found.detections
        alone = model.predict(pixels).detections
        whole = {tuple(np.round(one.bounding_box, 4)) for one in alone}
        shared = [one for one in found if tuple(np.round(one.bounding_box, 4)) in whole]
        assert 0 < len(shared) < len(found)
        for label in model.classes:
            xywh = np.array([one.bounding_box for one in found if one.label == label])
            corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=-1)
            overlaps = np.asarray(iou(corners[None], corners[None]))[0]
            assert (overlaps - np.eye(len(corners)) <= 0.5 + 1e-3).all()
    finally:
        dataset.delete()


def test_embeddings_are_those_of_the_whole_image(painted, checkpoint_dir):
    tiled = yolov1_fo.load_model(checkpoint_dir, tiles=2)
    plain = yolov1_fo.load_model(checkpoint_dir)
    image = np.full((50, 80, 3), 90, np.uint8)
    np.testing.assert_allclose(tiled.embed(image), plain.embed(image))
    tiled.predict(image)
    np.testing.assert_allclose(tiled.get_embeddings()[0], plain.embed(image), atol=1e-6)


@pytest.mark.parametrize("tiles", [-1, 9, 1.5, True])
def test_a_wrong_number_of_tiles_is_one_line(painted, model, tiles):
    with pytest.raises((TypeError, ValueError), match="tiles must be"):
        yolov1_fo.apply(painted, model, "found", tiles=tiles)
    assert not painted.has_field("found")
