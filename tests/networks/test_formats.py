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


def write(scaling, path):
    """Writes a convolution of a scaled image as ONNX; returns the network."""
    image = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    features = keras.layers.Conv2D(4, 3, padding="same")(scaling(image))
    network = keras.Model(image, features)
    formats.write_onnx(network, path)
    return network


def test_images_are_transposed_before_scaling(tmp_path):
    write(by_numbers, tmp_path / "network.onnx")
    graph = onnx.load(tmp_path / "network.onnx").graph
    assert graph.node[0].op_type == "Transpose"
    assert [*graph.node[0].input] == [formats.INPUT]


@pytest.mark.parametrize("scaling", [by_numbers, by_channels, used_twice])
def test_the_output_is_that_of_keras(scaling, tmp_path, rng):
    network = write(scaling, tmp_path / "network.onnx")
    pixels = rng.integers(0, 256, (2, SIDE, SIDE, 3), np.uint8)
    [found] = formats.load_onnx(tmp_path / "network.onnx")(pixels)
    expected = network.predict_on_batch(pixels)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())
