import fiftyone as fo
import fiftyone.brain as fob
import keras
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo import network as networks
from yolov1_fo.keras_model import KerasImageModel

SIDE, CHANNELS = 16, 6
NAMES = ("dark", "light")


class Classifier(KerasImageModel):
    """What a user would write for a network of theirs."""

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
    return [rng.integers(0, 256, (*side, 3), np.uint8) for side in ((9, 30), (16, 16))]


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


def test_embeddings_are_those_of_the_last_pass(classifier, rng):
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
    channels = networks.features_of(model.network).shape[-1]
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


def test_embeddings_follow_the_precision(model, rng):
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
