import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo import grid
from yolov1_fo.datasets import fiftyone_boxes

TERMS = ("coord_xy", "coord_wh", "confidence_obj", "confidence_noobj", "class_probs")


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.fixture
def perfect(model, painted, monkeypatch):
    """A model that predicts the targets of each image, in the order of the samples."""
    truth = {}
    for sample in painted.iter_samples():
        objects = sample.ground_truth.detections
        boxes = fiftyone_boxes.to_xyxy([one.bounding_box for one in objects])
        ids = np.array([model.classes.index(one.label) for one in objects], int)
        padded = np.zeros((8, 4), np.float32), np.full(8, -1)
        padded[0][: len(ids)], padded[1][: len(ids)] = boxes, ids
        truth[sample.id] = grid.encode(*padded, model.grid)
    order = iter(painted.values("id"))

    def forward(pixels):
        targets = grid.split_targets(np.stack([truth[next(order)] for _ in pixels]))
        has_object = targets.object[..., None]
        roots = np.sqrt(targets.boxes[..., 2:])
        boxes = np.concatenate([targets.boxes[..., :2], roots], axis=-1)[..., None, :]
        B = model.grid.B
        cells = grid.Cells(
            targets.class_probs,
            has_object * np.eye(B)[0],  # the first box predicts it
            boxes * np.eye(B)[0][:, None],
        )
        return np.asarray(grid.join(cells), np.float32)

    monkeypatch.setattr(model, "forward", forward)
    return model


def test_the_loss_of_a_perfect_prediction_is_zero(perfect, painted):
    yolov1_fo.write_losses(painted, perfect, batch_size=3, progress=False)
    assert painted.values("loss.total") == pytest.approx([0.0] * 8, abs=1e-6)


def test_neighbor_cells_count_for_models_that_learned_with_them(
    perfect, painted, monkeypatch
):
    """The model predicts an object only in the cell of its center."""
    settings = {**perfect.metadata["settings"], "neighbor_cells": True}
    monkeypatch.setitem(perfect.metadata, "settings", settings)
    yolov1_fo.write_losses(painted, perfect, batch_size=3, progress=False)
    assert max(painted.values("loss.total")) > 0.1


def test_a_mislabeled_sample_has_the_highest_loss(perfect, painted):
    wrong = painted.skip(3).first()
    wrong.ground_truth.detections[0].label = "blue"
    wrong.ground_truth.detections[0].bounding_box = [0.0, 0.0, 0.3, 0.3]
    wrong.save()
    yolov1_fo.write_losses(painted, perfect, field="cost", progress=False)
    worst = painted.sort_by("cost.total", reverse=True).first()
    assert worst.id == wrong.id
    assert worst.cost.total == pytest.approx(sum(worst.cost[term] for term in TERMS))
    assert "cost.coord_xy" in painted.get_field_schema(flat=True)


def test_losses_can_be_written_again_and_on_a_view(model, painted):
    yolov1_fo.write_losses(painted.limit(3), model, progress=False)
    assert painted.count("loss.total") == 3
    once = painted.values("loss.total")
    yolov1_fo.write_losses(painted, model, batch_size=1, progress=False)
    assert painted.count("loss.total") == 8
    assert painted.values("loss.total")[:3] == pytest.approx(once[:3], rel=1e-4)


def test_objectness_is_the_networks_confidence(model, painted):
    yolov1_fo.write_objectness(painted, model, batch_size=3, progress=False)
    first = painted.first()
    pixels = model.prepared([fo.utils.image.read(first.filepath)])
    confidence = grid.split(model.forward(pixels), model.grid).confidence[0]
    assert first.objectness.map.shape == (model.grid.S, model.grid.S)
    np.testing.assert_allclose(
        first.objectness.map, np.clip(confidence.max(axis=-1), 0, 1), atol=1e-5
    )
    assert first.objectness.range == [0, 1]


def test_a_bad_file_does_not_affect_others(model, painted, tmp_path):
    sample = painted.first()
    sample.filepath = str(tmp_path / "lost.png")
    sample.save()
    for write in (yolov1_fo.write_objectness, yolov1_fo.write_losses):
        assert list(write(painted, model, progress=False)) == [sample.filepath]
    assert painted.count("objectness") == painted.count("loss.total") == 7


def test_objectness_is_never_nan(model, painted):
    layer = model.network.layers[-1]
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel, np.full_like(bias, np.nan)])
    yolov1_fo.write_objectness(painted, model, progress=False)
    assert not painted.first().objectness.map.any()


@pytest.mark.parametrize("write", ["write_objectness", "write_losses"])
def test_other_values_are_not_overwritten(model, painted, write):
    with pytest.raises(ValueError, match=r"field 'ground_truth' on .* got Detections"):
        getattr(yolov1_fo, write)(painted, model, field="ground_truth")
    with pytest.raises(ValueError, match="field must be ASCII letters"):
        getattr(yolov1_fo, write)(painted, model, field="a b")
