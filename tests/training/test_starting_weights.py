"""A training starts from what was trained before: `train(weights=)`."""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from tests.micro import GOLDEN, lived_in
from tests.training.test_resume import Killed, assert_same_run
from yolov1_fo import grid
from yolov1_fo.architectures import NETWORKS
from yolov1_fo.config import GridConfig, NetworkConfig, TrainConfig
from yolov1_fo.evaluation import average_precision
from yolov1_fo.model import darknet_releases
from yolov1_fo.networks import (
    build,
    darknet_weights,
    detector_weights,
    efficientnet_lite,
    keras_file,
)
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, folders, records
from yolov1_fo.training import matching_layers, starting_weights
from yolov1_fo.training.learner_builder import build_learner
from yolov1_fo.training.starting_weights import Source

STILL = {"learning_rate": 0.0, "weight_decay": 0.0}
"""Settings of a training that keeps the weights that it starts from."""
LITE = {"network": "yolov1-efficientnet-lite0", "batch_norm": True}


def made(folder, classes, seed=1, **settings):
    """Writes a checkpoint of random weights and statistics; returns the network."""
    config = NetworkConfig(C=len(classes), **settings)
    network = lived_in(build.detector(config, seed=seed))
    metadata = {"classes": classes, "settings": asdict(config), "run_key": "parent"}
    with checkpoint.writing(folder, 1, best=True) as unfinished:
        checkpoint.write(unfinished, network, metadata)
    return network


def started(weights, classes, dataset=None, **settings):
    """Returns the network of a training before its first step."""
    found = starting_weights.source(dataset, weights)
    settings = {**matching_layers.layer_settings(found, settings), **settings}
    config = TrainConfig(C=len(classes), batch_size=2, **settings)
    matching_layers.check(found, config)
    return build_learner(config, 1, source=found, classes=classes).network, config


def cells(network, pixels, config):
    return grid.split(network.predict_on_batch(pixels), config)


