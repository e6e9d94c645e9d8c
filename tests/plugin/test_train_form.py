"""The form of Train YOLOv1: empty inputs, what it starts from, summary, errors."""

import inspect
import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest

import yolov1_fo
from plugin import dataset_values
from plugin.forms import setting_inputs, splits, start_from
from tests.plugin.conftest import SETTINGS, call, error
from tests.runs.made_runs import make_run
from yolov1_fo import pretrained
from yolov1_fo.config import NetworkConfig, recipes
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.jobs import job, spawn, worker
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import automatic, checkpoint, estimate, folders, gpus
from yolov1_fo.training import detector, starting_weights
from yolov1_fo.training import plan as planning
from yolov1_fo.training.tasks import DETECT

LITE = "yolov1-efficientnet-lite0"
# One step per epoch is so few that there are as many epochs as possible.
EPOCHS, FINE_TUNE_EPOCHS = (
    automatic.MAX_EPOCHS_FACTOR * recipes.RECIPES[name]["epochs"].value
    for name in ("transfer", "fine-tune")
)
GIVEN = {"gt_field": "ground_truth", "split": "none"}


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(gpus, "names", list)


@pytest.fixture
def started(monkeypatch):
    """The jobs that would have been started."""
    made = []

    def start(dataset, task, target, arguments, **_):
        folder = folders.run_folder(dataset, target) / folders.JOB
        made.append(json.loads(json.dumps(arguments)))
        return job.Job(folder, task, dataset.name, target, job.JobProgress(), 1)

    monkeypatch.setattr(spawn, "start", start)
    monkeypatch.setattr(spawn, "wait_until_connected", lambda one: one)
    return made


def parent(dataset, key="parent", classes=("blue", "red"), **settings):
    """Makes a run that a training can start from, but for its weights."""
    config = NetworkConfig(
        C=len(classes), network=LITE, batch_norm=True, image_size=64, S=4, **settings
    )
    return make_run(
        dataset,
        key,
        classes=classes,
        settings=asdict(config),
        best={"val_voc07": 0.4711},
    )


def shown(asked, name):
    """Returns what the description of an input says about an empty one."""
    return asked[name]["view"]["description"].rpartition(". Empty: ")[2]


def summary(asked):
    assert error(asked) is None
    return asked["what"]["view"]["label"]


def test_descriptions_show_what_empty_inputs_stand_for(dataset, form):
    asked = form("train_model", dataset, advanced=True)
    expected = {
        "max_minutes": "none",
        "epochs": f"automatic ({EPOCHS})",
        "image_size": "320",
        "batch_size": "automatic (4)",
        "recipe": "transfer",
        "dropout": "none",
        "optimizer": "adam",
        "batch_norm": "yes",
        "sample_weights": "none",
        "seed": "0",
    }
    assert {name: shown(asked, name) for name in expected} == expected
    assert shown(asked, "S").startswith("automatic (the coarsest grid that loses few")
    assert asked["precision"]["view"]["placeholder"] == "Default: automatic"
    assert asked["batch_norm"]["view"]["placeholder"] == "Default: yes"
    for name in expected:
        assert asked[name]["default"] in (None, "")

    # They follow the network, the recipe and the time limit, not the input itself.
    asked = form("train_model", dataset, advanced=True, network="yolov1", batch_size=2)
    assert (shown(asked, "recipe"), shown(asked, "S")) == ("scratch", "7")
    assert (shown(asked, "dropout"), shown(asked, "batch_size")) == ("0.5", "automatic")
    paper = {"network": LITE, "recipe": "paper", "image_size": 64}
    asked = form("train_model", dataset, advanced=True, **paper)
    assert (shown(asked, "recipe"), shown(asked, "optimizer")) == ("transfer", "sgd")
    assert shown(asked, "image_size") == "448"
    asked = form("train_model", dataset, max_minutes=5)
    assert shown(asked, "epochs") == "as many as fit into the time limit"
    assert shown(asked, "image_size").startswith("automatic (384 or 448 for small")


