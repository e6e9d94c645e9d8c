"""Darknet's `.weights` files; test_fidelity compares the networks' outputs."""

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import golden
from tests.micro import GOLDEN
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build, darknet_header, darknet_weights


def build_micro(name="micro", **changed):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(NETWORKS, name, GOLDEN[name])
        settings = {"network": name, "image_size": 56, "S": 7, "C": 3} | changed
        return build.detector(NetworkConfig(**settings), zero_init=True)


@pytest.fixture(scope="module")
def net():
    return build_micro()


MICRO = golden.DARKNET / "micro.weights"
NUMBERS = MICRO.read_bytes()[20:]

HEADERS = {
    "0.2": struct.pack("<iiiQ", 0, 2, 0, 32013312),
    "0.1": struct.pack("<iiii", 0, 1, 0, 64),
    "2015": struct.pack("<fffi", 0.001, 0.9, 0.0005, 64),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_a_written_file_equals_the_one_that_was_read(name, tmp_path):
    source = golden.DARKNET / f"{name}.weights"
    net = build_micro(name)
    header = darknet_weights.read(source, net)
    darknet_weights.write(tmp_path / "again.weights", net, header)
    assert (tmp_path / "again.weights").read_bytes() == source.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.weights"]


@pytest.mark.parametrize("version", HEADERS)
def test_every_version_is_written_as_it_was_read(version, net, tmp_path):
    first, second = tmp_path / "a.weights", tmp_path / "b.weights"
    first.write_bytes(HEADERS[version] + NUMBERS)
    header = darknet_weights.read(first, net)
    assert header.seen in (64, 32013312)
    darknet_weights.write(second, net, header)
    assert second.read_bytes() == first.read_bytes()


def test_connected_weights_of_2015_are_transposed(tmp_path):
    new, old = tmp_path / "new.weights", tmp_path / "old.weights"
    new.write_bytes(HEADERS["0.2"] + NUMBERS)
    first = build_micro()
    darknet_weights.read(new, first)
    darknet_weights.write(
        old, first, darknet_header.read_header(_written(tmp_path, "2015"))
    )
    assert old.read_bytes()[16:] != NUMBERS
    again = build_micro()
    darknet_weights.read(old, again)
    for a, b in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _written(folder: Path, version: str) -> Path:
    path = folder / f"{version}.weights"
    path.write_bytes(HEADERS[version] + NUMBERS)
    return path


@pytest.mark.slow
def test_reading_in_pieces_gives_the_same_weights(monkeypatch):
    at_once, pieced = build_micro(), build_micro()
    darknet_weights.read(MICRO, at_once)
    monkeypatch.setattr(darknet_weights, "PIECE_SIZE", 7)
    darknet_weights.read(MICRO, pieced)
    for a, b in zip(at_once.get_weights(), pieced.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    darknet_weights._assign(
        darknet_weights._read_pieces(
            MICRO, darknet_header.DarknetHeader(), _parts(pieced)
        )
    )
    for a, b in zip(at_once.get_weights(), pieced.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def _parts(net):
    return [
        part for layer in darknet_weights._stored_layers(net, False) for part in layer
    ]


def test_partial_files_are_accepted_on_request(tmp_path):
    layers = list(darknet_weights._stored_layers(build_micro(), False))
    floats = sum(part.size for layer in layers[:3] for part in layer)
    path = tmp_path / "conv.weights"
    path.write_bytes(HEADERS["0.1"] + NUMBERS[: 4 * floats])
    full, net = build_micro(), build_micro()
    darknet_weights.read(MICRO, full)
    darknet_weights.read(path, net, partial=True)
    for name in ("conv_01", "conv_03", "conv_04"):
        for a, b in zip(
            net.get_layer(name).get_weights(),
            full.get_layer(name).get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)
    assert not np.any(net.get_layer("conv_05").get_weights()[0])
    with pytest.raises(ValueError, match=r"conv.weights' must have 188752 bytes"):
        darknet_weights.read(path, net)


def test_size_of_darknets_published_classifier():
    config = NetworkConfig(network="darknet-yolov1", image_size=64, S=1, C=1)
    layers = list(
        darknet_weights._stored_layers(build.detector(config, zero_init=True), False)
    )
    numbers = sum(part.size for layer in layers[:20] for part in layer)
    assert 16 + 4 * numbers == 89_721_616  # bytes of extraction.conv.weights


def _with(number: float, at: int = 1000) -> bytes:
    return NUMBERS[: 4 * at] + struct.pack("<f", number) + NUMBERS[4 * at + 4 :]


BAD = {
    "empty": (b"", r"must begin with a header, got 0 bytes"),
    "truncated in the header": (HEADERS["0.2"][:18], r"a header of 20 bytes, got 18"),
    "truncated": (
        HEADERS["0.2"] + NUMBERS[:-1],
        r"must have 188756 .* got 188755; it is truncated",
    ),
    "longer": (HEADERS["0.2"] + NUMBERS + b"\0", r"must have 188756 .* got 188757$"),
    "another format": (
        b"\x89PNG\r\n\x1a\n" + NUMBERS,
        r"is not a Darknet weights file",
    ),
    "nan": (HEADERS["0.2"] + _with(np.nan), r"not finite, in conv_01"),
    "infinite": (HEADERS["0.2"] + _with(np.inf, 40000), r"not finite, in output"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_one_line_and_change_nothing(case, net, tmp_path):
    content, message = BAD[case]
    path = tmp_path / "bad.weights"
    path.write_bytes(content)
    darknet_weights.read(MICRO, net)
    before = net.get_weights()
    with pytest.raises(ValueError, match=rf"bad.weights' .*{message}") as error:
        darknet_weights.read(path, net)
    assert "\n" not in str(error.value)
    for a, b in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(a, b)


def test_error_for_another_network_names_both_sizes():
    with pytest.raises(
        ValueError, match=r"must have 188468 bytes for micro-nobn .* got 188756"
    ):
        darknet_weights.read(MICRO, build_micro("micro_nobn"))


def test_missing_file(net):
    with pytest.raises(FileNotFoundError, match=r"'nowhere.weights' does not exist"):
        darknet_weights.read("nowhere.weights", net)


@pytest.mark.slow
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    version=st.sampled_from(sorted(HEADERS)),
    length_change=st.one_of(st.just(0), st.integers(-len(NUMBERS) - 20, 40)),
    flips=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(1, 255)), max_size=4),
    where=st.sampled_from(["header", "numbers", "exponents"]),
)
def test_random_damage_raises_only_value_errors(
    net, tmp_path, version, length_change, flips, where
):
    head = HEADERS[version]
    content = bytearray(head + NUMBERS + bytes(40))[
        : len(head + NUMBERS) + length_change
    ]
    for place, value in flips:
        at = place % len(head) if where == "header" else len(head) + place
        at = at | 3 if where == "exponents" else at  # the last of four bytes
        if content:
            content[at % len(content)] ^= value
    path = tmp_path / "broken.weights"
    path.write_bytes(content)
    before, message, header = net.get_weights(), None, None
    try:
        header = darknet_weights.read(path, net)
    except ValueError as error:
        message = str(error)
    if header is None:
        assert message.startswith(f"weights file '{path}' ")
        assert "\n" not in message
        for a, b in zip(net.get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
    else:
        darknet_weights.write(path, net, header)
        assert path.read_bytes() == content


def test_other_layers_are_refused(tmp_path):
    import keras

    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(2, 3, use_bias=False)(image)
    x = keras.layers.BatchNormalization(name="of_keras")(x)
    other = keras.Model(image, x, name="other")
    line = "network 'other' must consist of Darknet's layers, got Conv2D"
    with pytest.raises(ValueError, match=line):
        darknet_weights.write(tmp_path / "a.weights", other)
    with pytest.raises(ValueError, match=line):
        darknet_weights.read(MICRO, other)
    assert list(tmp_path.iterdir()) == []


def test_folders_are_refused(net, tmp_path):
    with pytest.raises(ValueError, match="must be a file, got a folder"):
        darknet_weights.read(tmp_path, net)


MEASURE = """
import resource, sys
from yolov1_fo.networks import build, darknet_weights
from yolov1_fo.config import NetworkConfig
build.detector(NetworkConfig(network="darknet-yolov1-tiny"))  # imports everything
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
net = build.detector(NetworkConfig(network="darknet-yolov1"), zero_init=True)
darknet_weights.write(sys.argv[1], net)
darknet_weights.read(sys.argv[1], net)
print((peak() - before) * 1024)
"""


@pytest.mark.slow
def test_reading_the_released_network_needs_little_more_than_its_size(tmp_path):
    path = tmp_path / "yolov1.weights"
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert path.stat().st_size == 20 + 4 * 197328243
    assert int(done.stdout) < 1.3 * path.stat().st_size
