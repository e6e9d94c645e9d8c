import json
import shutil
from pathlib import Path

import cv2
import fiftyone as fo
import fiftyone.core.models as fom
import numpy as np
import pytest

import yolov1_fo
from tests.same import assert_same
from tests.test_images import turned
from yolov1_fo import boxes, grid
from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.model.model_config import YOLOv1ModelConfig


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


def pictures(rng):
    sides = [(40, 60), (33, 20), (32, 32), (90, 10), (64, 64)]
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sides]


def test_single_and_batched_predictions_are_the_same(model, rng):
    images = pictures(rng)
    together = model.predict_all(images)
    for image, found in zip(images, together, strict=True):
        assert_same(model.predict(image), found)
    assert sum(len(found.detections) for found in together) > 20


def test_precision_may_change_between_predictions(model, rng):
    pixels = rng.integers(0, 256, (3, model.image_size, model.image_size, 3), np.uint8)
    before = model.forward(pixels)
    model.config.precision = "bfloat16"
    half = model.forward(pixels)
    assert 0 < np.abs(half - before).max() < 0.03 * np.abs(before).max()
    model.config.precision = None
    np.testing.assert_array_equal(model.forward(pixels), before)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_other_runtimes_detect_the_same(checkpoint_dir, model, rng, runtime):
    for package in (runtime, "onnx", "tf2onnx"):
        pytest.importorskip(package)
    images = pictures(rng)
    expected = model.predict_all(images)
    model.config.runtime = runtime  # may change between predictions
    loaded = yolov1_fo.load_model(checkpoint_dir, runtime=runtime)
    assert YOLOv1ModelConfig(loaded.config.serialize()).runtime == runtime
    for one in (model, loaded):
        found = one.predict_all(images)
        for label, other in zip(found, expected, strict=True):
            assert [d.label for d in label.detections] == [
                d.label for d in other.detections
            ]
            for name in ("bounding_box", "confidence"):
                got, wanted = (
                    np.array([d[name] for d in which.detections])
                    for which in (label, other)
                )
                np.testing.assert_allclose(got, wanted, atol=1e-4)


def test_a_runtime_is_checked_when_the_model_is_loaded(checkpoint_dir):
    with pytest.raises(ValueError, match=r"runtime must be one of.*openvnio"):
        yolov1_fo.load_model(checkpoint_dir, runtime="openvnio")
    with pytest.raises(
        ValueError, match=r"^ONNX Runtime computes in float32 or int8, got"
    ):
        yolov1_fo.load_model(
            checkpoint_dir, runtime="onnxruntime", precision="bfloat16"
        )


def test_one_batch_is_one_forward_pass(model, rng, monkeypatch):
    calls = []
    forward = model.forward
    monkeypatch.setattr(
        model, "forward", lambda x: calls.append(x.shape[0]) or forward(x)
    )
    model.predict_all(pictures(rng))
    assert calls == [5]
    assert model.predict_all([]) == []


@pytest.mark.parametrize("batch_size", [None, 1, 3, 8])
def test_apply_model_behaves(model, painted, batch_size):
    painted.apply_model(model, label_field="yolov1", batch_size=batch_size)
    assert len(painted.exists("yolov1")) == 8
    images = [cv2.imread(path)[..., ::-1] for path in painted.values("filepath")]
    for found, expected in zip(
        painted.values("yolov1"), model.predict_all(images), strict=True
    ):
        assert_same(found, expected)


def test_apply_model_sets_threshold_and_classes_and_restores_them(model, painted):
    painted.apply_model(
        model,
        label_field="yolov1",
        batch_size=4,
        confidence_thresh=0.35,
        classes=["red"],
    )
    labels_found = painted.distinct("yolov1.detections.label")
    assert labels_found == ["red"]
    assert painted.bounds("yolov1.detections.confidence")[0] >= 0.35
    assert model.config.confidence_thresh == 0.01
    assert model.config.filter_classes is None


def test_unknown_classes_are_refused_before_anything_is_written(model, painted):
    with pytest.raises(ValueError, match="unknown class green; there are: blue, red"):
        painted.apply_model(model, label_field="yolov1", classes=["green"])
    assert not painted.has_field("yolov1")


def test_network_and_grid_have_their_shapes(model, rng):
    x = rng.uniform(0, 1, (2, 32, 32, 3)).astype(np.float32)
    cells = grid.split(model.network(x), model.grid)
    assert cells.class_probs.shape == (2, 3, 3, 2)
    assert cells.confidence.shape == (2, 3, 3, 2)
    assert cells.boxes.shape == (2, 3, 3, 2, 4)
    assert model.classes == ["blue", "red"]


def test_fiftyone_builds_it_from_its_config(checkpoint_dir, model, rng):
    built = fom.load_model(
        {
            "type": "yolov1_fo.model.YOLOv1Model",
            "config": {"checkpoint_dir": str(checkpoint_dir)},
        }
    )
    image = pictures(rng)[0]
    assert_same(built.predict(image), model.predict(image))