@pytest.mark.parametrize("advanced", [False, True])
def test_the_form_as_it_opens_is_the_call_with_two_views(
    dataset, form, started, monkeypatch, advanced
):
    """Of `train(train, val_samples=val)`, but for the name of the run."""
    inputs = form("train_model", dataset, advanced=advanced)
    params = {
        name: one["default"]
        for name, one in inputs.items()
        if one.get("default") is not None and name != "view_target"
    }
    assert params["split"] == "tags"
    call("train_model", dataset, **{**params, "advanced": advanced})
    [arguments] = started
    assert arguments["settings"] == {"network": LITE}
    assert (arguments["weights"], arguments["device"]) == (None, None)

    # What the job calls, compared with the line of Python.
    called = {}

    def train(*args, **kwargs):
        called.update(args=args, kwargs=kwargs)
        return SimpleNamespace(checkpoint_dir="there", summary_line="trained")

    folder = folders.run_folder(dataset, "yolov1_1") / folders.JOB
    one = job.Job(folder, "train", dataset.name, "yolov1_1", job.JobProgress(), 1)
    with monkeypatch.context() as patch:
        patch.setattr(yolov1_fo, "train", train)
        worker._train(one, arguments, lambda *_, **__: None)
    bound = inspect.signature(detector.train).bind(*called["args"], **called["kwargs"])
    given = {k: v for k, v in bound.arguments.items() if v is not None}
    train, val = given.pop("samples"), given.pop("val_samples")
    assert train.values("id") == dataset.match_tags("train").values("id")
    assert val.values("id") == dataset.match_tags("val").values("id")
    for name in ("run_key", "runs_dir", "on_step", "progress"):
        given.pop(name)
    assert given == {"gt_field": "ground_truth", "network": LITE}

    # The settings that both would train with.
    def plan(network, key):
        return planning.make(
            *(DETECT, train, "ground_truth", val, network),
            resume=None,
            run_key=key,
            classes=None,
            runs_dir=None,
            settings={},
        )

    assert plan(LITE, "yolov1_1").config == plan(None, None).config


def test_only_edited_inputs_are_passed_on(dataset, started):
    edited = {"epochs": 3, "batch_norm": "no", "dropout": None, "recipe": ""}
    call("train_model", dataset, **GIVEN, max_minutes=2.5, **edited)
    [arguments] = started
    assert arguments["settings"] == {
        "max_minutes": 2.5,
        "epochs": 3,
        "batch_norm": False,
        "val_fraction": 0.0,
    }


def test_the_summary_shows_what_was_chosen(dataset, form):
    text = summary(form("train_model", dataset, batch_size=2))
    assert text.startswith(
        "6 training images, 2 validation images, 2 classes; 2 images per batch, 3 "
        f"batches per epoch, {EPOCHS} epochs; about "
    )
    assert "on this CPU (estimated); " in text
    assert text.endswith("GB of memory")
    text = summary(form("train_model", dataset, **GIVEN, epochs=1))
    assert text.startswith(
        "8 training images, no validation images, 2 classes; 4 images per batch, 2 "
        "batches per epoch, 1 epoch; about "
    )


def test_the_summary_with_a_time_limit(dataset, form):
    text = summary(form("train_model", dataset, max_minutes=20))
    assert ", as many epochs as fit; ends after about 20 minutes; " in text
    # One epoch takes less than an hour; a million take more.
    text = summary(form("train_model", dataset, max_minutes=60, epochs=1))
    assert ", at most 1 epoch; about " in text
    text = summary(form("train_model", dataset, max_minutes=60, epochs=10**5))
    assert ", at most 100,000 epochs; ends after about 1 hour; " in text


