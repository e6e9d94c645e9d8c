import numpy as np
import pytest
from keras import ops

from yolov1_fo import architectures, grid
from yolov1_fo.config import NetworkConfig
from yolov1_fo.networks import build, costs
from yolov1_fo.networks.parts import backbone_of


def test_output_is_one_vector_per_image(micro):
    config = NetworkConfig(network="micro", image_size=64, S=3, B=3, C=5)
    net = build.detector(config)
    y = net(np.zeros((2, 64, 64, 3), np.float32))
    assert y.shape == (2, grid.output_size(config))
    assert grid.split(y, config).boxes.shape == (2, 3, 3, 3, 4)


def test_same_seed_gives_the_same_network(micro):
    config = NetworkConfig(network="micro", image_size=32, S=2)
    one, same, other = (build.detector(config, seed=seed) for seed in (1, 1, 2))
    for a, b in zip(one.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(one.get_weights()[0], other.get_weights()[0])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fast-yolov1", "micro"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_parameter_count_is_that_of_the_table(micro, name, batch_norm):
    config = NetworkConfig(network=name, image_size=64, S=2, C=2, batch_norm=batch_norm)
    expected, _ = costs.count(
        architectures.NETWORKS[name].layers,
        64,
        grid.output_size(config),
        batch_norm=batch_norm,
    )
    net = build.detector(config)
    assert sum(int(np.prod(v.shape)) for v in net.trainable_variables) == expected


def test_strided_convolutions_pad_all_sides_equally(micro):
    net = build.detector(NetworkConfig(network="micro", image_size=64, S=2))
    first = next(layer for layer in net.layers if layer.name == "conv_01")
    pad = next(layer for layer in net.layers if layer.name == "conv_01_pad")
    assert pad.padding == ((1, 1), (1, 1))
    assert first.padding == "valid"


def test_connected_layers_see_channels_first(micro):
    net = build.detector(NetworkConfig(network="micro", image_size=64, S=2))
    x = np.random.default_rng(0).normal(size=(1, 64, 64, 3)).astype(np.float32)
    for layer in net.layers[1:]:
        if "channels_first" in layer.name:
            flat = ops.reshape(layer(x), (1, -1))
            np.testing.assert_array_equal(flat, np.moveaxis(x, -1, 1).reshape(1, -1))
            return
        x = np.asarray(ops.convert_to_numpy(layer(x)))
    pytest.fail("no connected layer")


@pytest.mark.slow
def test_leaky_slope_and_linear_output():
    net = build.detector(NetworkConfig(network="fast-yolov1", image_size=64, S=1, C=1))
    leaky = [layer for layer in net.layers if layer.name.endswith("_leaky")]
    assert len(leaky) == 9
    assert [layer.negative_slope for layer in leaky] == pytest.approx([0.1] * 9)
    dense = [layer for layer in net.layers if hasattr(layer, "units")]
    assert [layer.activation.__name__ for layer in dense] == ["linear"] * 3


def test_dropout_follows_the_large_connected_layer(micro):
    net = build.detector(
        NetworkConfig(network="micro", image_size=32, S=2, dropout=0.25)
    )
    names = [layer.name for layer in net.layers]
    assert names[-2:] == ["dropout_07", "output"]
    assert net.layers[-2].rate == 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    ("image_size", "S"), [(64, 2), (128, 2), (96, 2), (32, 1), (96, 6)]
)
def test_transfer_networks_predict_each_cell(image_size, S):
    config = NetworkConfig(
        network="yolov1-efficientnet-lite0",
        pretrained=False,
        image_size=image_size,
        S=S,
        C=4,
    )
    net = build.detector(config)
    assert net.output_shape == (None, grid.output_size(config))
    assert backbone_of(net) is not None


@pytest.mark.parametrize("separable_head", [False, True])
def test_sigmoid_outputs_stay_in_their_ranges(rng, separable_head):
    config = NetworkConfig(
        network="yolov1-efficientnet-lite0",
        pretrained=False,
        image_size=64,
        S=4,
        C=3,
        output_activation="sigmoid",
        separable_head=separable_head,
    )
    net = build.detector(config)
    images = rng.uniform(size=(2, 64, 64, 3)).astype(np.float32)
    before = grid.split(net.predict_on_batch(images), config)
    np.testing.assert_allclose(before.confidence, 0.018, atol=0.01)  # sigmoid(-4)
    np.testing.assert_allclose(before.class_probs, 0.119, atol=0.05)  # sigmoid(-2)
    np.testing.assert_allclose(before.boxes, 0.5, atol=0.1)
    for sign, low, high in ((-1, 0, -0.5), (1, 1, 1.5)):
        for name in grid.Cells._fields:
            kernel, bias = net.get_layer(name).get_weights()
            net.get_layer(name).set_weights([kernel, np.full_like(bias, sign * 100)])
        cells = grid.split(net.predict_on_batch(images), config)
        np.testing.assert_allclose(cells.confidence, low, atol=1e-6)
        np.testing.assert_allclose(cells.class_probs, low, atol=1e-6)
        np.testing.assert_allclose(cells.boxes[..., :2], high, atol=1e-6)
        np.testing.assert_allclose(cells.boxes[..., 2:], low, atol=1e-6)


def test_output_is_float32_under_every_policy(micro):
    config = NetworkConfig(network="micro", image_size=32, S=2)
    for policy in ("mixed_bfloat16", "mixed_float16", "float32"):
        net = build.detector(config, precision=policy)
        assert net.output.dtype == "float32"
        assert net.get_layer("conv_01").dtype_policy.name == policy