def test_the_config_is_serialized(checkpoint_dir):
    model = yolov1_fo.load_model(
        checkpoint_dir, confidence_thresh=0.3, filter_classes=["red"]
    )
    config = {k: v for k, v in model.config.serialize().items() if v is not None}
    assert config == {
        "checkpoint_dir": str(checkpoint_dir),
        "confidence_thresh": 0.3,
        "iou_thresh": 0.5,
        "max_detections": 100,
        "class_agnostic": False,
        "filter_classes": ["red"],
        "darknet": False,
        "max_image_pixels": 200_000_000,
    }


@pytest.mark.slow
def test_a_run_is_found_by_its_key(painted, micro):
    run = yolov1_fo.train(painted, run_key="mine", epochs=1, **micro)
    by_key = yolov1_fo.load_model("mine", dataset=painted)
    assert by_key.config.checkpoint_dir == run.checkpoint_dir
    by_folder = yolov1_fo.load_model(Path(run.checkpoint_dir).parent)
    assert by_folder.config.checkpoint_dir == run.checkpoint_dir
    with pytest.raises(ValueError, match=r"run 'yours' is not on dataset .*: mine"):
        yolov1_fo.load_model("yours", dataset=painted)
    shutil.rmtree(Path(run.checkpoint_dir).parent)
    with pytest.raises(FileNotFoundError, match="of run 'mine' does not exist"):
        yolov1_fo.load_model("mine", dataset=painted)


def test_settings_from_the_zoo_are_checked_too(checkpoint_dir):
    config = {"checkpoint_dir": str(checkpoint_dir), "confidence_tresh": 0.5}
    with pytest.raises(ValueError, match="did you mean confidence_thresh"):
        YOLOv1ModelConfig(config)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"iou_thresh": 2}, r"iou_thresh must be in \[0, 1\], got 2"),
        ({"max_detections": 0}, "max_detections must be at least 1, got 0"),
        ({"filter_classes": ["green"]}, "unknown class green; there are: blue, red"),
        ({"threshold": 0.5}, "unknown setting threshold; there are: confidence_thresh"),
    ],
)
def test_invalid_settings_are_an_error_of_one_line(checkpoint_dir, settings, line):
    with pytest.raises(ValueError, match=line):
        yolov1_fo.load_model(checkpoint_dir, **settings)


def test_the_error_for_a_missing_checkpoint_contains_the_remedy():
    with pytest.raises(
        FileNotFoundError,
        match=r"'first_run' is neither a checkpoint .*, pass dataset=",
    ):
        yolov1_fo.load_model("first_run")


def test_a_checkpoint_of_other_classes_is_refused(checkpoint_dir, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint_dir, folder)
    metadata = json.loads((folder / "run.json").read_text())

    def with_metadata(**changes):
        (folder / "run.json").write_text(json.dumps({**metadata, **changes}))
        return folder

    with pytest.raises(ValueError, match="must have 2 classes, got 3"):
        yolov1_fo.load_model(with_metadata(classes=["a", "b", "c"]))
    settings = {**metadata["settings"], "C": 3}
    with pytest.raises(ValueError, match="must have 117 outputs for its grid, got 108"):
        yolov1_fo.load_model(with_metadata(classes=["a", "b", "c"], settings=settings))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
    ],
)
def test_an_invalid_image_is_refused(model, image):
    with pytest.raises(ValueError, match=r"an image must be \(H, W, 3\) uint8 RGB"):
        model.predict(image)


def test_preprocessing_can_be_turned_off(model, rng):
    image = pictures(rng)[2]
    expected = model.predict(image)
    model.preprocess = False
    assert_same(model.predict(image), expected)
    with pytest.raises(ValueError, match=r"must be \(32, 32, 3\), got \(40, 60, 3\)"):
        model.predict(pictures(rng)[0])


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_every_orientation_gives_the_same_detections(model, tmp_path, rng, suffix):
    """One picture in all eight orientations, by `apply_model` and by `apply`."""
    small = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    picture = cv2.resize(small, (280, 200), interpolation=cv2.INTER_CUBIC)
    options = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {}
    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(str(turned(picture, tmp_path / f"{n}.{suffix}", n, **options)))
            for n in range(1, 9)
        ],
        progress=False,
    )
    model.config.iou_thresh = 1.0  # of two near equals either may be suppressed
    dataset.apply_model(model, label_field="slow", batch_size=4)
    yolov1_fo.apply(dataset, model, "fast", progress=False)
    for field in ("slow", "fast"):
        upright, *others = dataset.values(field)
        for other in others:
            if suffix == "png":
                assert_same(upright, other)
            else:
                a, b = (
                    fiftyone_boxes.to_xyxy([d.bounding_box for d in found.detections])
                    for found in (upright, other)
                )
                assert boxes.iou(a, b).max(axis=1).mean() >= 0.99
    dataset.delete()


def test_the_path_of_an_image_is_not_an_image(checkpoint_dir):
    model = yolov1_fo.load_model(checkpoint_dir)
    line = "a model predicts pixels, got 'a.jpg'; read the file first"
    with pytest.raises(TypeError, match=line):
        model.predict("a.jpg")
    assert repr(model) == "<YOLOv1Model yolov1, 32 px, 3 x 3 cells, 2 classes>"