@pytest.mark.parametrize("size", [64, 96, 448, 640])
def test_an_image_size_alone_is_enough(dataset, form, size):
    assert summary(form("train_model", dataset, image_size=size))


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"epochs": 0}, "Epochs must be at least 1, got 0"),
        ({"epochs": 10**6}, "Epochs must be at most 100000, got 1000000"),
        ({"epochs": 2.5}, "Epochs must be a whole number, got 2.5"),
        ({"image_size": 100}, "Image size must be a multiple of 32 pixels, got 100"),
        ({"image_size": -32}, "Image size must be at least 32, got -32"),
        ({"image_size": 10**6}, "Image size must be at most 16384, got 1000000"),
        ({"image_size": [64]}, "Image size must be a whole number, got [64]"),
        ({"batch_size": 64}, "Batch size 64 must be at most the number of"),
        (
            {"split": "tags", "train_tag": "trian"},
            "Training tag 'trian' has no samples",
        ),
        ({"split": "halves"}, "Split must be one of tags, views, auto, percent, none"),
        ({"run_key": "../escape"}, "Run name must be letters, digits and underscores"),
        ({"run_key": "a\nb"}, "Run name must be letters, digits and underscores"),
        ({"network": "yolov8"}, "Network must be one of yolov1"),
        ({"network": ["yolov1"]}, "Network must be one of yolov1"),
        ({"recipe": "papre"}, "Recipe must be one of paper, "),
        ({"max_minutes": -5}, "Time limit (minutes) must be in [0, 525"),
        ({"max_minutes": "soon"}, "Time limit (minutes) must be a number, got 'soon'"),
        ({"max_minutes": 1e301}, "Time limit (minutes) must be in [0, 525"),
        ({"max_minutes": float("nan")}, "Time limit (minutes) must be in [0, 525"),
        (
            {"network": "darknet-yolov1", "max_minutes": 5},
            "Time limit (minutes) needs a schedule among paper, ",
        ),
        ({"device": "7"}, "Device must be one of auto, cpu, got '7'"),
        ({"sample_weights": "rank"}, "Sample weights 'rank' on dataset "),
    ],
)
def test_the_first_error_is_one_red_line(dataset, form, params, line):
    asked = form("train_model", dataset, **{**GIVEN, **SETTINGS, "S": 1, **params})
    assert error(asked).startswith(line), error(asked)
    assert "\n" not in error(asked)
    assert not {"what", "memory", "jobs", "class_changes"} & set(asked)
    names, name = list(asked), list(params)[-1]
    if name in names:  # it stands below its input
        assert names[names.index("error") - 1] == name
    elif name in setting_inputs.ADVANCED:  # its input is hidden
        assert error(asked).endswith(" (among the advanced settings)")
        assert names[:2] == ["view_target", "error"]


@pytest.mark.parametrize("params", [{"max_minutes": None}, {"max_minutes": ""}])
def test_an_emptied_time_limit_is_none(dataset, form, params):
    assert "epochs; about " in summary(form("train_model", dataset, **params))


def test_a_time_limit_of_years_is_no_overflow(dataset, form, monkeypatch):
    monkeypatch.setattr(estimate, "processor_speed", lambda: 1e9)  # FLOP per second
    text = summary(form("train_model", dataset, max_minutes=525_600))
    assert "ends after about 1 year; " in text
    asked = form("train_model", dataset, epochs=10**5, image_size=1024)
    assert summary(asked)
    assert "more than a week" in asked["time"]["view"]["label"]


def test_devices_can_be_chosen_where_there_is_a_gpu(
    dataset, form, started, monkeypatch
):
    assert "device" not in form("train_model", dataset)
    monkeypatch.setattr(gpus, "names", lambda: ["NVIDIA H100", ""])
    asked = form("train_model", dataset)
    assert asked["device"]["default"] == "auto"
    labels = [one["label"] for one in asked["device"]["view"]["choices"]]
    assert labels == ["Automatic", "GPU 0 NVIDIA H100", "GPU 1", "CPU"]
    assert "; no estimate before a first run on this GPU; " in summary(asked)
    # Batch size and time are those of the chosen device.
    assert shown(asked, "batch_size") == "automatic (6)"
    asked = form("train_model", dataset, device="cpu")
    assert shown(asked, "batch_size") == "automatic (4)"
    assert " on this CPU (estimated); " in summary(asked)
    line = error(form("train_model", dataset, device="2"))
    assert line == "Device must be one of auto, 0, 1, cpu, got '2'"
    for chosen, passed in (("1", "1"), ("cpu", "cpu"), ("auto", None)):
        call("train_model", dataset, **GIVEN, device=chosen)
        assert started.pop()["device"] == passed


