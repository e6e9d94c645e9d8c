import logging
from pathlib import Path

import fiftyone as fo
import numpy as np
import pytest
from PIL import Image

import yolov1_fo
from tests.same import assert_same
from yolov1_fo import images
from yolov1_fo.config import packages
from yolov1_fo.datasets import bulk_writer, sample_files
from yolov1_fo.inference import prediction_pass
from yolov1_fo.networks import formats, runtimes

needs_runtimes = pytest.mark.skipif(
    not all(
        packages.is_installed(name)
        for name in runtimes.RUNTIMES["onnxruntime"].packages
    ),
    reason="needs ONNX Runtime, with onnx and tf2onnx",
)


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_apply_finds_the_same_as_apply_model(painted, model, batch_size):
    painted.apply_model(model, label_field="slow", batch_size=2)
    assert yolov1_fo.apply(painted, model, "fast", batch_size=batch_size) == {}
    for fast, slow in zip(painted.values("fast"), painted.values("slow"), strict=True):
        assert_same(fast, slow)


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_apply_finds_the_same_with_another_runtime(
    painted, checkpoint_dir, runtime, monkeypatch
):
    pytest.importorskip(runtime, reason=f"needs the extra {runtime}")
    load, loaded = runtimes.load, []

    def noted(names, *args):
        loaded.extend(names)
        return load(names, *args)

    monkeypatch.setattr(runtimes, "load", noted)
    for name in ("keras", runtime):
        model = yolov1_fo.load_model(checkpoint_dir, runtime=name)
        yolov1_fo.apply(painted, model, name)
    assert loaded == [runtime]
    for found, expected in zip(*painted.values([runtime, "keras"]), strict=True):
        assert_same(found, expected)
        assert {*fields(found)} == {*fields(expected)} != set()


def fields(detections):
    """Returns the fields of the objects with their types."""
    stored = (one.to_dict() for one in detections.detections)
    return [(name, type(value)) for one in stored for name, value in one.items()]


def test_apply_model_finds_the_same_with_workers(painted, model, caplog):
    """FiftyOne's workers are for PyTorch's models; others ignore them."""
    for field, num_workers in (("alone", 0), ("workers", 2)):
        painted.apply_model(model, label_field=field, num_workers=num_workers)
    assert "Ignoring unsupported `num_workers` parameter" in caplog.text
    for one, other in zip(*painted.values(["alone", "workers"]), strict=True):
        assert_same(one, other)


def test_apply_writes_only_to_the_view(painted, model):
    yolov1_fo.apply(painted.match_tags("val"), model, "yolov1")
    assert len(painted.exists("yolov1")) == 2


def test_apply_skips_existing_predictions(painted, model):
    yolov1_fo.apply(painted.limit(3), model, "yolov1")
    ids = painted.limit(3).values("yolov1.detections.id")
    yolov1_fo.apply(painted, model, "yolov1", skip_existing=True)
    assert len(painted.exists("yolov1")) == 8
    assert painted.limit(3).values("yolov1.detections.id") == ids
    yolov1_fo.apply(painted, model, "yolov1", skip_existing=True)  # no samples


