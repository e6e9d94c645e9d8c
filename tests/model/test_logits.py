"""Class logits of detections, as FiftyOne stores and uses them."""

import pickle
import shutil

import fiftyone as fo
import fiftyone.brain as fob
import numpy as np
import pytest

import yolov1_fo
from tests import painting
from tests.model.test_keras_tasks import classifier
from yolov1_fo import decode, grid
from yolov1_fo.config import GridConfig


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.fixture
def film(painted_files, tmp_path):
    """A dataset of one video of three frames."""
    path = painting.film(tmp_path / "film.mp4", painted_files[:3])
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath=str(path)))
    yield dataset
    dataset.delete()


def by_sample(dataset, field):
    """Returns boxes, confidences and logits of the objects of all samples."""
    return [
        np.array(
            [
                value
                for row in dataset.values(f"{field}.detections.{one}")
                for value in row
            ]
        )
        for one in ("bounding_box", "confidence", "logits")
    ]


def test_apply_and_apply_model_store_the_same_logits(painted, model):
    painted.apply_model(model, "theirs", store_logits=True, batch_size=3)
    assert not model.store_logits
    yolov1_fo.apply(painted, model, "ours", store_logits=True)
    assert not model.store_logits
    theirs, ours = by_sample(painted, "theirs"), by_sample(painted, "ours")
    for one, other in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert ours[2].shape == (len(ours[0]), 2)
    for field in ("theirs", "ours"):
        declared = painted.get_field(f"{field}.detections.logits")
        assert isinstance(declared, fo.VectorField)
    probs = np.exp(ours[2])
    assert (probs.max(axis=1) >= ours[1] - 1e-5).all()  # score = prob * confidence


def test_without_logits_no_attribute_is_added(painted, model):
    painted.apply_model(model, "theirs")
    yolov1_fo.apply(painted, model, "ours")
    for field in ("theirs", "ours"):
        assert not painted.has_field(f"{field}.detections.logits")
        assert painted.count(f"{field}.detections")
    with pytest.raises(TypeError, match="store_logits must be"):
        yolov1_fo.apply(painted, model, "more", store_logits=1)


def test_other_fields_are_left_alone(painted, model):
    truth = painted.values("ground_truth")
    for label in truth:
        for one in label.detections:
            one["logits"] = "not ours"
    painted.set_values("ground_truth", truth)
    painted.apply_model(model, "found", store_logits=True)
    assert painted.has_field("found.detections.logits")
    assert not painted.has_field("ground_truth.detections.logits")


def test_a_model_that_was_applied_can_be_copied(painted, model):
    sample = painted.first()
    image = np.full((40, 40, 3), 90, np.uint8)
    model.store_logits = True
    expected = model.predict(image, sample=sample)
    again = pickle.loads(pickle.dumps(model)).predict(image)
    assert len(again.detections) == len(expected.detections) > 0


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="videos are read with ffmpeg")
@pytest.mark.parametrize("of_frames", [False, True])
def test_logits_of_videos_are_declared(film, model, of_frames, tmp_path):
    video = target = film
    if of_frames:
        target = video.to_frames(sample_frames=True, output_dir=str(tmp_path / "f"))
    target.apply_model(model, "theirs", store_logits=True)
    yolov1_fo.apply(target, model, "ours", store_logits=True)
    for name in ("theirs", "ours"):
        declared = video.get_field(f"frames.{name}.detections.logits")
        assert isinstance(declared, fo.VectorField)
        logits = video.values(f"frames.{name}.detections.logits", unwind=3)
        assert {np.shape(one) for one in logits} == {(2,)}
        if of_frames:
            declared = target.get_field(f"{name}.detections.logits")
            assert isinstance(declared, fo.VectorField)


def test_logits_belong_to_the_cell_of_the_box(rng):
    config = GridConfig(S=3, B=2, C=4)
    y = rng.uniform(0.1, 1, (2, grid.output_size(config))).astype(np.float32)
    settings = {"confidence_thresh": 0.0, "iou_thresh": 1.0, "max_detections": 1000}
    plain = decode.decode(y, config, **settings)
    for image, (found, logits) in enumerate(
        decode.decode_with_logits(y, config, **settings)
    ):
        for one, same in zip(found, plain[image], strict=True):
            np.testing.assert_array_equal(one, same)
        cells = grid.split(y[image], config)
        probs = cells.class_probs.reshape(9, 4)
        rows = [np.abs(probs - np.exp(one)).sum(axis=1).argmin() for one in logits]
        confidences = cells.confidence.reshape(9, 2)[rows]
        scores = confidences * probs[rows, found.class_ids][:, None]
        assert np.isclose(scores, found.scores[:, None], atol=1e-5).any(axis=1).all()


def test_logits_of_a_softmax_are_the_outputs(rng):
    config = GridConfig(S=2, B=1, C=3, softmax=True)
    y = rng.normal(size=(1, grid.output_size(config))).astype(np.float32)
    np.testing.assert_array_equal(
        decode.class_logits(y, config)[0], y[0, :12].reshape(4, 3)
    )
    linear = GridConfig(S=2, B=1, C=3)
    assert np.isfinite(decode.class_logits(np.zeros_like(y), linear)).all()


@pytest.mark.slow
def test_brain_uses_predictions_logits_and_embeddings(photographs, model):
    from benchmarks.photographs import fruit

    dataset = fruit(photographs / "fruit")
    try:
        view = dataset.limit(12)
        labels = view.values("ground_truth.detections.label")
        names = [["red" if one == "apple" else "blue" for one in row] for row in labels]
        view.set_values("ground_truth.detections.label", names)
        yolov1_fo.apply(view, model, "found", store_logits=True)
        for use_logits in (False, True):
            fob.compute_mistakenness(
                *(view, "found", "ground_truth"),
                use_logits=use_logits,
                progress=False,
            )
            assert np.isfinite(view.bounds("mistakenness")).all()
            assert view.count("ground_truth.detections.mistakenness")
        view.compute_patch_embeddings(
            model, "ground_truth", embeddings_field="embedding", progress=False
        )
        fob.compute_similarity(
            *(view,),
            patches_field="ground_truth",
            embeddings="embedding",
            brain_key="patches",
            backend="sklearn",
            progress=False,
        )
        first = view.values("ground_truth.detections.id", unwind=True)[0]
        patches = view.to_patches("ground_truth")
        near = patches.sort_by_similarity(first, brain_key="patches", k=3)
        assert len(near) == 3
        fob.compute_uniqueness(view, model=model, progress=False)
        assert len(view.exists("uniqueness")) == 12
        kinds = yolov1_fo.from_keras(classifier(), ["cat", "dog", "owl"])
        view.apply_model(kinds, "kind", store_logits=True)
        fob.compute_hardness(view, "kind", progress=False)
        assert np.isfinite(view.bounds("hardness")).all()
    finally:
        dataset.delete()
