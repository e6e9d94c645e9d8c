import copy
import logging
import pickle

import fiftyone as fo
import fiftyone.brain as fob
import keras
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo.model.keras_image_model import KerasImageModel
from yolov1_fo.networks import parts

SIDE, CHANNELS = 16, 6
NAMES = ("dark", "light")


class Classifier(KerasImageModel):
    """What a user would write for their network."""

    def labels_of(self, outputs):
        return [
            fo.Classification(label=NAMES[row.argmax()], confidence=float(row.max()))
            for row in outputs
        ]


@pytest.fixture
def classifier():
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Conv2D(CHANNELS, 3, activation="relu", name="features")(image)
    probs = keras.layers.Dense(2, "softmax")(keras.layers.GlobalMaxPooling2D()(x))
    return Classifier(keras.Model(image, probs), x)


@pytest.fixture
def model(checkpoint_dir):
    return yolov1_fo.load_model(checkpoint_dir)


def pictures(rng):
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in ((9, 30), (16, 16))]


def test_any_network_is_applied_and_embedded(classifier, painted):
    painted.apply_model(classifier, label_field="light", batch_size=3)
    assert set(painted.distinct("light.label")) <= set(NAMES)
    assert painted.count("light") == len(painted)
    painted.compute_embeddings(classifier, embeddings_field="embedding", batch_size=3)
    vectors = np.array(painted.values("embedding"))
    assert vectors.shape == (len(painted), CHANNELS)
    assert vectors.std(axis=0).max() > 0


def test_embedding_is_the_mean_of_the_features(classifier, rng):
    images = pictures(rng)
    pixels = classifier.prepared(images)
    features = keras.Model(
        classifier.network.inputs, classifier.network.get_layer("features").output
    )
    expected = features.predict_on_batch(pixels / np.float32(255)).mean(axis=(1, 2))
    found = classifier.embed_all(images)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    for image, vector in zip(images, found, strict=True):
        np.testing.assert_allclose(classifier.embed(image), vector, atol=1e-6)


def test_embeddings_are_those_of_the_last_images(classifier, rng):
    images = pictures(rng)
    with pytest.raises(ValueError, match="embeddings need a model with features"):
        classifier.get_embeddings()
    classifier.predict_all(images)
    np.testing.assert_array_equal(
        classifier.get_embeddings(), classifier.embed_all(images)
    )


def test_a_model_without_features_has_no_embeddings(classifier, painted):
    bare = Classifier(classifier.network)
    assert bare.predict_all([]) == []
    with pytest.raises(ValueError, match="must expose embeddings"):
        painted.compute_embeddings(bare)


def test_yolov1_embeds_images_and_patches(model, painted):
    together = painted.compute_embeddings(model, batch_size=4)
    single = painted.compute_embeddings(model)
    np.testing.assert_allclose(together, single, atol=1e-5)
    channels = parts.features_of(model.network).shape[-1]
    assert together.shape == (8, channels)
    patches = painted.compute_patch_embeddings(model, "ground_truth", batch_size=4)
    for sample in painted:
        objects = len(sample.ground_truth.detections)
        found = patches[sample.id]
        assert (0 if found is None else len(found)) == objects
    painted.compute_patch_embeddings(
        model, "ground_truth", embeddings_field="embedding"
    )
    first = next(s for s in painted if s.ground_truth.detections)
    np.testing.assert_allclose(
        first.ground_truth.detections[0].embedding, patches[first.id][0], atol=1e-5
    )


def test_embeddings_have_the_precision(model, rng):
    images = pictures(rng)
    whole = model.embed_all(images)
    model.config.precision = "bfloat16"
    half = model.embed_all(images)
    assert half.dtype == np.float32
    assert 0 < np.abs(half - whole).max() < 0.05 * np.abs(whole).max()


def test_brain_looks_at_the_embeddings(model, painted):
    painted.compute_embeddings(model, embeddings_field="embedding", batch_size=8)
    points = fob.compute_visualization(
        painted,
        embeddings="embedding",
        method="pca",
        brain_key="map",
        verbose=False,
    ).points
    assert points.shape == (8, 2)
    fob.compute_similarity(painted, embeddings="embedding", brain_key="alike")
    first = painted.first()
    nearest = painted.sort_by_similarity(first.id, k=1, brain_key="alike")
    assert nearest.first().id == first.id


def test_a_model_without_labels_is_refused(classifier):
    with pytest.raises(TypeError, match=r"abstract.* '?labels_of"):
        KerasImageModel(classifier.network)


