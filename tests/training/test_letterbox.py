"""Letterboxed images: the same pixels and boxes in training and in prediction."""

import shutil
from pathlib import Path

import cv2
import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.inference.test_exporting import with_letterbox
from tests.same import assert_same
from tests.test_images import saved, turned
from tests.training import test_resume as resuming
from yolov1_fo import grid, images
from yolov1_fo.config import TrainConfig
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.image_files import letterboxing
from yolov1_fo.networks import keras_file
from yolov1_fo.training import examples
from yolov1_fo.training.distribution import Devices
from yolov1_fo.training.input_pipeline import InputPipeline
from yolov1_fo.training.plan import Plan

SIZES = [(60, 120), (120, 50), (64, 64), (1, 40), (70, 1), (31, 32), (200, 90)]


@pytest.fixture(scope="module")
def letterboxed_dir(checkpoint_dir, tmp_path_factory):
    """The checkpoint of random weights, as of a training with letterboxed images."""
    folder = tmp_path_factory.mktemp("letterboxed") / "epoch_0001"
    return with_letterbox(checkpoint_dir, folder)


@pytest.fixture
def model(letterboxed_dir):
    return yolov1_fo.load_model(letterboxed_dir)


@pytest.fixture
def shapes(tmp_path, rng):
    """Images of many aspect ratios, one of them stored on its side, with an object."""
    dataset = fo.Dataset()
    for number, size in enumerate([*SIZES, (90, 40)]):
        picture = rng.integers(0, 256, (*size, 3), np.uint8)
        path = tmp_path / f"{number}.png"
        if number == len(SIZES):
            path = turned(picture, path, 6)
        else:
            saved(picture, path)
        x, y = rng.uniform(0, 0.5, 2).tolist()
        w, h = rng.uniform(0.2, 0.5, 2).tolist()
        label = ("blue", "red")[number % 2]
        box = fo.Detection(label=label, bounding_box=[x, y, w, h])
        sample = fo.Sample(str(path), ground_truth=fo.Detections(detections=[box]))
        dataset.add_sample(sample)
    yield dataset
    dataset.delete()


def settings_of(model):
    return TrainConfig(
        network="fast-yolov1",
        image_size=model.image_size,
        S=model.grid.S,
        C=2,
        batch_size=3,
        letterbox=True,
    )


def input_pipeline(dataset, model, folder, mode):
    """Returns the input of a training on all images, which also validate."""
    listing = examples.load(dataset, "ground_truth", model.classes)
    config = TrainConfig(**{**settings_of(model).__dict__, "data": mode})
    plan = Plan(
        *(dataset, "run", folder / "run", config, model.classes, "ground_truth"),
        *(listing, listing),
        resumes=False,
    )
    return InputPipeline(plan, Devices())


def perfect(y_true, model):
    """Returns the output whose first boxes are the targets: (N, outputs)."""
    targets = grid.split_targets(np.asarray(y_true))
    first = np.eye(model.grid.B)[0]
    boxes = np.concatenate(
        [targets.boxes[..., :2], np.sqrt(targets.boxes[..., 2:])], axis=-1
    )
    cells = grid.Cells(
        targets.class_probs,
        targets.object[..., None] * first,
        boxes[..., None, :] * first[:, None],
    )
    return np.asarray(grid.join(cells), np.float32)