def assert_same_predictions(theirs, old, ours, new, config, rng):
    """The boxes, and the probabilities of the classes that both know, are the same."""
    size = config.image_size
    pixels = rng.random((2, size, size, 3), np.float32)
    were = cells(theirs, pixels, GridConfig(S=config.S, B=config.B, C=len(old)))
    now = cells(ours, pixels, GridConfig(S=config.S, B=config.B, C=len(new)))
    assert np.ptp(were.confidence) > 0
    np.testing.assert_allclose(now.confidence, were.confidence, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(now.boxes, were.boxes, rtol=1e-5, atol=1e-5)
    for name in set(old) & set(new):
        np.testing.assert_allclose(
            now.class_probs[..., new.index(name)],
            were.class_probs[..., old.index(name)],
            rtol=1e-5,
            atol=1e-5,
        )


CLASSES = [
    ["blue", "red"],
    ["red", "blue"],
    ["blue", "green", "red"],
    ["red"],
    ["green", "red", "yellow"],
    ["green"],
]


@pytest.mark.parametrize("new", CLASSES)
def test_positions_in_the_output_follow_the_names(new):
    old = ["blue", "red"]
    theirs, ours = GridConfig(S=2, B=3, C=2), GridConfig(S=2, B=3, C=len(new))
    ids = detector_weights.class_ids(old, new)
    sources, places = detector_weights.channels("output", theirs, ours, ids)
    y = np.full(grid.output_size(ours), -1)
    y[places] = sources
    were = grid.split(np.arange(grid.output_size(theirs)), theirs)
    now = grid.split(y, ours)
    np.testing.assert_array_equal(now.confidence, were.confidence)
    np.testing.assert_array_equal(now.boxes, were.boxes)
    for name in new:
        wanted = were.class_probs[..., old.index(name)] if name in old else -1
        assert (now.class_probs[..., new.index(name)] == wanted).all()
    sources, places = detector_weights.channels("class_probs", theirs, ours, ids)
    assert [(old[a], new[b]) for a, b in zip(sources, places, strict=True)] == [
        (name, name) for name in new if name in old
    ]
    assert detector_weights.channels("boxes", theirs, ours, ids) is None


def source(kind="detector", classes=("a", "b"), **settings):
    """A source without files."""
    config = NetworkConfig(**settings)
    kept = {name: value for name, value in asdict(config).items() if name != "C"}
    return Source("x", Path("x"), kind, list(classes), kept, "0" * 64)


@pytest.mark.parametrize(
    ("theirs", "ours", "line"),
    [
        (
            {"network": "fast-yolov1"},
            {"network": "yolov1"},
            "which has network yolov1; got network fast-yolov1",
        ),
        ({}, {"S": 14}, "which has S 14; got S 7"),
        ({}, {"image_size": 512}, "which has image_size 512; got image_size 448"),
        ({}, {"batch_norm": True}, "which has batch_norm True; got batch_norm False"),
        ({}, {"B": 3, "sqrt": False}, "which has B 3, sqrt False; got B 2, sqrt True"),
        (
            {**LITE, "image_size": 320, "S": 20},
            {**LITE, "image_size": 320, "S": 10},
            "which has image_size 320, S 10; got image_size 320, S 20",
        ),
        (
            {**LITE, "image_size": 320, "S": 10},
            {**LITE, "image_size": 640, "S": 10},
            "which has image_size 640, S 10; got image_size 320, S 10",
        ),
        (
            {**LITE, "S": 14},
            {**LITE, "S": 14, "head_filters": 64},
            "which has head_filters 64; got head_filters 256",
        ),
        (
            {**LITE, "S": 14},
            {**LITE, "S": 14, "output_activation": "sigmoid", "separable_head": True},
            "which has .*; got separable_head False, output_activation linear",
        ),
    ],
)
def test_a_detector_of_other_layers_is_one_line(theirs, ours, line):
    with pytest.raises(ValueError, match=f"^weights 'x' must fit the training, {line}"):
        matching_layers.check(source(**theirs), NetworkConfig(**ours))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"batch_norm": True}, {"batch_norm": True, "C": 3, "dropout": 0.1}),
        ({"network": "darknet-yolov1"}, {"network": "darknet-yolov1", "batch_norm": 1}),
        ({"letterbox": True}, {"letterbox": False}),
        *(
            (
                {**LITE, "image_size": 320, "S": S},
                {**LITE, "image_size": 448, "S": other, "pretrained": False},
            )
            for S, other in ((5, 7), (10, 14), (20, 28))
        ),
    ],
)
def test_a_detector_of_the_same_layers_fits(theirs, ours):
    if "batch_norm" in ours:
        ours["batch_norm"] = bool(ours["batch_norm"])
    matching_layers.check(source(**theirs), NetworkConfig(**ours))


def test_layer_settings_follow_the_detector():
    lite = source(**LITE, image_size=320, S=20, head_filters=64, softmax=True)
    settings = matching_layers.layer_settings(lite, {})
    assert NetworkConfig(**settings, C=2) == lite.config
    assert matching_layers.layer_settings(lite, {"image_size": 448})["S"] == 28
    line = "weights 'x' must fit the training, which has network yolov1; got network y"
    with pytest.raises(ValueError, match=line):
        matching_layers.layer_settings(lite, {"network": "yolov1"})
    assert matching_layers.layer_settings(source("darknet"), {}) == {}
    assert matching_layers.layer_settings(source("classifier"), {}) == {
        "network": "yolov1",
        "batch_norm": False,
    }


@pytest.mark.parametrize("activation", ["linear", "sigmoid"])
def test_the_loss_follows_the_outputs_of_the_detector(activation):
    """Detectors of earlier versions are linear: they keep the squared errors."""
    parent = source(**LITE, image_size=320, S=20, output_activation=activation)
    config = matching_layers.draft({}, 2, parent).config
    assert (config.recipe, config.output_activation) == ("fine-tune", activation)
    is_linear = activation == "linear"
    assert config.score_loss == ("squared" if is_linear else "cross-entropy")
    assert config.box_loss == ("squared" if is_linear else "ciou")
    assert (config.scale_noobj, config.rescore) == (is_linear, is_linear)