def test_start_from_offers_runs_and_published_models(dataset, form, zoo_dir):
    choices = form("train_model", dataset)["weights"]["view"]["choices"]
    values = [one["value"] for one in choices]
    assert values == [start_from.NEW, *pretrained.names()]
    parent(dataset, "first")
    make_run(dataset, "running", status="running")
    make_run(dataset, "stopped", status="stopped", best=["damaged"])
    parent(dataset, "second")
    local_zoo.publish("second", "shared", dataset)
    metadata = zoo_dir / "yolov1-published" / "shared" / checkpoint.METADATA
    content = {**json.loads(metadata.read_text()), "metrics": {"val_voc07": 0.8}}
    metadata.write_text(json.dumps(content))
    (zoo_dir / "yolov1-published" / "damaged").mkdir()
    asked = form("train_model", dataset)["weights"]
    assert asked["default"] == start_from.NEW
    labels = [one["label"] for one in asked["view"]["choices"]]
    included = [one for one in labels if one.startswith("Included: ")]
    assert len(included) == len(pretrained.names())
    assert labels[: -len(included)] == [
        "Default weights",
        "Run second (VOC07 mAP@0.5 0.471)",
        "Run stopped (stopped)",
        "Run running (failed)",  # its process is not there
        "Run first (VOC07 mAP@0.5 0.471)",
        "Zoo: damaged",
        "Zoo: shared (VOC07 mAP@0.5 0.800)",
    ]


def test_start_from_brings_network_and_recipe(dataset, form, started):
    parent(dataset, head_filters=8)
    asked = form(
        "train_model", dataset, weights="parent", advanced=True, network="yolov1"
    )
    assert "network" not in asked
    assert "class_changes" not in asked
    expected = {
        "recipe": "fine-tune",
        "image_size": "64",
        "S": "4",
        "head_filters": "8",
        "learning_rate": "0.001",
        "epochs": f"automatic ({FINE_TUNE_EPOCHS})",
    }
    assert {name: shown(asked, name) for name in expected} == expected
    assert f", {FINE_TUNE_EPOCHS} epochs; about " in summary(asked)
    asked = form("train_model", dataset, weights="parent", advanced=True, image_size=96)
    assert shown(asked, "S") == "6"
    call("train_model", dataset, weights="parent", network="yolov1", **GIVEN, epochs=2)
    [arguments] = started
    assert arguments["weights"] == "parent"
    assert arguments["settings"] == {"epochs": 2, "val_fraction": 0.0}


def test_start_from_other_networks(dataset, form, checkpoint_dir, zoo_dir):
    local_zoo.publish(checkpoint_dir, "old")
    asked = form("train_model", dataset, weights="old", advanced=True)
    assert (shown(asked, "recipe"), shown(asked, "S")) == ("fine-tune", "3")
    assert shown(asked, "image_size") == "32"
    assert summary(asked)


def test_start_from_tells_new_and_dropped_classes(dataset, form):
    parent(dataset, classes=("green", "red", "yellow"))
    asked = form("train_model", dataset, weights="parent")
    assert asked["class_changes"]["view"]["label"] == (
        "Classes compared with 'parent': new: blue; dropped: green, yellow"
    )
    parent(dataset, "many", classes=[f"class {n}" for n in range(12)])
    label = form("train_model", dataset, weights="many")["class_changes"]["view"][
        "label"
    ]
    assert label.endswith("class 9 and 2 more")
    assert "new: blue, red; " in label


@pytest.mark.parametrize(
    ("weights", "params", "line"),
    [
        ("gone", {}, "Start from 'gone' is not a file, a folder or a run of dataset '"),
        (
            "darknet-yolov1-voc",
            {},
            "Start from 'darknet-yolov1-voc' is not a run that ",
        ),
        ("/tmp", {}, "Start from '/tmp' is not a run that has ended with a checkpoint"),
        ("a\0b", {}, "Start from must be a path or a name, got 'a\\x00b'"),
        (["one"], {}, "Start from must be a path or a name, got list"),
        (
            "parent",
            {"head_filters": 16},
            "Start from 'parent' must fit the training, which has head filters 16; got "
            "head filters 256",
        ),
        (
            "parent",
            {"S": 2},
            "Start from 'parent' must fit the training, which has image size 64, grid "
            "size (S x S) 2; got image size 64, grid size (S x S) 4",
        ),
        ("parent", {"image_size": 0}, "Image size must be at least 32, got 0"),
        ("parent", {"epochs": 0}, "Epochs must be at least 1, got 0"),
    ],
)
def test_what_does_not_fit_is_one_red_line(dataset, form, weights, params, line):
    parent(dataset)
    asked = form("train_model", dataset, **GIVEN, weights=weights, **params)
    assert error(asked).startswith(line), error(asked)
    assert "what" not in asked
    assert "network" not in asked


