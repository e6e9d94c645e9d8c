"""Models from Darknet's files; for runs and checkpoints see `test_yolov1_model`."""

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests import golden
from tests.micro import GOLDEN
from tests.same import assert_same
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.cli import main
from yolov1_fo.image_files import resizing
from yolov1_fo.networks import darknet_weights
from yolov1_fo.runs import checkpoint

WEIGHTS = golden.DARKNET / "micro.weights"
CLASSES = ["cat", "dog", "tree"]
CFG = {"network": "micro", "image_size": 56, "classes": CLASSES}


@pytest.fixture(autouse=True)
def networks(monkeypatch):
    for name, architecture in GOLDEN.items():
        monkeypatch.setitem(NETWORKS, name, architecture)


@pytest.fixture
def one_picture():
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(str(golden.DARKNET / "input.png")))
    yield dataset
    dataset.delete()


@pytest.mark.slow
@pytest.mark.parametrize("network", GOLDEN)
@pytest.mark.parametrize(
    ("setting", "confidence_thresh", "iou_thresh"),
    [("t001_nms50", 0.001, 0.5), ("t20_nms40", 0.2, 0.4)],
)
def test_detections_are_those_of_darknet(
    one_picture, network, setting, confidence_thresh, iou_thresh
):
    model = yolov1_fo.load_model(
        golden.DARKNET / f"{network}.weights",
        **{**CFG, "network": network},
        darknet=True,
        confidence_thresh=confidence_thresh,
        iou_thresh=iou_thresh,
        max_detections=1000,
    )
    one_picture.apply_model(model, "slow")
    yolov1_fo.apply(one_picture, model, "fast", progress=False)
    sample = one_picture.first()
    assert_same(sample.slow, sample.fast, confidence_thresh)
    rows = [
        (
            CLASSES.index(d.label),
            d.confidence,
            *(200 * d.bounding_box[0], 150 * d.bounding_box[1]),
            *(200 * (d.bounding_box[0] + d.bounding_box[2]),),
            *(150 * (d.bounding_box[1] + d.bounding_box[3]),),
        )
        for d in sample.fast.detections
    ]
    theirs = golden.darknet(f"forward_{network}")[f"detections_{setting}"]
    assert len(rows) == len(theirs)
    ours, theirs = (
        x[np.lexsort((-x[:, 1], x[:, 0]))] for x in (np.array(rows), theirs)
    )
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-3)  # in pixels


def test_two_negative_factors_are_a_score_only_in_darknet():
    ours, theirs = (
        yolov1_fo.load_model(
            WEIGHTS, **CFG, darknet=darknet, confidence_thresh=0.001, iou_thresh=1.0
        )
        for darknet in (False, True)
    )
    y = np.full((1, 637), -0.5, np.float32)  # two negatives
    for model, found in ((ours, 0), (theirs, 100)):
        assert len(model.detected(y)[0].scores) == found


def test_a_model_of_weights_is_loaded_from_its_config():
    model = yolov1_fo.load_model(WEIGHTS, **CFG, darknet=True)
    again = yolov1_fo.YOLOv1Model(yolov1_fo.YOLOv1ModelConfig(model.config.serialize()))
    for a, b in zip(
        model.network.get_weights(), again.network.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(a, b)
    assert again.classes == CLASSES
    assert again.config.darknet


def test_a_model_of_weights_can_be_letterboxed(rng):
    image = rng.integers(0, 256, (30, 90, 3)).astype(np.uint8)
    stretched, letterboxed = (
        yolov1_fo.load_model(WEIGHTS, **CFG, letterbox=letterbox)
        for letterbox in (False, True)
    )
    square = resizing.resize_letterboxed(image, letterboxed.image_size)
    np.testing.assert_array_equal(letterboxed.resized(image), square)
    assert letterboxed.windows([(30, 90)]) is not None
    assert stretched.windows([(30, 90)]) is None
    assert letterboxed.metadata["settings"]["letterbox"] is True


@pytest.mark.slow
def test_imported_weights_are_a_checkpoint(tmp_path, capsys):
    folder, names = tmp_path / "imported", tmp_path / "classes.names"
    words = f"import-darknet {WEIGHTS} --network micro --image-size 56 --names {names}"
    names.write_text("\n")
    assert main.main([*words.split(), "--out", str(folder)]) == 2
    assert f"names file '{names}' has no class" in capsys.readouterr().err
    names.write_text("cat\ndog\ntree\n\n")
    assert main.main([*words.split(), "--out", str(folder)]) == 0
    assert "micro for 3 classes" in capsys.readouterr().out
    metadata = checkpoint.read_metadata(folder)
    assert metadata["classes"] == CLASSES
    assert metadata["origin"] == "Darknet weights 'micro.weights'"
    model = yolov1_fo.load_model(folder)
    darknet_weights.write(tmp_path / "again.weights", model.network)
    assert (tmp_path / "again.weights").read_bytes()[20:] == WEIGHTS.read_bytes()[20:]
    image = np.full((30, 40, 3), 99, np.uint8)
    assert_same(
        model.predict(image), yolov1_fo.load_model(WEIGHTS, **CFG).predict(image)
    )


def test_saving_replaces_nothing(tmp_path):
    model = yolov1_fo.load_model(WEIGHTS, **CFG)
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match=r"mine' exists; choose another"):
        model.save(tmp_path / "mine")
    assert not list((tmp_path / "mine").iterdir())
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"link' exists; choose another"):
        model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        (
            {"network": None},
            r"micro.weights' is a file; for Darknet weights pass net",
        ),
        ({"network": "yolov8"}, "network must be one of yolov1, fast-yolov1"),
        ({"classes": ["a", "b"]}, r"must have 183\d+ bytes for micro of 56 px and 588"),
        ({"classes": ["a", "b", "a"]}, "classes must differ, got a twice"),
        ({"B": 1}, r"must have \d+ bytes for micro"),
        ({"classes": "cat"}, "classes must be a list of names, got 'cat'"),
        ({"classes": [1, 2, 3]}, "classes must be strings, got 1, 2, 3"),
        ({"threshold": 1}, "unknown setting threshold; there are: confidence_thresh"),
        (
            {"network": "yolov1-efficientnet-lite0", "image_size": 224},
            "need a network of Darknet's layers, got yolov1-efficientnet-lite0",
        ),
    ],
)
def test_invalid_arguments_are_an_error_of_one_line(changed, line):
    settings = {**CFG, **changed}
    if settings["network"] is None:
        settings = {}
    with pytest.raises((TypeError, ValueError), match=line):
        yolov1_fo.load_model(WEIGHTS, **settings)


def test_classes_may_be_any_sequence():
    model = yolov1_fo.load_model(WEIGHTS, **{**CFG, "classes": ("cat", "dog", "tree")})
    assert model.classes == ["cat", "dog", "tree"]


def test_a_network_is_refused_with_a_folder(checkpoint_dir):
    with pytest.raises(
        ValueError, match=r"needs a .weights file of Darknet, got the fold"
    ):
        yolov1_fo.load_model(checkpoint_dir, network="yolov1")