def test_a_transfer_network_starts_from_no_classifier():
    config = NetworkConfig(**LITE, S=14)
    for kind in ("classifier", "darknet"):
        with pytest.raises(ValueError, match=r"has a pretrained backbone; .* among yo"):
            matching_layers.check(source(kind), config)


@pytest.mark.slow
@pytest.mark.parametrize("new", CLASSES)
def test_kept_classes_predict_as_the_parent(tmp_path, micro, rng, new):
    layers = {"network": "micro", "image_size": 32, "S": 2, "batch_norm": True}
    old = ["blue", "red"]
    parent = made(tmp_path, old, **layers)
    ours, config = started(tmp_path, new)
    assert config.batch_norm
    assert_same_predictions(parent, old, ours, new, config, rng)
    fresh = build.detector(config, seed=config.seed)
    initial, now = (one.get_layer("output").kernel.numpy() for one in (fresh, ours))
    places = grid.split(np.arange(now.shape[-1]), config).class_probs
    for id_, name in enumerate(new):
        own = places[..., id_].ravel()
        assert (now[:, own] == initial[:, own]).all() == (name not in old)


@pytest.mark.slow
def test_a_transfer_network_starts_from_a_detector(tmp_path, rng, monkeypatch):
    """At another image size too; ImageNet weights are not loaded."""
    old, new = ["blue", "red"], ["green", "red"]
    parent = made(tmp_path, old, **LITE, image_size=64, S=4, pretrained=False)
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda name: 1 / 0)
    ours, config = started(tmp_path, new, pretrained=True)
    assert_same_predictions(parent, old, ours, new, config, rng)
    larger, config = started(tmp_path, new, image_size=96)
    assert (config.image_size, config.S) == (96, 6)
    kernels = (one.get_layer("boxes").kernel.numpy() for one in (larger, parent))
    np.testing.assert_array_equal(*kernels)
    statistics = (
        one.get_layer("backbone").get_layer("_bn0").moving_variance.numpy()
        for one in (larger, parent)
    )
    np.testing.assert_array_equal(*statistics)


def test_weights_that_do_not_fit_leave_the_network_as_it_was(tmp_path, micro):
    """A network whose layers are not those of its settings, or not finite."""
    layers = {"network": "micro", "image_size": 32, "S": 2}
    config = NetworkConfig(**layers, C=2)
    network = build.detector(config)
    before = network.get_weights()

    def fill(parent):
        detector_weights.copy(parent, network, config, config, [0, 1])

    normed = build.detector(NetworkConfig(**layers, C=2, batch_norm=True))
    with pytest.raises(
        ValueError, match=r"they have Conv2D 'conv_01' with 1 weights w"
    ):
        fill(normed)
    with pytest.raises(ValueError, match=r"output/kernel must be \(64, 48\), got \(64"):
        fill(build.detector(NetworkConfig(**layers, C=3)))
    parent = build.detector(config)
    parent.layers[-1].bias.assign(np.full(48, np.nan))
    with pytest.raises(ValueError, match="a number is not finite, in output"):
        fill(parent)
    short = keras.Model(parent.inputs, parent.layers[-2].output)
    with pytest.raises(ValueError, match="they have no layer where the network has D"):
        fill(short)
    for now, then in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.slow
def test_released_weights_start_a_detector(tmp_path, zoo_dir, monkeypatch, rng):
    monkeypatch.setitem(NETWORKS, "golden", GOLDEN["micro"])
    old = list(average_precision.CLASSES)
    config = NetworkConfig(network="golden", C=20)
    parent = lived_in(build.detector(config))
    name = "darknet-yolov1-tiny-voc"
    path = darknet_releases.zoo_path(name)
    path.parent.mkdir()
    darknet_weights.write(path, parent)
    count = (path.stat().st_size - 20) // 4
    release = darknet_releases.Release("", "golden", {count: 2})
    monkeypatch.setitem(darknet_releases.RELEASES, name, release)
    ours, config = started(name, ["cat", "fox"])
    assert_same_predictions(parent, old, ours, ["cat", "fox"], config, rng)