@pytest.mark.parametrize("mode", ["host", "stream"])
def test_boxes_of_training_come_back_from_prediction(
    shapes, model, tmp_path, monkeypatch, mode
):
    """The network is a table from the pixels of training to perfect predictions."""
    source = input_pipeline(shapes, model, tmp_path, mode)
    table = {}
    for batch, _ in zip(source.batches(), range(2 * len(shapes)), strict=False):
        y_true = grid.encode(
            np.asarray(batch["boxes"]), np.asarray(batch["class_ids"]), model.grid
        )
        for pixels, y in zip(batch["images"], perfect(y_true, model), strict=True):
            table[np.asarray(pixels).tobytes()] = y
    assert len(table) == len(shapes)
    monkeypatch.setattr(
        model,
        "forward",
        lambda pixels: np.stack([table[one.tobytes()] for one in pixels]),
    )
    yolov1_fo.apply(shapes, model, "fast", batch_size=3, progress=False)
    shapes.apply_model(model, label_field="slow", batch_size=3, progress=False)
    yolov1_fo.write_losses(shapes, model, progress=False)
    for sample in shapes:
        (truth,) = sample.ground_truth.detections
        for found in (sample.fast, sample.slow, model.predict(read(sample), sample)):
            (one,) = found.detections
            assert (one.label, one.confidence) == (truth.label, 1)
            np.testing.assert_allclose(one.bounding_box, truth.bounding_box, atol=1e-4)
        assert sample.loss.total == pytest.approx(0, abs=1e-6)


def read(sample):
    return images.read(sample.filepath)


def test_apply_finds_the_same_as_apply_model(painted, model, checkpoint_dir):
    stretched = yolov1_fo.load_model(checkpoint_dir)
    painted.apply_model(model, label_field="slow", batch_size=3)
    painted.apply_model(model, label_field="single")
    yolov1_fo.apply(painted, model, "fast")
    yolov1_fo.apply(painted, stretched, "stretched")
    for sample in painted:
        assert len(sample.fast.detections) > 3
        assert_same(sample.fast, sample.slow)
        assert_same(sample.fast, sample.single)
        boxes = fiftyone_boxes.to_xyxy([d.bounding_box for d in sample.fast.detections])
        assert boxes.min() >= 0
        assert boxes.max() <= 1 + 1e-6
        with pytest.raises(AssertionError):
            assert_same(sample.fast, sample.stretched)


def test_embeddings_are_those_of_the_letterboxed_image(painted, model, checkpoint_dir):
    stretched = yolov1_fo.load_model(checkpoint_dir)
    found = painted.compute_embeddings(model, batch_size=3)
    pixels = [
        images.read(path, model.image_size, letterbox=True)
        for path in painted.values("filepath")
    ]
    np.testing.assert_allclose(found, stretched.embed_all(pixels), atol=1e-5)


def test_without_preprocessing_boxes_are_those_of_the_square(model, painted):
    square = images.read(painted.first().filepath, model.image_size, letterbox=True)
    model.preprocess = False
    assert_same(model.predict(square), model.predict_pixels(square[None])[0])


def test_objectness_covers_the_image(shapes, model):
    yolov1_fo.write_objectness(shapes, model, progress=False)
    for sample in shapes:
        pixels = model.prepared([read(sample)])
        cells = grid.split(model.forward(pixels), model.grid).confidence[0].max(axis=-1)
        size = read(sample).shape[:2]
        ((left, top, right, bottom),) = letterboxing.windows_in_pixels([size], 32)
        assert sample.objectness.map.shape == (bottom - top, right - left)
        for row, column in ((top, left), (bottom - 1, right - 1), (16, 16)):
            if top <= row < bottom and left <= column < right:
                expected = cells[(6 * row + 3) // 64, (6 * column + 3) // 64]
                found = sample.objectness.map[row - top, column - left]
                assert found == pytest.approx(np.clip(expected, 0, 1), abs=1e-5)


@pytest.mark.parametrize("mode", ["host", "stream"])
def test_validation_is_evaluation_after_prediction(painted, model, tmp_path, mode):
    """Truth is what the network finds, less some; the second object is difficult."""
    yolov1_fo.apply(painted, model, "guess", progress=False)
    for sample in painted:
        sample.ground_truth.detections = [
            fo.Detection(
                label=one.label, bounding_box=one.bounding_box, difficult=number == 1
            )
            for number, one in enumerate(sample.guess.detections[:7:2])
        ]
        sample.save()
    network = keras_file.load(Path(model.config.checkpoint_dir) / "network.keras")
    source = input_pipeline(painted, model, tmp_path, mode)
    assert len(source.listing.ignored.class_ids) == 8
    measured = source.validator(network)
    assert 0 < measured["val_voc07"] < 1
    yolov1_fo.apply(painted, model, "found", progress=False)
    report = yolov1_fo.evaluate(painted, "found", classes=model.classes)
    assert measured["val_voc07"] == pytest.approx(report.voc07, abs=1e-6)
    yolov1_fo.write_losses(painted, model, progress=False)
    losses = painted.values("loss.total")
    assert measured["val_loss"] == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["host", "stream"])
