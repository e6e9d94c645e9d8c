"""runtime="auto": when it converts, and what it chooses."""

import concurrent.futures
import contextlib
import importlib.util
import logging
from pathlib import Path

import numpy as np
import pytest

from tests.networks import test_runtimes
from tests.networks.test_predictor import pixels
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.networks import fastest, formats, predictor, runtimes
from yolov1_fo.networks.conversions import NetworkCache

pytestmark = test_runtimes.pytestmark
net = test_runtimes.net


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
    monkeypatch.setattr(fastest.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(fastest.hardware, "has_accelerator", lambda: False)
    return now


class Conversion:
    """A conversion that takes no time.

    Args:
        is_kept: whether it need not be made
        is_busy: whether another process makes it
    """

    def __init__(self, is_kept=False, is_busy=False):
        self.kept, self.is_busy, self.files = is_kept, is_busy, 0

    def is_kept(self):
        return self.kept

    @contextlib.contextmanager
    def file(self, *, wait):
        assert not wait
        if self.is_busy:
            raise TimeoutError
        self.files += 1
        yield Path("network.onnx")

    def discard(self):
        self.kept = False


def use(monkeypatch, clock, stubs):
    """Replaces the runtimes by stubs, of seconds and change, or errors."""
    runs = {"keras": Stub(clock, 1.0)}
    for name, one in stubs.items():
        load = test_runtimes.failing(one)
        if not isinstance(one, Exception):
            stub = runs[name] = Stub(clock, *one)
            load = lambda path, precision, stub=stub: stub  # noqa: E731
        changed = runtimes.RUNTIMES[name]._replace(load=load)
        monkeypatch.setitem(runtimes.RUNTIMES, name, changed)
    return runs


def chosen_name(run, runs):
    """Returns the name of what computes now."""
    before = {name: one.calls for name, one in runs.items()}
    run(pixels(8))
    run(pixels(3))
    [name] = [name for name, one in runs.items() if one.calls > before[name]]
    return name


FAST = {"openvino": (0.3, 0.0), "onnxruntime": (0.5, 0.0)}


@pytest.mark.parametrize(
    ("stubs", "chosen", "line"),
    [
        (
            {"openvino": (0.3, 0.0), "onnxruntime": (0.5, 0.0)},
            "openvino",
            "OpenVINO computes the predictions: 37.5 ms per image, Keras takes 125 ms, "
            "ONNX Runtime takes 62.5 ms",
        ),
        (
            {"openvino": (0.5, 0.0), "onnxruntime": (0.3, 0.0)},
            "onnxruntime",
            "ONNX Runtime computes the predictions: 37.5 ms per image, Keras takes "
            "125 ms, OpenVINO takes 62.5 ms",
        ),
        (
            {"openvino": (0.3, 0.0), "onnxruntime": OSError("broken")},
            "openvino",
            "OpenVINO computes the predictions: 37.5 ms per image, Keras takes 125 ms",
        ),
        (
            {"openvino": (0.3, 0.01), "onnxruntime": (0.5, 0.0)},
            "onnxruntime",
            "ONNX Runtime computes the predictions: 62.5 ms per image, Keras takes "
            "125 ms",
        ),
        (
            {"openvino": (0.3, np.nan), "onnxruntime": (0.98, 0.0)},
            "keras",
            "Keras computes the predictions: 125 ms per image, ONNX Runtime takes "
            "123 ms",
        ),
        (
            {"openvino": OSError("broken"), "onnxruntime": (1.5, 0.0)},
            "keras",
            "Keras computes the predictions: 125 ms per image, ONNX Runtime takes "
            "188 ms",
        ),
    ],
)
def test_auto_chooses_the_fastest_that_agrees_with_keras(
    net, clock, monkeypatch, caplog, stubs, chosen, line
):
    runs = use(monkeypatch, clock, stubs)
    conversion = Conversion()
    run = fastest.Fastest(net, "float32", runs["keras"], conversion)
    assert 2 < run.converting < 3
    with caplog.at_level(logging.INFO, "yolov1_fo"):
        for _ in range(4):  # the first is compiled, three take longer than a conversion
            assert not caplog.records
            run(pixels(8))
    assert caplog.messages == [line]
    assert conversion.files == 1
    assert chosen_name(run, runs) == chosen


def test_auto_converts_and_measures(net, monkeypatch):
    for name in ("CONVERTING", "CONVERTING_PER_GB", "LOADING", "LOADING_PER_GB"):
        monkeypatch.setattr(fastest, name, 0.0)
    monkeypatch.setattr(fastest, "MIN_GAIN", -1e6)  # never Keras
    monkeypatch.setattr(fastest.hardware, "has_accelerator", lambda: False)
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
    class Full(Conversion):
        def is_kept(self):
            raise OSError("disk full")

    keras = Stub(clock, 5.0)
    run = fastest.Fastest(net, "float32", keras, Full())
    for calls in (1, 2, 3, 4):
        run(pixels(8))
        assert keras.calls == calls


def test_a_kept_conversion_is_chosen_as_soon_as_keras_is_measured(
    net, clock, monkeypatch
):
    runs = use(monkeypatch, clock, FAST)
    run = fastest.Fastest(net, "float32", runs["keras"], Conversion(is_kept=True))
    assert run.loading < 0.5
    run(pixels(8))  # is compiled
    run(pixels(8))  # a second, by Keras
    assert runs["keras"].calls == 2
    assert chosen_name(run, runs) == "openvino"


@pytest.mark.parametrize(
    ("remaining", "is_kept", "chosen"),
    [
        # Two runtimes are measured for 8 s, with the comparison.
        (300, False, "openvino"),  # 0.3 * 300 / 8 = 11.3 s, 2 s more than that
        (250, False, "keras"),  # 9.4 s
        (250, True, "openvino"),
        (200, True, "keras"),  # 7.5 s
        (0, True, "keras"),
    ],
)
def test_what_pays_depends_on_the_images_that_remain(
    net, clock, monkeypatch, remaining, is_kept, chosen
):
    runs = use(monkeypatch, clock, FAST)
    conversion = Conversion(is_kept=is_kept)
    run = fastest.Fastest(
        *(net, "float32", runs["keras"], conversion), remaining=lambda: remaining
    )
    for _ in range(2):
        run(pixels(8))
    assert chosen_name(run, runs) == chosen
    for _ in range(20):  # for longer than a conversion takes
        run(pixels(8))
    assert conversion.files == (chosen != "keras")


def test_keras_computes_while_another_process_converts(net, clock, monkeypatch):
    runs = use(monkeypatch, clock, FAST)
    conversion = Conversion(is_busy=True)
    run = fastest.Fastest(net, "float32", runs["keras"], conversion)
    for _ in range(8):
        run(pixels(8))
    assert runs["keras"].calls == 8
    conversion.is_busy = False
    run(pixels(8))
    assert chosen_name(run, runs) == "openvino"


def test_a_predictor_counts_down(net, monkeypatch):
    run = predictor.Predictor(net)
    run(pixels(4))
    assert run.remaining is None
    run.remaining = 6
    for expected in (2, 0):
        run(pixels(4))
        assert run.remaining == expected


def test_a_kept_conversion_is_used_by_the_next_predictor(net, monkeypatch, tmp_path):
    monkeypatch.setattr(fastest.hardware, "has_accelerator", lambda: False)
    monkeypatch.setattr(fastest, "MIN_GAIN", -1e6)
    cache = NetworkCache(DiskCache(tmp_path, 1e9), DiskCache(tmp_path, 1e9))
    predictor.Predictor(net, None, "openvino", cache)(pixels(2))
    monkeypatch.setattr(formats, "write_onnx", None)
    monkeypatch.setattr(fastest, "LOADING", 0.0)
    run = predictor.Predictor(net, None, "auto", cache)
    expected = predictor.Predictor(net)(pixels(4))
    for _ in range(2):
        np.testing.assert_array_equal(run(pixels(4)), expected)
    assert run._runs["uint8"]._chosen not in (None, run._with_keras)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(run(pixels(4)), expected, atol=1e-5 * scale)


def test_small_jobs_do_not_wait_for_a_conversion(net, monkeypatch):
    monkeypatch.setattr(formats, "write_onnx", None)
    run = predictor.Predictor(net, None, "auto")
    for n in (4, 4, 4, 1):
        np.testing.assert_array_equal(
            run(pixels(n)), predictor.Predictor(net)(pixels(n))
        )


def test_auto_uses_keras_on_an_accelerator_and_without_the_packages(net, monkeypatch):
    def names():
        return fastest.Fastest(net, "float32", net, Conversion()).names

    monkeypatch.setattr(fastest.hardware, "has_accelerator", lambda: False)
    assert names() == ["openvino", "onnxruntime"]
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == "openvino" else find_spec(name),
    )
    assert names() == ["onnxruntime"]
    monkeypatch.setattr(fastest.hardware, "has_accelerator", lambda: True)
    assert names() == []