@pytest.mark.parametrize(
    ("weights", "error", "line"),
    [
        ("nothing", FileNotFoundError, "'nothing' is not a file, a folder or a run of"),
        ("FOLDER", FileNotFoundError, "checkpoint '.*' has no run.json"),
        ("yolov1-untrained", ValueError, "untrained network; pass network='yolov1' in"),
        ("OTHER", ValueError, "which has network micro; got network yolov1"),
        (7, TypeError, "weights must be a path or a name, got int"),
    ],
)
def test_no_start_is_one_line(
    painted, micro, checkpoint_dir, tmp_path, weights, error, line
):
    given = {"FOLDER": tmp_path, "OTHER": checkpoint_dir}.get(weights, weights)
    with pytest.raises(error, match=line):
        yolov1_fo.train(painted, weights=given, **micro)
    assert painted.list_runs() == []
    assert not folders.dataset_folder(painted).exists()


def test_finding_reads_no_weights(tmp_path, micro, monkeypatch):
    made(tmp_path, ["a", "b"], network="micro", image_size=32, S=2)
    found = starting_weights.source(None, tmp_path)
    assert len(found.digest) == 64
    monkeypatch.setattr(starting_weights, "digest", None)
    assert starting_weights.find(None, tmp_path) == found._replace(digest="")


def test_without_a_dataset_a_run_is_not_looked_up():
    with pytest.raises(FileNotFoundError, match=r"'one' is not .* or a published mode"):
        starting_weights.source(None, "one")


def test_hostile_metadata_is_one_line(tmp_path, micro):
    made(tmp_path, ["a"], network="micro", image_size=32, S=2)
    path = checkpoint.resolve(tmp_path) / "run.json"
    content = json.loads(path.read_text())
    for settings, line in (
        ({"network": "unheard-of"}, "has invalid settings: network"),
        ({"C": 3}, "must have 3 classes, got 1"),
        ({"B": "two"}, "has invalid settings: B must be a whole number"),
    ):
        changed = {**content, "settings": {**content["settings"], **settings}}
        path.write_text(json.dumps(changed))
        with pytest.raises(ValueError, match=line):
            starting_weights.source(None, tmp_path)


def test_weights_that_vanish_or_change_are_one_line(tmp_path, micro):
    settings = {"network": "micro", "image_size": 32, "S": 2}
    made(tmp_path / "a", ["a"], **settings)
    found = starting_weights.source(None, tmp_path / "a")
    config = TrainConfig(C=1, **settings)
    made(tmp_path / "b", ["a"], **settings, seed=2)
    other = checkpoint.resolve(tmp_path / "b") / "network.keras"
    shutil.copyfile(other, found.file)
    with pytest.raises(ValueError, match="changed while the training was prepared"):
        build_learner(config, 1, source=found, classes=["a"])
    shutil.rmtree(tmp_path / "a")
    with pytest.raises(FileNotFoundError, match=r"'.*' was deleted while it was rea"):
        build_learner(config, 1, source=found, classes=["a"])


