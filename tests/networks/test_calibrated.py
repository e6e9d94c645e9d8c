"""INT8 networks: found by their weights, never used if they are wrong."""

import shutil

import numpy as np
import pytest

from tests.networks import test_runtimes
from tests.networks.test_conversions import files_of, small
from tests.networks.test_predictor import pixels
from yolov1_fo.config import packages
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.networks import formats, predictor
from yolov1_fo.networks.calibrated import Calibrated
from yolov1_fo.networks.conversions import NetworkCache

pytestmark = test_runtimes.pytestmark


@pytest.fixture
def caches(tmp_path):
    return NetworkCache(*(DiskCache(tmp_path / one, 1e9) for one in ("float", "int8")))


def keep(network, caches, written=None):
    """Keeps a network in float32 as if it were quantized.

    Args:
        written (itself): what the file holds
    """

    def write(path):
        formats.write_onnx(written or network, path)

    Calibrated(network, caches.calibrated).keep(write, 10_000, 5)


def run(network, caches, name):
    return predictor.Predictor(network, "int8", name, caches)


@pytest.mark.parametrize("name", ["openvino", "onnxruntime", "auto"])
def test_it_takes_pixels_of_both_kinds(caches, name):
    network, images = small(), pixels(3, 8)
    keep(network, caches)
    expected = network.predict_on_batch(images / np.float32(255))
    predict = run(network, caches, name)
    for batch in (images, images / np.float32(255)):
        np.testing.assert_allclose(predict(batch), expected, atol=1e-5)
    assert not files_of(caches.converted)


def test_it_belongs_to_the_weights(caches):
    keep(small(seed=1), caches)
    run(small(seed=1), caches, "openvino")
    line = r"^precision='int8' needs a calibrated export .*; call yolov1_fo.export\("
    for network, given in (
        (small(seed=2), caches),
        (small(seed=1), None),
    ):
        with pytest.raises(ValueError, match=line):
            run(network, given, "openvino")


def test_the_last_one_is_used(caches):
    for seed in (2, 1):
        keep(small(), caches, small(seed=seed))
    [_] = files_of(caches.calibrated)
    images = pixels(3, 8)
    expected = small().predict_on_batch(images / np.float32(255))
    found = run(small(), caches, "onnxruntime")(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_damaged_one_is_an_error(caches):
    keep(small(), caches)
    [path] = files_of(caches.calibrated)
    path.write_bytes(path.read_bytes()[:500])
    predict = run(small(), caches, "onnxruntime")
    line = r"^ONNX Runtime can't read the INT8 network; export it again: "
    for _ in range(2):
        with pytest.raises(ValueError, match=line):
            predict(pixels(2, 8))
    shutil.rmtree(path.parent)
    with pytest.raises(ValueError, match="needs a calibrated export"):
        run(small(), caches, "onnxruntime")(pixels(2, 8))


def test_a_wrong_one_is_an_error(caches):
    wrong = small()
    wrong.layers[2].kernel.assign(wrong.layers[2].kernel + 1)
    keep(small(), caches, wrong)
    line = (
        r"^OpenVINO in 8 bits must be within .*; calibrate with images like these, or"
    )
    with pytest.raises(ValueError, match=line):
        run(small(), caches, "openvino")(pixels(2, 8))
    assert files_of(caches.calibrated)  # it can't be made again


def test_auto_is_what_is_installed(caches, monkeypatch):
    keep(small(), caches)
    assert run(small(), caches, "auto")._name == "openvino"
    missing = {"openvino"}
    is_installed = packages.is_installed
    monkeypatch.setattr(
        packages, "is_installed", lambda one: one not in missing and is_installed(one)
    )
    assert run(small(), caches, "auto")._name == "onnxruntime"
    missing.add("onnxruntime")
    line = r"^precision='int8' needs openvino: pip install openvino$"
    with pytest.raises(ImportError, match=line):
        run(small(), caches, "auto")
    line = r"^precision='int8' needs runtime='openvino' or 'onnxruntime', got 'keras'$"
    with pytest.raises(ValueError, match=line):
        run(small(), caches, "keras")
