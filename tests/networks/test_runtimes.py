import concurrent.futures
import importlib.util
import logging

import numpy as np
import pytest

from tests.micro import lived_in
from tests.networks.test_predictor import CASES, pixels
from yolov1_fo import hardware
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import RUNTIMES, NetworkConfig
from yolov1_fo.networks import build, predictor, runtimes

pytestmark = [
    pytest.mark.skipif(
        not all(
            importlib.util.find_spec(package)
            for runtime in runtimes.RUNTIMES.values()
            for package in runtime.packages
        ),
        reason="needs OpenVINO and ONNX Runtime, with onnx and tf2onnx",
    ),
    pytest.mark.skipif(
        predictor.keras.backend.backend() != "tensorflow", reason="converts TensorFlow"
    ),
]


@pytest.fixture
def net(monkeypatch):
    architecture, settings = CASES["batch_norm"]
    monkeypatch.setitem(NETWORKS, "micro", architecture)
    return lived_in(build.detector(NetworkConfig(**settings), seed=4))


def test_each_choice_is_known():
    assert {"auto", "keras", *runtimes.RUNTIMES} == set(RUNTIMES)


@pytest.mark.parametrize("name", runtimes.RUNTIMES)
def test_outputs_are_those_of_keras(net, name):
    run = predictor.Predictor(net, None, name)
    for images in (pixels(5), pixels(3), pixels(2) / np.float32(255)):
        expected = predictor.Predictor(net)(images)
        got = run(images)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())


def test_openvino_computes_in_bfloat16(net):
    images = pixels(6)
    full, half = (
        predictor.Predictor(net, precision, "openvino")(images)
        for precision in ("float32", "bfloat16")
    )
    difference = np.abs(full - half).max()
    assert difference < 0.03 * np.abs(full).max()
    if hardware.fastest_precision() == "bfloat16":
        assert difference > 0


def test_a_network_trained_in_half_precision_computes_in_it(monkeypatch):
    architecture, settings = CASES["plain"]
    monkeypatch.setitem(NETWORKS, "micro", architecture)
    config = NetworkConfig(**settings)
    half = build.detector(config, precision="mixed_bfloat16")
    assert predictor.computed_precision(half, None) == "bfloat16"
    assert predictor.computed_precision(half, "float16") == "float16"
    assert predictor.computed_precision(build.detector(config), None) == "float32"
    got, expected = (
        predictor.Predictor(half, None, name)(pixels(3))
        for name in ("openvino", "keras")
    )
    np.testing.assert_allclose(got, expected, atol=0.03 * np.abs(expected).max())