def test_a_letterboxed_training_resumes_as_if_never_stopped(painted, micro, mode):
    settings = {**micro, **resuming.SETTINGS, "data": mode, "letterbox": True}
    whole = resuming.train(painted, run_key="whole", **settings)
    resuming.cut(painted, 3, **settings)
    run = resuming.train(painted, resume="cut", progress=False)
    resuming.assert_same_run(run, whole)
    assert yolov1_fo.load_model(run.checkpoint_dir).letterbox


@pytest.mark.slow
def test_every_mode_trains_the_same(painted, micro):
    host, stream, device = (
        resuming.train(painted, epochs=2, data=mode, letterbox=True, **micro)
        for mode in ("host", "stream", "device")
    )
    stretched = resuming.train(painted, epochs=2, data="host", **micro)
    for other in (stream, device):
        for a, b in zip(*map(resuming.last_weights, (host, other)), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
    assert host.history["loss"] != stretched.history["loss"]


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("ffmpeg"), reason="FiftyOne reads videos with ffmpeg"
)
def test_frames_of_videos_are_letterboxed(painted_files, model, tmp_path):
    path = tmp_path / "film.mp4"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 5, (128, 64))
    for one in painted_files[:3]:
        film.write(cv2.resize(images.read(one["path"]), (128, 64))[..., ::-1])
    film.release()
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(str(path)))
    dataset.apply_model(model, label_field="slow", progress=False)
    assert not yolov1_fo.apply(dataset, model, "fast", batch_size=2, progress=False)
    frames = dataset.first().frames
    capture = cv2.VideoCapture(str(path))
    for number in (1, 2, 3):
        assert_same(frames[number].fast, frames[number].slow)
        bgr = capture.read()[1]
        assert len(frames[number].fast.detections) > 3
        found = model.predict(np.ascontiguousarray(bgr[..., ::-1]))
        assert len(found.detections) == len(frames[number].fast.detections)
    dataset.delete()


def test_a_tf_dataset_can_be_letterboxed(shapes):
    (batch,) = yolov1_fo.to_tf_dataset(shapes, image_size=32, letterbox=True)
    for sample, pixels, boxes in zip(
        shapes, batch["images"], batch["boxes"], strict=True
    ):
        expected, _, size = images.decode(sample.filepath, 32, letterbox=True)
        np.testing.assert_array_equal(pixels, expected)
        (truth,) = sample.ground_truth.detections
        xyxy = fiftyone_boxes.to_xyxy([truth.bounding_box])
        square = letterboxing.image_to_square(xyxy, letterboxing.windows([size], 32))
        np.testing.assert_allclose(boxes, square, atol=1e-6)
    with pytest.raises(TypeError, match="letterbox must be True or False, got 1"):
        yolov1_fo.to_tf_dataset(shapes, letterbox=1)


def test_darknet_and_letterbox_are_refused(letterboxed_dir, model, painted):
    line = r"darknet=True is for networks whose images are stretched, .* letterbox=True"
    with pytest.raises(ValueError, match=line):
        yolov1_fo.load_model(letterboxed_dir, darknet=True)
    model.config.darknet = True
    with pytest.raises(ValueError, match="letterbox can't be combined with align_"):
        model.predict(read(painted.first()))


def test_an_invalid_letterbox_in_a_checkpoint_is_refused(letterboxed_dir, tmp_path):
    folder = Path(shutil.copytree(letterboxed_dir, tmp_path / "copy"))
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(
        text.replace('"letterbox": true', '"letterbox": 1')
    )
    with pytest.raises(ValueError, match=r"settings in .* must be an object of sett"):
        yolov1_fo.load_model(folder)
