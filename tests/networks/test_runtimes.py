import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.micro import lived_in
from tests.networks.test_predictor import CASES, pixels
from yolov1_fo import hardware
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import RUNTIMES, NetworkConfig
from yolov1_fo.networks import build, formats, predictor, runtimes

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


@pytest.mark.parametrize(("given", "threads"), [("3", 3), ("", 0), ("x", 0)])
def test_runtimes_have_the_threads_of_tensorflow(
    net, tmp_path, monkeypatch, given, threads
):
    import onnxruntime
    import openvino

    path, told = tmp_path / "network.onnx", []
    formats.write_onnx(net, path)
    start, compile_model = onnxruntime.InferenceSession, openvino.Core.compile_model

    def start_noted(path, options, **named):
        told.append(options.intra_op_num_threads)
        return start(path, options, **named)

    def compile_noted(self, path, device, hints):
        told.append(hints["INFERENCE_NUM_THREADS"])
        return compile_model(self, path, device, hints)

    monkeypatch.setattr(onnxruntime, "InferenceSession", start_noted)
    monkeypatch.setattr(openvino.Core, "compile_model", compile_noted)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", given)
    images = pixels(2) / np.float32(255)
    outputs = [
        load(path)(images) for load in (formats.load_onnx, formats.load_openvino)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-3, atol=1e-4)
    assert told == [threads, threads]


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


def test_no_telemetry_is_sent(net, monkeypatch):
    """OpenVINO's `convert_model` sends it, from a forked process."""
    import openvino

    monkeypatch.setattr(openvino, "convert_model", None)
    predictor.Predictor(net, None, "openvino")(pixels(2))


SIGNALED = """
import signal, sys, threading
from pathlib import Path
from yolov1_fo.networks import formats

def interrupt(*_):
    print("interrupted")

signal.signal(signal.SIGTERM, interrupt)
runs = [formats.load_openvino(Path(sys.argv[1]))]
forget = threading.Thread(target=runs.clear)
forget.start()
forget.join()
signal.raise_signal(signal.SIGTERM)
"""


def test_signals_are_handled_after_another_thread_has_freed_a_network(net, tmp_path):
    """OpenVINO replaces the stack of signal handlers, and frees it with its plugin."""
    path = tmp_path / "network.onnx"
    formats.write_onnx(net, path)
    done = subprocess.run(
        [sys.executable, "-c", SIGNALED, path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_a_runtime_that_can_not_compute_is_refused(net, monkeypatch):
    with pytest.raises(
        ValueError, match=r"^ONNX Runtime computes in float32 or int8, got"
    ):
        predictor.Predictor(net, "bfloat16", "onnxruntime")
    with pytest.raises(ValueError, match=r"computes in float32, bfloat16 or int8,"):
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


def failing(error):
    def load(path, precision):
        raise error

    return load


@pytest.mark.parametrize(
    ("load", "line"),
    [
        (
            lambda *_: lambda images: 99.0,
            r"^OpenVINO must be within .* runtime='keras'",
        ),
        (failing(RuntimeError("no such layer\nat 3")), r"'openvino': no such layer$"),
    ],
)
def test_wrong_outputs_and_failures_are_errors(net, monkeypatch, load, line):
    broken = runtimes.RUNTIMES["openvino"]._replace(load=load)
    monkeypatch.setitem(runtimes.RUNTIMES, "openvino", broken)
    written, write = [], formats.write_onnx
    monkeypatch.setattr(
        formats, "write_onnx", lambda *given: written.append(1) or write(*given)
    )
    run = predictor.Predictor(net, None, "openvino")
    for _ in range(3):
        with pytest.raises(ValueError, match=line):
            run(pixels(3))
    assert len(written) == 1  # not for each batch


def test_a_failed_conversion_is_an_error(net, monkeypatch):
    monkeypatch.setattr(formats, "write_onnx", failing(KeyError("op")))
    run = predictor.Predictor(net, None, "onnxruntime")
    with pytest.raises(ValueError, match="runtime='onnxruntime': 'op'") as caught:
        run(pixels(2))
    assert isinstance(caught.value.__cause__, KeyError)
