"""Networks of others as FiftyOne models: Keras' own, and KerasHub's three tasks."""

import copy
import re
import sys
from pathlib import Path

import fiftyone as fo
import fiftyone.zoo as foz
import keras
import numpy as np
import pytest
from PIL import Image

import yolov1_fo
from tests.hub import hub_classifier, hub_detector, hub_segmenter
from yolov1_fo.publishing import local_zoo

DOCS = Path(__file__).parents[2] / "docs/keras.md"
NAMES = ["cat", "dog", "owl"]


def classifier(units=3, activation="softmax", size=(8, 8)):
    """Returns a classifier whose scores are means of colors, times ten."""
    image = keras.Input((*size, 3))
    x = keras.layers.GlobalAveragePooling2D()(image)
    kernel = keras.initializers.Constant(np.eye(3)[:, :units] / 25.5)
    scores = keras.layers.Dense(
        units, activation=activation, use_bias=False, kernel_initializer=kernel
    )(x)
    return keras.Model(image, scores, name="colors")


def colored(*colors, size=(12, 20)):
    return [np.full((*size, 3), color, np.uint8) for color in colors]


RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


@pytest.mark.parametrize("activation", ["softmax", None])
def test_probabilities_and_logits_give_the_same_classes(activation):
    model = yolov1_fo.from_keras(classifier(activation=activation), NAMES)
    first, second = model.predict_all(colored(GREEN, BLUE))
    assert (first.label, second.label) == ("dog", "owl")
    assert first.confidence == pytest.approx(np.exp(10) / (np.exp(10) + 2), rel=1e-5)
    assert first.logits is None


@pytest.mark.parametrize("activation", ["softmax", None])
def test_logits_are_stored_on_request(activation):
    model = yolov1_fo.from_keras(classifier(activation=activation), NAMES)
    model.store_logits = True
    found = model.predict(colored(RED)[0])
    np.testing.assert_allclose(found.logits - found.logits[1], [10, 0, 0], atol=1e-3)


def test_independent_classes_give_any_number_of_labels():
    network = classifier(activation="sigmoid")
    model = yolov1_fo.from_keras(network, NAMES, confidence_thresh=0.9)
    found = model.predict_all(colored((255, 255, 0), (0, 0, 0)))
    labels = [[one.label for one in row.classifications] for row in found]
    assert labels == [["cat", "dog"], []]
    model.config.confidence_thresh = None  # sigmoid(0) = 0.5 is enough
    assert len(model.predict(colored(RED)[0]).classifications) == 3


@pytest.mark.parametrize(
    ("activation", "color", "label"),
    [("sigmoid", RED, "yes"), (None, RED, "yes"), ("sigmoid", (0, 0, 0), "no")],
)
def test_one_score_has_two_classes(activation, color, label):
    model = yolov1_fo.from_keras(classifier(1, activation), ["no", "yes"])
    assert model.predict(colored(color)[0]).label == label


def test_classes_without_names_are_numbers():
    assert yolov1_fo.from_keras(classifier()).classes == ["0", "1", "2"]


def test_scores_that_are_not_finite_give_no_label():
    network = classifier()
    network.layers[-1].kernel.assign(np.full((3, 3), np.nan))
    assert yolov1_fo.from_keras(network).predict(colored(RED)[0]) is None


def test_preprocess_sees_pixels_of_the_networks_size():
    seen = []

    def preprocess(batch):
        seen.append((batch.shape, batch.dtype, batch.max()))
        return batch[..., ::-1]

    model = yolov1_fo.from_keras(
        classifier(size=(None, None)), NAMES, preprocess=preprocess, image_size=(4, 6)
    )
    assert model.predict(colored(RED)[0]).label == "owl"
    assert seen == [((1, 4, 6, 3), np.float32, 255)]
    assert model.image_size == (4, 6)