def _network(image, output):
    return keras.Model(image, output(image))


def _two_outputs():
    image = keras.Input((8, 8, 3))
    return keras.Model(image, [image, keras.layers.Flatten()(image)])


@pytest.mark.parametrize(
    ("network", "error", "line"),
    [
        (lambda: "yolov1", TypeError, "must be a functional Keras model, got str"),
        (keras.Sequential, TypeError, "must be a functional Keras model, got Seq"),
        (
            lambda: _network(keras.Input((3, 8, 8)), keras.layers.Flatten()),
            ValueError,
            r"must have inputs \(None, H, W, 3\), H = W, channels last, got \(None, 3",
        ),
        (
            lambda: _network(keras.Input((None, None, 3)), keras.layers.ReLU()),
            ValueError,
            r"channels last, got \(None, None, None, 3\)",
        ),
        (
            lambda: _network(keras.Input((8, 9, 3)), keras.layers.Flatten()),
            ValueError,
            r"channels last, got \(None, 8, 9, 3\)",
        ),
        (_two_outputs, ValueError, "must have one output, got 2"),
    ],
)
def test_an_unsuitable_network_is_an_error_of_one_line(network, error, line):
    with pytest.raises(error, match=line) as caught:
        Classifier(network())
    assert "\n" not in str(caught.value)


def test_a_model_without_settings_accepts_fiftyones_arguments(classifier, painted):
    painted.apply_model(
        classifier, label_field="light", confidence_thresh=0.1, classes=["light"]
    )
    assert set(painted.distinct("light.label")) <= {"light"}


@pytest.mark.parametrize("batch_size", [None, 4])
def test_an_empty_patch_does_not_affect_others(model, painted, caplog, batch_size):
    sample = painted.first()
    boxes = [[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.0, 0.3], [0.7, 0.7, 1e-5, 1e-5]]
    sample["odd"] = fo.Detections(
        detections=[fo.Detection(label="red", bounding_box=box) for box in boxes]
    )
    sample.save()
    with caplog.at_level(logging.WARNING):
        vectors = painted.limit(1).compute_patch_embeddings(
            model, "odd", batch_size=batch_size, skip_failures=False
        )[sample.id]
    assert vectors[0].any()
    assert not vectors[1:].any()
    assert [one.message for one in caplog.records] == [
        "the embedding of an empty patch is 0"
    ]


@pytest.mark.slow
def test_own_predictions_have_patch_embeddings(model, painted):
    model.config.confidence_thresh = 0.0
    painted.apply_model(model, label_field="found")
    assert painted.count("found.detections")
    painted.compute_patch_embeddings(
        model, "found", embeddings_field="vector", skip_failures=False
    )
    assert painted.count("found.detections.vector") == painted.count("found.detections")


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((9, 9), np.uint8),
        np.zeros((9, 9, 4), np.uint8),
        np.zeros((9, 9, 3), np.float32),
        np.zeros((0, 9, 3), np.uint8),
    ],
)
def test_an_invalid_image_is_an_error_of_one_line(model, image):
    with pytest.raises(ValueError, match=r"an image must be \(H, W, 3\) uint8 RGB of"):
        model.predict(image)


@pytest.mark.parametrize(
    "twin", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))]
)
@pytest.mark.parametrize("used", [False, True])
def test_a_copy_predicts_and_embeds_the_same(model, rng, twin, used):
    (image, _) = pictures(rng)
    if used:
        model.embed(image)
    other = twin(model)
    np.testing.assert_array_equal(other.embed(image), model.embed(image))
    ours, theirs = (one.predict(image).detections for one in (model, other))
    assert [one.bounding_box for one in ours] == [one.bounding_box for one in theirs]


def test_outputs_that_are_not_finite_warn_once_and_are_not_written(
    model, painted, caplog
):
    layer = model.network.layers[-1]
    kernel, bias = layer.get_weights()
    bias[0], bias[-1] = np.nan, np.inf
    layer.set_weights([kernel, bias])
    with caplog.at_level(logging.WARNING):
        yolov1_fo.apply(painted, model, "found", progress=False)
        painted.apply_model(model, label_field="same")
    warnings = [one for one in caplog.records if "not finite" in one.message]
    assert len(warnings) == 1
    for field in ("found", "same"):
        scores = painted.values(f"{field}.detections.confidence", unwind=True)
        assert scores
        assert np.isfinite(scores).all()
