import math

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests import golden
from tests.micro import GOLDEN
from yolov1_fo.architectures import NETWORKS, classifier_layers
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import build, keras_file
from yolov1_fo.runs import checkpoint
from yolov1_fo.training import examples, starting_weights, validation
from yolov1_fo.training.learner_builder import build_learner


@pytest.fixture
def labeled(painted, micro, monkeypatch):
    """The painted images with their colors as labels; the sixth has none."""
    monkeypatch.setitem(
        NETWORKS, "micro", NETWORKS["micro"]._replace(pretrained_convs=2)
    )
    for sample in painted:
        colors = sorted({d.label for d in sample.ground_truth.detections})
        labels = [fo.Classification(label=color) for color in colors]
        sample["colors"] = fo.Classifications(classifications=labels)
        sample["color"] = labels[0] if labels else None
        sample.save()
    return painted


@pytest.fixture
def small(micro):
    """Settings of a classifier that trains in seconds."""
    return {key: value for key, value in micro.items() if key != "S"}


def pretrain(dataset, small, label_field="color", **settings):
    return yolov1_fo.pretrain(
        dataset.match_tags("train"),
        label_field,
        val_samples=dataset.match_tags("val"),
        **{"epochs": 2, **small, **settings},
    )


def test_the_papers_classifier_is_its_first_20_convolutions():
    layers = classifier_layers(NETWORKS["yolov1"])
    assert sum(type(layer).__name__ == "Conv" for layer in layers) == 20
    assert layers == NETWORKS["yolov1"].layers[: len(layers)]
    net = build.classifier(TrainConfig(network="fast-yolov1", image_size=224, C=5))
    assert net.output_shape == (None, 5)
    assert net.get_layer("average").input.shape == (None, 4, 4, 1024)


@pytest.mark.slow
@pytest.mark.parametrize("label_field", ["color", "colors"])
def test_it_learns_what_images_show(labeled, small, label_field):
    rates = {"optimizer": "adam", "schedule": "constant", "learning_rate": 3e-3}
    still = {"jitter": 0.0, "exposure": 1.0, "saturation": 1.0, "validation_freq": 40}
    run = pretrain(labeled, small, label_field, epochs=40, **rates, **still)
    assert run.history["loss"][-1] < 0.5 * run.history["loss"][0]
    assert run.history["val_top1"][-1] == 1
    assert run.best["val_top1"] == run.best["val_top5"] == 1
    assert "with top-1 accuracy 1.000" in run.summary_line
    config = labeled.get_run_info(run.run_key).config
    assert (config.task, config.images, config.classes) == (
        "classify",
        5,
        ["blue", "red"],
    )


@pytest.mark.slow
def test_its_backbone_starts_a_training(labeled, micro, small):
    classifier = pretrain(labeled, small, run_key="classifier", epochs=1)
    learned = keras_file.load(
        checkpoint.resolve(classifier.checkpoint_dir) / "network.keras"
    )
    for source in ("classifier", classifier.checkpoint_dir):
        run = yolov1_fo.train(
            labeled,
            weights=source,
            epochs=1,
            **{**micro, "learning_rate": 0.0, "weight_decay": 0.0},
        )
        started = keras_file.load(
            checkpoint.resolve(run.checkpoint_dir) / "network.keras"
        )
        for name in ("conv_01", "conv_03"):
            for a, b in zip(
                started.get_layer(name).get_weights(),
                learned.get_layer(name).get_weights(),
                strict=True,
            ):
                np.testing.assert_array_equal(a, b)
        assert labeled.get_run_info(run.run_key).config.weights


@pytest.mark.slow
def test_stopped_before_its_first_checkpoint_it_begins_with_its_backbone(
    labeled, micro, small
):
    pretrain(labeled, small, run_key="classifier", epochs=1)
    still = {**micro, "learning_rate": 0.0, "weight_decay": 0.0, "epochs": 1}

    def stop(*_):
        raise KeyboardInterrupt

    whole = yolov1_fo.train(labeled, weights="classifier", **still)
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.train(
            labeled, weights="classifier", run_key="cut", on_step=stop, **still
        )
    again = yolov1_fo.train(labeled, resume="cut", progress=False)
    for name in ("conv_01", "conv_03"):
        ours, theirs = (
            keras_file.load(checkpoint.resolve(run.checkpoint_dir) / "network.keras")
            .get_layer(name)
            .get_weights()
            for run in (again, whole)
        )
        np.testing.assert_array_equal(ours[0], theirs[0])


@pytest.mark.slow
def test_a_backbone_of_other_layers_is_one_line(labeled, micro, small, monkeypatch):
    pretrain(labeled, small, run_key="plain", epochs=1)
    line = (
        "were pretrained as micro with batch_norm=False; they fit networks with the "
        "same first layers, got micro with batch_norm=True"
    )
    with pytest.raises(ValueError, match=line):
        yolov1_fo.train(labeled, weights="plain", **{**micro, "batch_norm": True})
    dark = NETWORKS["micro"]._replace(input_range=(0.0, 1.0))
    monkeypatch.setitem(NETWORKS, "dark", dark)
    with pytest.raises(ValueError, match="got dark with batch_norm=False"):
        yolov1_fo.train(labeled, weights="plain", **{**micro, "network": "dark"})


