"""What a training may take, before it begins."""

import csv
import math

import keras
import pytest

from yolov1_fo import architectures
from yolov1_fo.config import RECOMMENDED, TrainConfig
from yolov1_fo.networks import backbones, build
from yolov1_fo.runs import estimate


@pytest.mark.parametrize(
    ("name", "image_size", "S"),
    [
        ("fast-yolov1", 64, 2),
        ("yolov1-efficientnet-lite0", 224, 7),
        ("yolov1-efficientnet-lite0", 224, 14),
    ],
)
def test_parameters_are_those_of_the_network(name, image_size, S):
    config = TrainConfig(
        network=name, image_size=image_size, S=S, C=3, pretrained=False
    )
    net = build.detector(config, blank=True)
    parameters = estimate.cost(config).parameters
    assert parameters == pytest.approx(net.count_params(), rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("name", architectures.TRUNKS)
@pytest.mark.parametrize("stride", [16, 32])
def test_costs_of_trunks_are_those_of_keras(name, stride):
    weights = backbones.build(name, 224, pretrained=False, stride=stride)
    flops = numbers = 0
    for layer in weights.layers:
        shape = layer.output.shape[1:]
        numbers += math.prod(shape)
        if isinstance(layer, keras.layers.DepthwiseConv2D):
            flops += 2 * math.prod(layer.kernel.shape[:3]) * math.prod(shape[:2])
        elif isinstance(layer, keras.layers.Conv2D):
            flops += 2 * math.prod(layer.kernel.shape) * math.prod(shape[:2])
        elif isinstance(layer, keras.layers.Dense):
            flops += 2 * math.prod(layer.kernel.shape)
    said = architectures.TRUNKS[name][stride]
    assert said.parameters == weights.count_params()
    assert said.channels == weights.output_shape[-1]
    assert said.flops == pytest.approx(flops / 224**2, rel=1e-3)
    assert said.numbers == pytest.approx(numbers / 224**2, rel=1e-3)


def test_more_of_everything_takes_longer():
    config = TrainConfig(**RECOMMENDED, C=5)
    base = estimate.of(config, 1000, 100)
    assert base.seconds > 60
    assert base.memory > 1e9
    for more in ({"epochs": 90}, {"image_size": 640, "S": 40}):
        other = TrainConfig(**{**RECOMMENDED, "C": 5, **more})
        assert estimate.of(other, 1000, 100).seconds > base.seconds * 1.5
    assert estimate.of(config, 4000, 100).seconds > base.seconds * 1.5
    larger = TrainConfig(**{**RECOMMENDED, "C": 5, "batch_size": 64})
    assert estimate.of(larger, 1000, 100).memory > base.memory


def past(tmp_path, seconds, **settings):
    """Returns a run of the past, with its log."""
    with (tmp_path / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", "loss", "seconds"])
        writer.writerows((n, 1.0, s) for n, s in enumerate(seconds, start=1))
    config = TrainConfig(**{**RECOMMENDED, "C": 5, **settings})
    device = estimate.device(accelerated=False)
    return estimate.Past("before", config, device, 800, 100, str(tmp_path))


def test_a_run_of_before_tells_more(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate.shutil, "which", lambda name: None)
    run = past(tmp_path, [1000.0, 1600.0, 2200.0])  # 600 s an epoch, the first compiles
    ahead = estimate.of(run.config, 800, 100, [run])
    assert ahead.source == "on this CPU, as 'before' went"
    assert ahead.seconds == pytest.approx(30 * 600, rel=0.1)
    doubled = estimate.of(run.config, 1600, 200, [run])
    assert doubled.seconds == pytest.approx(2 * ahead.seconds, rel=0.1)
    assert str(ahead).startswith("about 5.0 hours on this CPU, as 'before' went; ")


@pytest.mark.parametrize("seconds", [[], [1000.0], [5.0, 5.0]])
def test_a_run_that_tells_nothing_is_passed_over(tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(estimate.shutil, "which", lambda name: None)
    run = past(tmp_path, seconds)
    ahead = estimate.of(run.config, 800, 100, [run])
    assert ahead.source == "on this CPU, by the network's size"


def test_runs_of_other_networks_and_devices_are_passed_over(tmp_path, monkeypatch):
    monkeypatch.setattr(estimate.shutil, "which", lambda name: None)
    run = past(tmp_path, [1000.0, 1600.0])
    for other in (
        run._replace(device="GPU"),
        run._replace(config=TrainConfig(network="fast-yolov1", C=5)),
    ):
        ahead = estimate.of(run.config, 800, 100, [other])
        assert ahead.source == "on this CPU, by the network's size"


@pytest.mark.parametrize("shown", ["", "-1", "-1,0"])
def test_a_hidden_gpu_is_none(tmp_path, monkeypatch, shown):
    monkeypatch.setattr(estimate.shutil, "which", lambda name: "/bin/nvidia-smi")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
    run = past(tmp_path, [1000.0, 1010.0])
    ahead = estimate.of(run.config, 800, 100)
    assert ahead.source == "on this CPU, by the network's size"


def test_of_a_gpu_nothing_is_known_before_a_first_run(tmp_path, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(estimate.shutil, "which", lambda name: "/bin/nvidia-smi")
    run = past(tmp_path, [1000.0, 1010.0])
    ahead = estimate.of(run.config, 800, 100)
    assert ahead.seconds is None
    assert str(ahead).startswith("no estimate before a first run on this GPU; ")
    ahead = estimate.of(run.config, 800, 100, [run._replace(device="GPU")])
    assert ahead.source == "on this GPU, as 'before' went"