def test_weights_that_vanished_are_refused(dataset, form, started):
    import shutil

    folder = parent(dataset)
    shutil.rmtree(folder)
    line = f"Folder '{folder}' of run 'parent' does not exist"
    assert error(form("train_model", dataset, weights="parent")) == line
    with pytest.raises(Exception, match="of run 'parent' does not exist"):
        call("train_model", dataset, **GIVEN, weights="parent")
    dataset.delete_run("parent")
    with pytest.raises(Exception, match=r"Path: weights\. Reason: Invalid enum value"):
        call("train_model", dataset, **GIVEN, weights="parent")
    assert started == []


def test_a_key_press_reads_no_weights(dataset, form, zoo_dir, started, monkeypatch):
    """A file of a gigabyte takes seconds to hash."""
    parent(dataset)
    local_zoo.publish("parent", "shared", dataset)
    reads = []
    read = checkpoint.read_metadata
    monkeypatch.setattr(
        checkpoint, "read_metadata", lambda *args: reads.append(args) or read(*args)
    )

    def fail(path):
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(starting_weights, "digest", fail)
    dataset_values._cache.clear()
    for _ in range(3):
        assert summary(form("train_model", dataset))
    assert len(reads) == len(set(reads))  # each published model once
    assert "shared" in {folder.name for (folder,) in reads}
    assert summary(form("train_model", dataset, weights="shared"))
    call("train_model", dataset, **GIVEN, weights="shared")
    assert started[0]["weights"] == "shared"


def test_sample_weights_are_chosen_among_the_fields_of_numbers(dataset, form):
    dataset.set_values("rank", [1.0] * len(dataset))
    asked = form("train_model", dataset, advanced=True, sample_weights="rank")
    values = [one["value"] for one in asked["sample_weights"]["view"]["choices"]]
    assert values == ["", "balanced", "rank"]
    assert summary(asked)


def test_samples_without_labels_are_left_out(dataset, form, started):
    assert "unlabeled" not in form("train_model", dataset)
    for sample in dataset.limit(2):
        sample.ground_truth = None
        sample.save()
    asked = form("train_model", dataset)
    assert summary(asked).startswith("4 training images")
    assert (
        asked["leave_out_unlabeled"]["view"]["label"]
        == "Leave out 2 samples without labels"
    )
    assert "unlabeled" not in asked
    asked = form("train_model", dataset, leave_out_unlabeled=False)
    assert summary(asked).startswith("6 training images")
    assert asked["unlabeled"]["view"]["label"] == (
        "2 samples without labels are trained on as images without objects"
    )
    call("train_model", dataset, **GIVEN)
    train = fo_samples.view_from_stages(dataset, started[0]["view"])
    assert len(train) == 6


def test_all_other_samples_need_a_validation_tag(dataset):
    with pytest.raises(Exception, match="val_tag is empty; choose one"):
        splits.split(dataset, {"split": "tags", "train_tag": splits.OTHERS})
    train, val = splits.split(
        dataset, {"split": "tags", "train_tag": splits.OTHERS, "val_tag": "val"}
    )
    assert (len(train), len(val)) == (6, 2)


@pytest.mark.parametrize(
    ("tags", "split", "train_tag", "val_tag"),
    [
        (("blurry", "dark"), "auto", None, None),
        (("train", "validation"), "tags", "train", "validation"),
        (("valid",), "tags", "*", "valid"),
    ],
)
def test_the_split_follows_the_usual_tags(
    form, dataset, tags, split, train_tag, val_tag
):
    dataset.untag_samples(["train", "val"])
    for number, sample in enumerate(dataset):
        tag = tags[number >= 6] if len(tags) > 1 else tags[0]
        if len(tags) > 1 or number >= 6:
            sample.tags = [tag]
            sample.save()
    asked = form("train_model", dataset, batch_size=2)
    assert summary(asked)
    found = [asked.get(name, {}).get("default") for name in ("train_tag", "val_tag")]
    assert (asked["split"]["default"], *found) == (split, train_tag, val_tag)
    if split == "tags":
        assert summary(asked).startswith("6 training images, 2 validation images")