@pytest.mark.slow
def test_darknets_classifier_starts_a_training(monkeypatch, tmp_path):
    content = (golden.DARKNET / "micro.weights").read_bytes()
    (tmp_path / "conv.weights").write_bytes(content[: 20 + 4 * 1208])  # 2 convolutions
    monkeypatch.setitem(NETWORKS, "golden", GOLDEN["micro"])
    config = TrainConfig(network="golden", image_size=56, C=3, batch_size=2)
    source = starting_weights.source(None, tmp_path / "conv.weights")
    started = build_learner(config, 2, source=source)
    theirs = np.frombuffer(content[20:], "<f4")
    beta = started.network.get_layer("conv_01_norm").beta
    np.testing.assert_array_equal(beta.numpy(), theirs[:8])


@pytest.mark.slow
def test_it_is_resumed_as_any_training(labeled, small):
    def stop(epoch, _):
        if epoch == 2:
            raise KeyboardInterrupt

    whole = pretrain(labeled, small, run_key="whole", epochs=4)
    with pytest.raises(KeyboardInterrupt):
        pretrain(labeled, small, run_key="halved", epochs=4, on_epoch=stop)
    with pytest.raises(ValueError, match="run 'halved' must be resumed with pretrain"):
        yolov1_fo.train(labeled, resume="halved")
    with pytest.raises(ValueError, match="from the run; got label_field too"):
        yolov1_fo.pretrain(labeled, "colors", resume="halved")
    again = yolov1_fo.pretrain(
        labeled.match_tags("train"),
        val_samples=labeled.match_tags("val"),
        resume="halved",
        progress=False,
    )
    for name, values in whole.history.items():
        if name != "seconds":
            assert again.history[name] == values


@pytest.mark.slow
def test_images_without_a_label_are_left_out(labeled, small):
    for number, sample in enumerate(labeled):
        labels = [fo.Classification(label="a"), fo.Classification(label=None)]
        sample["some"] = fo.Classifications(classifications=labels[number % 2 :])
        sample.save()
    run = yolov1_fo.pretrain(labeled, "some", epochs=1, **small)
    config = labeled.get_run_info(run.run_key).config
    assert (config.images, config.classes) == (4, ["a"])


def test_accuracies_worked_by_hand(labeled, small):
    names = [f"class {n}" for n in range(6)]
    for number, sample in enumerate(labeled):
        sample["six"] = fo.Classification(label=names[number % 6])
        sample.save()
    listing = examples.load(labeled, "six", names)
    config = TrainConfig(network="micro", image_size=32, C=6, batch_size=3)
    # Class 2 always first, class 5 always last.
    logits = np.float32([0.4, 0.3, 0.5, 0.2, 0.1, 0.0])
    said = type(
        "Said", (), {"predict_on_batch": lambda self, x: np.tile(logits, (len(x), 1))}
    )
    measured = validation.ClassifierValidator(listing, config)(said())
    assert measured["val_top1"] == pytest.approx(1 / 8)
    assert measured["val_top5"] == pytest.approx(7 / 8)
    total = math.log(np.exp(logits).sum())
    wanted = logits[[0, 1, 2, 3, 4, 5, 0, 1]]
    assert measured["val_loss"] == pytest.approx(total - wanted.mean(), abs=1e-5)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            {"label_field": "shade"},
            "'shade' is not on dataset .*; fields with .* color, colors",
        ),
        (
            {"label_field": "ground_truth"},
            "label_field 'ground_truth' on .* must hold Classifications",
        ),
        (
            {"network": "yolov1-efficientnet-lite0"},
            "has a pretrained backbone; .* among yolov1, fast-yolov1",
        ),
        ({"classes": ["blue"]}, "classes lack labels of 'color' .*: red"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_one_line(labeled, small, arguments, line):
    arguments = {"label_field": "color", **small, **arguments}
    with pytest.raises(ValueError, match=line):
        yolov1_fo.pretrain(labeled, **arguments)
    assert labeled.list_runs() == []


@pytest.mark.parametrize(
    ("weights", "error", "line"),
    [
        (
            "nothing",
            FileNotFoundError,
            "weights 'nothing' is not a file, a folder or a run",
        ),
        ("DETECTOR", ValueError, "which has network micro; got network yolov1"),
        ("PICTURE", ValueError, "is not a Darknet weights file"),
        (
            "WEIGHTS",
            ValueError,
            r"for micro of 32 px .* or end after one of its layers",
        ),
    ],
)
def test_a_backbone_that_does_not_fit_is_one_line(
    labeled, micro, checkpoint_dir, weights, error, line
):
    places = {
        "DETECTOR": checkpoint_dir,
        "PICTURE": golden.DARKNET / "input.png",
        "WEIGHTS": golden.DARKNET / "micro.weights",
    }
    with pytest.raises(error, match=line):
        yolov1_fo.train(labeled, weights=places.get(weights, weights), **micro)
    assert labeled.list_runs() == []