@pytest.mark.slow
def test_a_run_starts_from_a_run(painted, micro, rng, zoo_dir, caplog):
    caplog.set_level(logging.INFO)
    settings = {**micro, "softmax": True}
    first = yolov1_fo.train(painted, run_key="first", epochs=1, **settings)
    parent = keras_file.load(Path(first.checkpoint_dir) / "network.keras")
    digest = starting_weights.digest(Path(first.checkpoint_dir) / "network.keras")
    yolov1_fo.publish("first", "squares", painted)
    only_red = painted.filter_labels("ground_truth", F("label") == "red")
    given = {key: micro[key] for key in ("batch_size", "progress")}
    for weights, view, classes in (
        ("first", painted, None),
        (Path(first.checkpoint_dir).parent, painted, ["red", "blue"]),
        (first.checkpoint_dir, painted, ["red", "green", "blue"]),
        ("squares", only_red, None),
    ):
        caplog.clear()
        run = yolov1_fo.train(
            view, weights=weights, classes=classes, epochs=1, **given, **STILL
        )
        record = painted.get_run_info(run.run_key).config
        metadata = json.loads((Path(run.checkpoint_dir) / "run.json").read_text())
        assert metadata["parent"] == record.parent
        assert {**record.parent, "checkpoint": ""} == {
            "weights": str(weights),
            "run_key": "first",
            "dataset": painted.name,
            "checkpoint": "",
            "digest": digest,
        }
        assert record.settings["softmax"]
        ours = keras_file.load(Path(run.checkpoint_dir) / "network.keras")
        config = TrainConfig.pick({**record.settings, "C": len(record.classes)})
        assert_same_predictions(
            *(parent, ["blue", "red"], ours, record.classes, config, rng)
        )
        new = [line for line in caplog.messages if "start anew: green" in line]
        dropped = [line for line in caplog.messages if "dropped: blue" in line]
        assert len(new) == ("green" in record.classes)
        assert len(dropped) == ("blue" not in record.classes)
    yolov1_fo.publish(run.run_key, "reds", painted)
    card = (local_zoo.folder_of("reds") / local_zoo.README).read_text()
    line = f"Started from 'squares', run 'first' of dataset '{painted.name}', sha256 "
    assert f"- {line}{digest[:12]}\n" in card


@pytest.mark.slow
def test_a_start_that_does_not_fit_writes_nothing(painted, micro):
    yolov1_fo.train(painted, run_key="first", epochs=1, **micro)
    for change, line in (
        ({"S": 4}, "weights 'first' must fit the training, which has S 4; got S 2"),
        ({"batch_norm": True}, "which has batch_norm True; got batch_norm False"),
        ({"network": "fast-yolov1"}, "which has network fast-yolov1; got network"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.train(painted, weights="first", **{**micro, **change})
    assert painted.list_runs() == ["first"]
    assert not folders.run_folder(painted, "micro_1").exists()


@pytest.mark.slow
def test_a_run_that_started_from_weights_is_resumed_as_any(painted, micro):
    """Before its first checkpoint it needs them, as they were; afterwards not."""
    first = yolov1_fo.train(painted, run_key="first", epochs=1, **micro)
    settings = {**micro, "epochs": 2, "optimizer": "adam", "weights": "first"}
    whole = yolov1_fo.train(painted, run_key="whole", **settings)

    def stop(*_):
        raise Killed

    for key, moment in (("begun", "on_step"), ("halved", "on_epoch")):
        with pytest.raises(Killed):
            yolov1_fo.train(painted, run_key=key, **settings, **{moment: stop})
        records.update(painted, key, status="running")

    def resumed(key):
        return yolov1_fo.train(painted, resume=key, progress=False)

    file = Path(first.checkpoint_dir) / "network.keras"
    kept = file.read_bytes()
    shutil.copyfile(Path(whole.checkpoint_dir) / "network.keras", file)
    line = r"run 'begun' starts from weights '.*', which have changed since; start a n"
    with pytest.raises(ValueError, match=line):
        resumed("begun")
    file.write_bytes(kept)
    assert_same_run(resumed("begun"), whole)

    records.update(painted, "begun", status="stopped")
    folder = folders.run_folder(painted, "begun")
    (folder / "last").unlink()
    shutil.rmtree(Path(first.checkpoint_dir).parent)
    with pytest.raises(FileNotFoundError, match=r"run 'begun' starts from .* not exis"):
        resumed("begun")
    again = resumed("halved")
    assert_same_run(again, whole)
    metadata = checkpoint.read_metadata(Path(again.checkpoint_dir))
    assert metadata["parent"]["run_key"] == "first"
    assert metadata["parent"] == records.info(painted, "halved").parent
