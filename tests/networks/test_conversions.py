"""Converted networks: which is which, and what becomes of damaged files."""

import concurrent.futures
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.networks import test_runtimes
from tests.networks.test_predictor import pixels
from yolov1_fo import disk_cache
from yolov1_fo.disk_cache import METADATA, DiskCache
from yolov1_fo.networks import conversions, formats, keras_file, predictor
from yolov1_fo.networks.conversions import NetworkCache

pytestmark = test_runtimes.pytestmark
net = test_runtimes.net


@pytest.fixture
def cache(tmp_path):
    return DiskCache(tmp_path / "networks", 1e9)


@pytest.fixture
def written(monkeypatch):
    """The paths to which networks are converted."""
    paths, write = [], formats.write_onnx

    def counting(network, path):
        paths.append(path)
        write(network, path)

    monkeypatch.setattr(formats, "write_onnx", counting)
    return paths


def use(net, cache, name="onnxruntime", images=None):
    return predictor.Predictor(net, None, name, NetworkCache(cache, cache))(
        pixels(3) if images is None else images
    )


def files_of(cache):
    return sorted(cache.folder.glob(f"*/{conversions.NETWORK}"))


def small(units=4, seed=1, activation="relu"):
    """Returns a network whose layers Keras numbers."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(units, 3, activation=activation)(image)
    x = keras.layers.Conv2D(units, 3)(x) + 1.0
    return keras.Model(image, keras.layers.GlobalAveragePooling2D()(x))


def test_a_conversion_is_used_again(net, cache, written):
    expected = use(net, cache)
    for name in ("onnxruntime", "openvino"):
        found = use(net, cache, name)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    assert len(written) == len(files_of(cache)) == 1
    use(net, cache, images=pixels(3) / np.float32(255))  # another input
    assert len(written) == len(files_of(cache)) == 2


def test_the_digest_is_that_of_weights_and_graph():
    first, same = small(), small()
    assert first.layers[1].name != same.layers[1].name
    digests = [conversions.digest(one) for one in (first, same)]
    assert digests[0] == digests[1]
    kernel = same.layers[1].kernel
    kernel.assign(np.nextafter(kernel.numpy(), np.float32(2)))
    others = (same, small(seed=2), small(units=5), small(activation="tanh"))
    digests += [conversions.digest(one) for one in others]
    assert len(set(digests)) == 1 + len(others)


DIGEST = """
import sys
from pathlib import Path
from yolov1_fo.networks import conversions, keras_file
keras_file.keras.layers.Conv2D(1, 1)  # so that others have other numbers
print(conversions.digest(keras_file.load(Path(sys.argv[1]))))
"""


@pytest.mark.slow
def test_the_digest_is_the_same_in_another_process(tmp_path):
    small().save(tmp_path / "network.keras")
    expected = conversions.digest(keras_file.load(tmp_path / "network.keras"))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST, tmp_path / "network.keras"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [expected]


def test_versions_are_part_of_the_name(net, cache, monkeypatch):
    names = [conversions.Conversion(net, "uint8", None).name]
    for change in (
        lambda: monkeypatch.setattr(conversions, "FORMAT", 0),
        lambda: monkeypatch.setattr(conversions.metadata, "version", lambda name: "9"),
    ):
        change()
        names.append(conversions.Conversion(net, "uint8", None).name)
    assert len(set(names)) == 3


def truncate(path):
    path.write_bytes(path.read_bytes()[:1000])


def empty(path):
    path.write_bytes(b"")


def lose(path):
    path.unlink()


def other_weights(path):
    import onnx

    model = onnx.load(path)
    for one in model.graph.initializer:
        array = onnx.numpy_helper.to_array(one)
        if array.dtype == np.float32 and array.size > 100:
            changed = onnx.numpy_helper.from_array(array * 1.5, one.name)
            one.CopyFrom(changed)
    onnx.save(model, path)


@pytest.mark.parametrize("damage", [truncate, empty, lose, other_weights])
def test_a_damaged_conversion_is_replaced(net, cache, written, damage):
    expected = use(net, cache)
    [path] = files_of(cache)
    damage(path)
    np.testing.assert_array_equal(use(net, cache), expected)
    np.testing.assert_array_equal(use(net, cache), expected)
    assert len(written) == 2
    assert [*files_of(cache)] == [path]


def test_it_is_converted_all_the_same_if_it_can_not_be_kept(
    net, tmp_path, written, monkeypatch
):
    (tmp_path / "file").touch()
    expected = predictor.Predictor(net)(pixels(3))
    caches = [
        DiskCache(tmp_path / "file" / "folder", 1e9),  # can't be made
        DiskCache(tmp_path / "small", 100),
        DiskCache(tmp_path / "full", 1e9),
    ]
    monkeypatch.setattr(disk_cache, "MIN_FREE_BYTES", 1e18)
    for number, cache in enumerate(caches):
        found = use(net, cache)
        np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
        assert len(written) == number + 1
        assert not cache.disk_usage()


def test_the_least_recently_used_conversion_is_deleted(tmp_path, written):
    cache = DiskCache(tmp_path, 2.5e6)  # two of a megabyte each, see OVERHEAD_BYTES
    networks = [small(seed=seed) for seed in (1, 2, 3)]
    entries = [
        tmp_path / conversions.Conversion(one, "uint8", None).name for one in networks
    ]
    for number in (0, 1, 0):  # the first is used again
        use(networks[number], cache, images=pixels(2, 8))
    for entry, time in zip(entries, (200, 100), strict=False):
        (entry / "more").write_bytes(bytes(1_000_000))
        os.utime(entry / METADATA, (time, time))
    use(networks[2], cache, images=pixels(2, 8))
    assert [entry.exists() for entry in entries] == [True, False, True]
    assert len(written) == 3


def test_simultaneous_predictors_convert_once(net, cache, written):
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        found = [*threads.map(lambda _: use(net, cache), range(4))]
    assert len(written) == 1
    for outputs in found:
        np.testing.assert_array_equal(outputs, found[0])


def test_who_does_not_wait_is_told(net, cache):
    conversion = conversions.Conversion(net, "uint8", lambda: net, cache)
    with (
        cache.locked(conversion.name),
        pytest.raises(TimeoutError),
        conversion.file(wait=False),
    ):
        pass


def test_waiting_ends(net, cache, written, monkeypatch):
    monkeypatch.setattr(conversions, "MAX_WAIT", 0.0)
    conversion = conversions.Conversion(net, "uint8", None, cache)
    with cache.locked(conversion.name):  # by a process that does not get on
        use(net, cache)
    assert len(written) == 1
    assert not files_of(cache)


KILLED = """
import sys
from pathlib import Path
from yolov1_fo.disk_cache import DiskCache
from yolov1_fo.networks import formats, keras_file, predictor
from yolov1_fo.networks.conversions import NetworkCache
def write(network, path):
    path.write_bytes(b"half a network")
    print("writing", flush=True)
    sys.stdin.read()
formats.write_onnx = write
network = keras_file.load(Path(sys.argv[1]))
cache = DiskCache(Path(sys.argv[2]), 1e9)
pixels = predictor.np.zeros((2, 8, 8, 3), "uint8")
caches = NetworkCache(cache, cache)
predictor.Predictor(network, None, "onnxruntime", caches)(pixels)
"""


@pytest.mark.slow
def test_a_process_waits_for_another_and_does_without_if_that_is_killed(
    cache, tmp_path, written
):
    network = small()
    network.save(tmp_path / "network.keras")
    other = subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore", "-c", KILLED),
            *(tmp_path / "network.keras", cache.folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert other.stdout.readline() == b"writing\n"
    images = pixels(2, 8)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        found = thread.submit(use, network, cache, images=images)
        with pytest.raises(TimeoutError):
            found.result(timeout=3)
        assert not written
        other.send_signal(signal.SIGKILL)
        other.communicate()
        outputs = found.result(timeout=60)
    expected = predictor.Predictor(network)(images)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    assert len(written) == 1
    assert [path.name for path in cache.folder.glob("*/")] == [
        Path(files_of(cache)[0]).parent.name
    ]