class Stub:
    """Computes as Keras does; its calls are counted.

    Args:
        seconds: that a call seems to take
        change: added to the output
    """

    def __init__(self, clock, seconds, change=0.0):
        self.clock, self.seconds, self.change = clock, seconds, change
        self.calls = 0

    def __call__(self, images):
        self.calls += 1
        self.clock[0] += self.seconds
        means = images.mean(axis=(1, 2, 3), keepdims=True)[:, :, 0, 0]
        return means.astype(np.float32) / 255 + self.change


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(runtimes.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(runtimes.hardware, "has_accelerator", lambda: False)
    return now


@pytest.mark.parametrize(
    ("stubs", "chosen"),
    [
        ({"openvino": (0.3, 0.0), "onnxruntime": (0.5, 0.0)}, "openvino"),
        ({"openvino": (0.5, 0.0), "onnxruntime": (0.3, 0.0)}, "onnxruntime"),
        ({"openvino": (0.3, 0.0), "onnxruntime": OSError("broken")}, "openvino"),
        ({"openvino": (0.3, 0.01), "onnxruntime": (0.5, 0.0)}, "onnxruntime"),
        ({"openvino": (0.3, np.nan), "onnxruntime": (0.98, 0.0)}, "keras"),
        ({"openvino": OSError("broken"), "onnxruntime": (1.5, 0.0)}, "keras"),
    ],
)
def test_auto_chooses_the_fastest_that_agrees_with_keras(
    net, clock, monkeypatch, caplog, stubs, chosen
):
    runs = {
        name: one if isinstance(one, Exception) else Stub(clock, *one)
        for name, one in stubs.items()
    }
    monkeypatch.setattr(runtimes, "load", lambda names, *_: {n: runs[n] for n in names})
    runs["keras"] = Stub(clock, 1.0)
    run = runtimes.Fastest(net, "float32", runs["keras"], lambda: net)
    assert 2 < run.patience < 3
    with caplog.at_level(logging.INFO, "yolov1_fo"):
        for _ in range(4):  # the first is compiled, three take longer than a conversion
            assert not caplog.records
            run(pixels(8))
    if chosen == "keras":
        assert not caplog.messages
    else:
        label = runtimes.RUNTIMES[chosen].label
        assert caplog.messages == [
            f"{label} computes the predictions: 37.5 ms per image, Keras takes 125 ms"
            if stubs[chosen][0] == 0.3
            else f"{label} computes the predictions: 62.5 ms per image, Keras takes "
            "125 ms"
        ]
    before = {name: one.calls for name, one in runs.items() if isinstance(one, Stub)}
    run(pixels(8))
    run(pixels(3))
    after = {name: one.calls for name, one in runs.items() if isinstance(one, Stub)}
    assert {name for name in after if after[name] > before[name]} == {chosen}


def test_auto_converts_and_measures(net, monkeypatch):
    monkeypatch.setattr(runtimes, "SECONDS", 0.0)
    monkeypatch.setattr(runtimes, "SECONDS_PER_GB", 0.0)
    monkeypatch.setattr(runtimes, "MIN_GAIN", -1e6)  # never Keras
    monkeypatch.setattr(runtimes.hardware, "has_accelerator", lambda: False)
    run = predictor.Predictor(net, None, "auto")
    expected = predictor.Predictor(net)(pixels(4))
    for _ in range(2):
        np.testing.assert_array_equal(run(pixels(4)), expected)
    chosen = run._runs["uint8"]._chosen
    assert chosen not in (None, run._with_keras)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for got in threads.map(run, [pixels(4)] * 20):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(got, expected, atol=1e-5 * scale)


def test_auto_survives_a_choice_that_fails(net, clock, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(runtimes, "load", fail)
    keras = Stub(clock, 5.0)
    run = runtimes.Fastest(net, "float32", keras, lambda: net)
    for calls in (1, 2, 3, 4):
        run(pixels(8))
        assert keras.calls == calls


def test_no_telemetry_is_sent(net, monkeypatch):
    """OpenVINO's `convert_model` sends it, from a forked process."""
    import openvino

    monkeypatch.setattr(openvino, "convert_model", None)
    predictor.Predictor(net, None, "openvino")(pixels(2))


def test_small_jobs_do_not_wait_for_a_conversion(net, monkeypatch):
    monkeypatch.setattr(runtimes, "load", None)
    run = predictor.Predictor(net, None, "auto")
    for n in (4, 4, 4, 1):
        np.testing.assert_array_equal(
            run(pixels(n)), predictor.Predictor(net)(pixels(n))
        )


def test_auto_uses_keras_on_an_accelerator_and_without_the_packages(net, monkeypatch):
    def names():
        return runtimes.Fastest(net, "float32", net, lambda: net).names

    monkeypatch.setattr(runtimes.hardware, "has_accelerator", lambda: False)
    assert names() == ["openvino", "onnxruntime"]
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "openvino" else find_spec(name),
    )
    assert names() == ["onnxruntime"]
    monkeypatch.setattr(runtimes.hardware, "has_accelerator", lambda: True)
    assert names() == []


def test_a_runtime_that_can_not_compute_is_refused(net, monkeypatch):
    with pytest.raises(ValueError, match=r"^ONNX Runtime computes in float32, got bf"):
        predictor.Predictor(net, "bfloat16", "onnxruntime")
    with pytest.raises(ValueError, match=r"OpenVINO computes in float32 or bfloat16,"):
        predictor.Predictor(net, "float16", "openvino")
    monkeypatch.setattr(runtimes, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"^runtime='openvino' is for networks of"):
        predictor.Predictor(net, None, "openvino")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError,
        match=r"^runtime='openvino' needs onnx, openvino and tf2onnx: pip inst",
    ):
        predictor.Predictor(net, None, "openvino")
    predictor.Predictor(net, "float16", "auto")
    monkeypatch.setattr(runtimes.keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    with pytest.raises(ValueError, match=r"needs the TensorFlow backend, got jax$"):
        runtimes.check("openvino", net, "float32")


def test_wrong_outputs_and_failed_conversions_are_errors(net, monkeypatch):
    images = pixels(3)
    outputs = predictor.Predictor(net)(images)
    found = {"openvino": lambda images: outputs + 1}
    converted = []
    monkeypatch.setattr(runtimes, "load", lambda *_: converted.append(1) or found)
    run = predictor.Predictor(net, None, "openvino")
    for _ in range(3):
        with pytest.raises(ValueError, match=r"^OpenVINO must be within .* runtime='k"):
            run(images)
    assert len(converted) == 1  # not for each batch
    found["openvino"] = RuntimeError("no such layer\nat line 3")
    run = predictor.Predictor(net, None, "openvino")
    with pytest.raises(ValueError, match=r"runtime='openvino': no such layer$"):
        run(images)


def test_outputs_that_are_not_finite_are_not_compared():
    outputs = np.full((2, 3), np.nan)
    runtimes.compare("openvino", outputs, outputs, "float32")
    with pytest.raises(ValueError, match="got nan"):
        runtimes.compare("openvino", outputs, np.ones((2, 3)), "float32")


def test_a_failed_conversion_is_returned(net, monkeypatch):
    error = KeyError("op")

    def fail(*_):
        raise error

    monkeypatch.setattr(runtimes.formats, "write_onnx", fail)
    found = runtimes.load([*runtimes.RUNTIMES], net, "float32")
    assert found == dict.fromkeys(runtimes.RUNTIMES, error)