def test_bad_images_do_not_affect_others(painted, model, tmp_path, caplog):
    (tmp_path / "text.jpg").write_text("this is not an image despite its name")
    content = Path(painted.first().filepath).read_bytes()
    (tmp_path / "cut.png").write_bytes(content[: len(content) // 2])
    for name in ("text.jpg", "cut.png"):
        painted.add_sample(fo.Sample(str(tmp_path / name)))
    with caplog.at_level(logging.WARNING, logger="yolov1_fo"):
        faults = yolov1_fo.apply(painted, model, "yolov1", batch_size=10)
    assert {Path(path).name for path in faults} == {"text.jpg", "cut.png"}
    assert "text.jpg" in caplog.text
    assert len(painted.match_tags("train").exists("yolov1")) == 6
    painted.apply_model(model, label_field="slow")
    for fast, slow in zip(
        painted.values("yolov1"), painted.values("slow"), strict=True
    ):
        assert (fast is None) == (slow is None)


@pytest.mark.slow
def test_apply_reads_the_same_pixels_as_apply_model(model, tmp_path, rng):
    pixels = rng.integers(0, 256, (40, 60, 4), np.uint8)
    pixels[10:30, 20:40, 3] = 0  # transparent
    Image.fromarray(pixels).save(tmp_path / "clear.png")
    Image.fromarray(pixels).save(tmp_path / "clear.webp", lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels[..., :3]).save(tmp_path / "turned.avif", exif=exif)
    dataset = fo.Dataset()
    dataset.add_samples([fo.Sample(str(path)) for path in tmp_path.iterdir()])
    dataset.apply_model(model, label_field="slow", batch_size=2)
    dataset.apply_model(model, label_field="single")
    assert yolov1_fo.apply(dataset, model, "fast") == {}
    for sample in dataset:
        assert len(sample.fast.detections) > 0
        assert_same(sample.fast, sample.slow)
        assert_same(sample.fast, sample.single)
        expected = model.predict(images.read(sample.filepath))
        assert_same(sample.fast, expected)
    dataset.delete()


def test_apply_skips_images_with_too_many_pixels(painted, checkpoint_dir):
    model = yolov1_fo.load_model(checkpoint_dir, max_image_pixels=100)
    faults = yolov1_fo.apply(painted, model, "yolov1")
    assert len(faults) == 8
    assert all("more than max_image_pixels 100" in fault for fault in faults.values())
    with pytest.raises(ValueError, match="max_image_pixels must be at least 1, got 0"):
        yolov1_fo.load_model(checkpoint_dir, max_image_pixels=0)


def test_predictions_are_written_in_parts(painted, model, monkeypatch):
    monkeypatch.setattr(bulk_writer, "WRITE_EVERY", 3)
    yolov1_fo.apply(painted, model, "yolov1", batch_size=2)
    assert len(painted.exists("yolov1")) == 8


def test_progress_is_reported(painted, model):
    reports = []
    yolov1_fo.apply(
        painted, model, "yolov1", progress=fo.report_progress(reports.append, n=1)
    )
    assert reports


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"label_field": "filepath"}, "label_field 'filepath' .* must hold Detections"),
        ({"label_field": "my field"}, "label_field must be ASCII letters, digits"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
    ],
)
def test_invalid_arguments_are_one_line(painted, model, arguments, line):
    fields = set(painted.get_field_schema())
    with pytest.raises(ValueError, match=line):
        yolov1_fo.apply(painted, model, **arguments)
    assert set(painted.get_field_schema()) == fields


def test_samples_deleted_during_apply_are_left_out(painted, model, monkeypatch):
    monkeypatch.setattr(sample_files, "PART_SIZE", 1)
    last = painted.values("id")[-1]
    forward = model.forward

    def delete_last(pixels):
        painted.delete_samples([last])
        return forward(pixels)

    monkeypatch.setattr(model, "forward", delete_last)
    yolov1_fo.apply(painted, model, "found", batch_size=1, num_workers=1)
    assert last not in painted.values("id")
    assert painted.exists("found").values("id") == painted.values("id")


def test_a_pass_says_how_many_images_remain(painted, model):
    """On that depends whether runtime="auto" converts the network."""
    files = prediction_pass.files_of(painted, model)
    model.predict(images.read(painted.first().filepath))
    for settings, expected in (
        ({}, [5, 2, 0]),  # 8 images, 3 at a time
        ({"tiles": 2, "is_all": True}, [35, 30, 25, 20, 15, 10, 5, 0]),  # with 4 tiles
        ({"is_all": False}, [None] * 3),
    ):
        found = []

        def forward(pixels, found=found):
            outputs = model.forward(pixels)
            found.append(model._predictors["outputs"].remaining)
            return outputs

        batches = prediction_pass.PredictionPass(
            *(files, model, 3), forward=forward, progress=False, **settings
        )
        with batches:
            assert len([*batches]) == len(expected)
        assert found == expected
        assert model._predictors["outputs"].remaining is None


@pytest.mark.slow
@needs_runtimes
def test_models_share_converted_networks(painted, checkpoint_dir, monkeypatch):
    settings = {"runtime": "onnxruntime", "confidence_thresh": 0.02}
    for field in ("first", "second"):
        model = yolov1_fo.load_model(checkpoint_dir, **settings)
        yolov1_fo.apply(painted, model, field)
        assert model.network_cache.converted.disk_usage() > 0
        monkeypatch.setattr(formats, "write_onnx", None)
    for one, other in zip(*painted.values(["first", "second"]), strict=True):
        assert_same(one, other)
