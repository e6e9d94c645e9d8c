import keras
import numpy as np
import pytest

from yolov1_fo.networks import formats

onnx = pytest.importorskip("onnx", reason="needs the extra export")
pytest.importorskip("tf2onnx", reason="needs the extra export")
pytest.importorskip("onnxruntime", reason="needs the extra onnxruntime")

SIDE = 8


def by_numbers(image):
    x = keras.ops.cast(image, "float32") / 255.0
    return keras.layers.Rescaling(2.0, -1.0)(x)


def by_channels(image):
    x = keras.ops.cast(image, "float32")
    return keras.layers.Rescaling([2.0, 3.0, 4.0], [-1.0, 0.0, 1.0])(x)


def used_twice(image):
    x = by_numbers(image)
    return x + keras.layers.AveragePooling2D(3, 1, "same")(x)


@pytest.mark.parametrize(
    ("scaling", "is_first"),
    [(by_numbers, True), (by_channels, False), (used_twice, False)],
)
def test_images_are_transposed_before_scaling(scaling, is_first, tmp_path, rng):
    image = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    features = keras.layers.Conv2D(4, 3, padding="same")(scaling(image))
    network = keras.Model(image, features)
    path = tmp_path / "network.onnx"
    formats.write_onnx(network, path)
    kinds = [node.op_type for node in onnx.load(path).graph.node]
    assert (kinds[0] == "Transpose") is is_first
    assert kinds.count("Transpose") >= 1
    pixels = rng.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    [found] = formats.load_onnx(path)(pixels)
    expected = network.predict_on_batch(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
