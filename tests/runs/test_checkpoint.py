import json

import keras
import numpy as np
import pytest

from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build, keras_file
from yolov1_fo.runs import checkpoint

METADATA = {"classes": ["a"], "settings": {}}


@pytest.fixture
def net(micro):
    return build.detector(NetworkConfig(network="micro", image_size=32, S=2))


def save(root, epoch, net, best=True):
    with checkpoint.writing(root, epoch, best=best) as folder:
        checkpoint.write(folder, net, {**METADATA, "epoch": epoch})
    return root / checkpoint.epoch_name(epoch)


def names(root):
    return sorted(path.name for path in root.iterdir())


def test_round_trip_predicts_the_same(tmp_path, net, rng):
    folder = save(tmp_path, 1, net)
    x = rng.uniform(0, 1, (2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(keras_file.load(folder / "network.keras")(x), net(x))
    assert checkpoint.read_metadata(folder) == {"format": 2, **METADATA, "epoch": 1}


def test_only_the_last_and_the_best_checkpoint_are_kept(tmp_path, net):
    for epoch, best in ((1, True), (2, True), (3, False), (4, False)):
        save(tmp_path, epoch, net, best)
    assert names(tmp_path) == ["best", "epoch_0002", "epoch_0004", "last"]
    assert checkpoint.resolve(tmp_path) == tmp_path / "epoch_0002"
    assert checkpoint.resolve(tmp_path / "epoch_0004") == tmp_path / "epoch_0004"


@pytest.mark.slow
def test_the_last_checkpoint_is_used_without_a_best_one(tmp_path, net):
    save(tmp_path, 3, net, best=False)
    assert checkpoint.resolve(tmp_path).name == "epoch_0003"


def test_weights_that_are_not_finite_are_never_written(tmp_path, net):
    save(tmp_path, 1, net)
    net.weights[0].assign(net.weights[0] * np.inf)
    with pytest.raises(ValueError, match="weight 'conv_01/kernel' is not finite"):
        save(tmp_path, 2, net)
    assert names(tmp_path) == ["best", "epoch_0001", "last"]


def test_a_failed_write_leaves_the_old_checkpoint(tmp_path, net, monkeypatch):
    save(tmp_path, 1, net)

    def fail(self, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", fail)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, 2, net)
    assert names(tmp_path) == ["best", "epoch_0001", "last"]


def test_a_missing_checkpoint_is_an_error_of_one_line(tmp_path, net):
    with pytest.raises(FileNotFoundError, match=r"nowhere' does not exist"):
        checkpoint.resolve(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"has no run\.json"):
        checkpoint.resolve(tmp_path)
    folder = save(tmp_path, 1, net)
    (folder / "network.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"epoch_0001' has no network\.keras"):
        checkpoint.resolve(tmp_path)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must be a JSON object, got list"),
        (json.dumps({"format": 3}), "must have a format of at most 2, got 3"),
        (json.dumps({"format": 1, "classes": []}), "lacks settings"),
    ],
)
def test_invalid_metadata_is_an_error_of_one_line(tmp_path, net, text, line):
    folder = save(tmp_path, 1, net)
    (folder / "run.json").write_text(text)
    with pytest.raises(ValueError, match=line):
        checkpoint.read_metadata(folder)


def test_a_broken_network_is_an_error_of_one_line(tmp_path, net):
    folder = save(tmp_path, 1, net)
    (folder / "network.keras").write_bytes(b"PK\x03\x04 no more")
    with pytest.raises(ValueError, match=r"network\.keras' can't be read") as caught:
        keras_file.load(folder / "network.keras")
    assert "\n" not in str(caught.value)