def test_embeddings_are_what_the_last_layer_sees():
    model = yolov1_fo.from_keras(classifier(), NAMES)
    found = model.embed_all(colored(RED, BLUE))
    np.testing.assert_allclose(found, [RED, BLUE], atol=1e-3)
    assert model.embed(colored(GREEN)[0]).shape == (3,)
    model.predict_all(colored(GREEN))
    np.testing.assert_allclose(model.get_embeddings(), [GREEN], atol=1e-3)


def segmenter(classes=3):
    """Returns a segmenter at half of the size, whose scores are the colors."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.AveragePooling2D(2, name="half")(image)
    return keras.Model(image, x[..., :classes], name="colors")


@pytest.mark.parametrize(
    ("classes", "values"),
    [(NAMES, [1, 3]), (["background", "dog", "owl"], [0, 2])],
)
def test_masks_have_the_size_of_the_image_and_0_for_the_background(classes, values):
    image = np.concatenate(colored(RED, BLUE), axis=1)  # (12, 40)
    model = yolov1_fo.from_keras(segmenter(), classes)
    mask = model.predict(image).mask
    assert (mask.shape, mask.dtype) == ((12, 40), np.uint8)
    assert (mask[:, :20] == values[0]).all()
    assert (mask[:, 20:] == values[1]).all()
    assert [*model.mask_targets] == [values[0], values[0] + 1, values[1]]
    assert (model.has_logits, model.has_embeddings) == (False, False)
    with_features = yolov1_fo.from_keras(segmenter(), classes, features="half")
    assert with_features.embed(image).shape == (3,)


def test_copies_predict_the_same():
    model = yolov1_fo.from_keras(classifier(), NAMES)
    before = model.predict(colored(GREEN)[0])
    after = copy.deepcopy(model).predict(colored(GREEN)[0])
    assert (after.label, after.confidence) == (before.label, before.confidence)


@pytest.mark.parametrize(
    ("network", "settings", "line"),
    [
        (
            lambda: "resnet",
            {},
            "must be a functional Keras model or a task of KerasHub",
        ),
        (classifier, {"classes": ["a", "b"]}, "has 3 classes, got 2 names"),
        (classifier, {"classes": "abc"}, "classes"),
        (classifier, {"image_size": 9}, "takes images of 8 x 8 px, got 9 x 9"),
        (lambda: classifier(size=(None, None)), {}, "any size; image_size= is needed"),
        (classifier, {"preprocess": "resnet"}, "preprocess must be a function"),
        (classifier, {"activation": "relu"}, "activation must be one of"),
        (classifier, {"features": "nothing"}, "has no layer 'nothing'; there are"),
        (classifier, {"confidence_thresh": 2}, r"must be in \[0, 1\]"),
        (
            lambda: keras.Model(x := keras.Input((8, 8, 1)), x),
            {},
            r"one input \(N, H, W, 3\)",
        ),
        (lambda: keras.Model(x := keras.Input((8, 8, 3)), [x, x]), {}, "got outputs"),
    ],
)
def test_what_does_not_fit_is_an_error_of_one_line(network, settings, line):
    with pytest.raises((TypeError, ValueError), match=line) as raised:
        yolov1_fo.from_keras(network(), **settings)
    assert "\n" not in str(raised.value)


def test_gray_pixels_are_no_image():
    model = yolov1_fo.from_keras(classifier(), NAMES)
    with pytest.raises(ValueError, match=r"\(H, W, 3\) uint8 RGB"):
        model.predict(np.zeros((8, 8), np.uint8))


def test_a_network_is_applied_saved_published_and_loaded(painted, tmp_path):
    network = classifier()
    preprocess = keras.applications.mobilenet_v2.preprocess_input
    model = yolov1_fo.from_keras(network, NAMES, preprocess=preprocess)
    folder = model.save(tmp_path / "colors")
    yolov1_fo.publish(folder, "colors")
    try:
        for same in (
            yolov1_fo.load_model(folder),
            foz.load_zoo_model("colors", cache=False),
        ):
            assert isinstance(same, yolov1_fo.KerasTaskModel)
            for one in (model, same):
                painted.apply_model(one, label_field="kind", store_logits=True)
                kinds = painted.values(["kind.label", "kind.confidence"])
                logits = painted.values("kind.logits")
                if one is model:
                    expected, expected_logits = kinds, logits
            assert kinds == expected
            np.testing.assert_array_equal(logits, expected_logits)
        entry = foz.get_zoo_model("colors")
        assert {"classification", "keras", "tf", "tf2"} <= set(entry.tags)
        assert {"embeddings", "logits"} <= set(entry.tags)
        assert not entry.has_tag("yolo")
        assert "classification" in (local_zoo.root() / "colors/README.md").read_text()
    finally:
        local_zoo.unpublish("colors")
        painted.delete_sample_field("kind")


def test_a_function_without_a_public_name_is_not_saved(tmp_path):
    model = yolov1_fo.from_keras(classifier(), NAMES, preprocess=lambda batch: batch)
    with pytest.raises(ValueError, match="put it into the network"):
        model.save(tmp_path / "colors")
    assert not (tmp_path / "colors").exists()
    with pytest.raises(ValueError, match="exists"):
        model.save(tmp_path)


def test_a_folder_can_not_name_other_functions(painted, tmp_path):
    folder = yolov1_fo.from_keras(classifier(), NAMES).save(tmp_path / "colors")
    file = folder / "run.json"
    text = file.read_text()
    file.write_text(text.replace('"preprocess": null', '"preprocess": "os.remove"'))
    with pytest.raises(ValueError, match="must name a function keras"):
        yolov1_fo.load_model(folder)
    with pytest.raises(ValueError, match="must come from train or pretrain"):
        yolov1_fo.train(painted, weights=str(folder), val_samples=None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "label", "attribute"),
    [
        (hub_classifier, fo.Classification, "label"),
        (hub_detector, fo.Detections, "detections"),
        (hub_segmenter, fo.Segmentation, "mask"),
    ],
)
def test_tasks_of_keras_hub_are_applied_saved_and_loaded(
    hub, backbone, painted, tmp_path, make, label, attribute
):
    every = {"confidence_thresh": 0.0} if make is hub_detector else {}
    model = yolov1_fo.from_keras(make(hub, backbone), NAMES, **every)
    some = painted.limit(3)
    some.apply_model(model, label_field="kind", batch_size=2)
    assert all(isinstance(one, label) for one in some.values("kind"))
    same = yolov1_fo.load_model(model.save(tmp_path / "task"), **every)
    some.apply_model(same, label_field="again", batch_size=2)
    for first, second in zip(*some.values(["kind", "again"]), strict=True):
        before, after = first[attribute], second[attribute]
        if label is fo.Detections:
            before, after = (
                [(one.label, *one.bounding_box) for one in found]
                for found in (before, after)
            )
            assert before
        np.testing.assert_array_equal(before, after)
    embeddings = some.compute_embeddings(model)
    assert embeddings.shape[0] == 3
    assert np.isfinite(embeddings).all()
    painted.delete_sample_fields(["kind", "again"])


@pytest.mark.slow
def test_the_preprocessing_is_that_of_the_task(hub, backbone, rng):
    task = hub_classifier(hub, backbone)
    image = rng.integers(0, 256, (40, 60, 3), np.uint8)
    model = yolov1_fo.from_keras(task, NAMES)
    model.store_logits = True
    expected = task.predict(image[None].astype("float32"), verbose=0)[0]
    np.testing.assert_allclose(model.predict(image).logits, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "resizing", [{"pad_to_aspect_ratio": True}, {"crop_to_aspect_ratio": True}, {}]
)
def test_boxes_of_a_detector_lie_in_the_image(hub, backbone, resizing, rng):
    """The same image at twice its width: boxes where the padding says."""
    task = hub_detector(hub, backbone, **resizing)
    model = yolov1_fo.from_keras(task, NAMES, confidence_thresh=0.0)
    image = rng.integers(0, 256, (60, 120, 3), np.uint8)
    found = model.predict(image).detections
    pixels = model.prepared([image])
    raw = task.decode_predictions(task(pixels), pixels)
    top, left, bottom, right = np.asarray(raw["boxes"])[0, 0] / 128
    window = {"pad_to_aspect_ratio": (0, -0.5, 1, 1.5)}
    window |= {"crop_to_aspect_ratio": (0.25, 0, 0.75, 1)}
    x0, y0, x1, y1 = window.get(next(iter(resizing), ""), (0, 0, 1, 1))
    wide, high = x1 - x0, y1 - y0
    box = [x0 + left * wide, y0 + top * high, x0 + right * wide, y0 + bottom * high]
    low_x, low_y, high_x, high_y = np.clip(box, 0, 1)
    expected = [low_x, low_y, high_x - low_x, high_y - low_y]
    assert min(expected[2:]) > 0
    nearest = min(np.abs(np.array(one.bounding_box) - expected).max() for one in found)
    assert nearest < 1e-5


@pytest.mark.slow
def test_a_network_of_keras_applications_predicts_as_keras_does(tmp_path, rng):
    keras.utils.set_random_seed(0)
    network = keras.applications.MobileNetV2(
        (64, 64, 3), alpha=0.35, weights=None, classes=3
    )
    preprocess = keras.applications.mobilenet_v2.preprocess_input
    model = yolov1_fo.from_keras(network, NAMES, preprocess=preprocess)
    image = rng.integers(0, 256, (64, 64, 3), np.uint8)
    expected = network.predict(preprocess(image[None].astype("float32")), verbose=0)[0]
    found = model.predict(image)
    assert found.label == NAMES[expected.argmax()]
    assert found.confidence == pytest.approx(expected.max(), abs=1e-5)
    assert model.embed(image).shape == (1280,)


def test_a_saved_task_names_keras_hub_if_it_is_missing(tmp_path, monkeypatch):
    folder = yolov1_fo.from_keras(classifier(), NAMES).save(tmp_path / "task")
    file = folder / "run.json"
    file.write_text(
        file.read_text().replace('"library": "keras"', '"library": "keras_hub"')
    )
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ImportError, match=r"needs keras_hub; docs/keras\.md says how"):
        yolov1_fo.load_model(folder)


@pytest.mark.slow
def test_the_examples_of_the_docs_run(hub, backbone, painted, tmp_path, monkeypatch):
    """Without downloads: weights are random."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        hub.models.ObjectDetector,
        "from_preset",
        lambda name: hub_detector(hub, backbone),
    )
    text = DOCS.read_text().replace("MobileNetV2()", "MobileNetV2(weights=None)")
    text = text.replace("confidence_thresh=0.05", "confidence_thresh=0.0")
    names = {"dataset": painted, "foz": foz}
    try:
        for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            exec(block, names)
        assert names["embeddings"].shape == (len(painted), 1280)
        assert painted.count("imagenet.logits") == len(painted)
        assert set(painted.distinct("quality.label")) <= {"ripe", "rotten"}
        assert painted.count("retinanet.detections") > 0
        assert names["model"].classes == ["ripe", "rotten"]
    finally:
        local_zoo.unpublish("quality")
        for field in ("imagenet", "quality", "retinanet"):
            painted.delete_sample_field(field)
        painted.default_mask_targets = {}


def test_images_of_files_are_read(painted, tmp_path):
    Image.fromarray(colored(GREEN)[0]).save(tmp_path / "green.png")
    model = yolov1_fo.from_keras(classifier(), NAMES)
    dataset = fo.Dataset()
    dataset.add_sample(fo.Sample(filepath=str(tmp_path / "green.png")))
    dataset.apply_model(model, label_field="kind")
    assert dataset.first().kind.label == "dog"
    dataset.delete()
