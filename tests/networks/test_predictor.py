import numpy as np
import pytest

from tests.micro import GOLDEN, MICRO, lived_in
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build, predictor

CASES = {
    "batch_norm": (
        MICRO,
        {"network": "micro", "image_size": 32, "S": 2, "batch_norm": True},
    ),
    "darknet": (GOLDEN["micro"], {"network": "micro", "image_size": 32, "S": 2}),
    "plain": (MICRO, {"network": "micro", "image_size": 32, "S": 2}),
}


def pixels(n: int, image_size: int = 32) -> np.ndarray:
    return np.random.default_rng(n).integers(
        0, 256, (n, image_size, image_size, 3), np.uint8
    )


@pytest.fixture(params=CASES)
def net(request, monkeypatch):
    architecture, settings = CASES[request.param]
    monkeypatch.setitem(NETWORKS, "micro", architecture)
    return lived_in(build.detector(NetworkConfig(**settings), seed=4))


def test_predictions_are_those_of_the_network(net):
    images = pixels(5)
    expected = net.predict_on_batch(images / np.float32(255))
    run = predictor.Predictor(net)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(run(images), expected, atol=2e-6 * scale)
    floats = run(images / np.float32(255))
    np.testing.assert_allclose(floats, expected, atol=2e-6 * scale)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_is_close_and_returns_float32(net, precision):
    images = pixels(4)
    full = predictor.Predictor(net)(images)
    half = predictor.Predictor(net, precision)(images)
    assert half.dtype == np.float32
    assert not np.array_equal(full, half)
    assert np.abs(full - half).max() < 0.03 * np.abs(full).max()


def test_the_network_is_not_modified(net):
    before, text = net.get_weights(), net.to_json()
    predictor.Predictor(net, "bfloat16")(pixels(1))
    assert net.to_json() == text
    for one, other in zip(before, net.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_batch_sizes_are_padded_to_few_shapes(net, monkeypatch):
    run = predictor.Predictor(net)
    run._compiles_each_size = True  # as on a GPU
    shapes = []
    full = run(pixels(6))
    compiled = run._compiled["uint8"]
    predict = compiled.predict_on_batch
    monkeypatch.setattr(
        compiled, "predict_on_batch", lambda x: (shapes.append(len(x)), predict(x))[1]
    )
    for n in (6, 5, 3, 2, 1):
        got = run(pixels(6)[:n])
        assert len(got) == n
        np.testing.assert_allclose(got, full[:n], atol=1e-5 * np.abs(full).max())
    assert shapes == [6, 6, 4, 2, 1]
