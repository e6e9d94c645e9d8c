"""Forms that can't go wrong: what they preselect, refuse, and say before they start."""

from dataclasses import asdict

import fiftyone as fo
import fiftyone.operators as foo
import psutil
import pytest

from plugin.forms import messages
from plugin.operators.apply_model import ApplyModel
from plugin.operators.train_model import TrainModel
from tests.plugin.conftest import SETTINGS, call, error
from tests.runs.made_runs import make_run
from yolov1_fo.config import NetworkConfig, TrainConfig
from yolov1_fo.datasets import predicted_by
from yolov1_fo.jobs import launch
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import repeating

GIVEN = {"gt_field": "ground_truth", "split": "none"}


def notice(asked, name):
    return asked[name]["view"]["label"].replace("\\", "")


def detector(dataset, **changes):
    """Makes a run that forms accept as a model; returns its folder."""
    config = NetworkConfig(network="yolov1-efficientnet-lite0", image_size=64, S=4)
    return make_run(dataset, "one", classes=["red"], settings=asdict(config), **changes)


@pytest.fixture
def runs(dataset):
    """Runs from the oldest to the newest."""
    make_run(dataset, "worse", best={"val_voc07": 0.3})
    make_run(dataset, "best", best={"val_voc07": 0.6})
    make_run(dataset, "stopped", status="stopped", best={"val_voc07": 0.9})
    make_run(dataset, "newest")
    return dataset


@pytest.mark.parametrize(
    ("name", "asks"), [("apply_model", "model"), ("publish_model", "run_key")]
)
def test_the_best_finished_run_is_preselected_and_stays(runs, form, name, asks):
    assert form(name, runs)[asks]["default"] == "best"
    chosen = {asks: "best"}  # what the App sends once the form is open
    make_run(runs, "better", best={"val_voc07": 0.7})
    assert form(name, runs)[asks]["default"] == "better"
    assert form(name, runs, **chosen)[asks]["default"] == "best"


def test_a_choice_of_fields_stays_when_another_field_is_added(dataset, form):
    assert form("train_model", dataset)["gt_field"]["default"] == "ground_truth"
    dataset.rename_sample_field("ground_truth", "truth")
    chosen = {"gt_field": "truth"}
    dataset.clone_sample_field("truth", "added")
    assert form("train_model", dataset, **chosen)["gt_field"]["default"] == "truth"


@pytest.mark.parametrize(
    ("params", "line"),
    [
        ({"model": None}, "Model is empty; choose one"),
        ({"label_field": ""}, "Predictions field is empty; enter a name"),
        ({"batch_size": None}, "Batch size is empty; enter a number"),
        ({"batch_size": 10**6}, "Batch size must be at most 4096, got 1000000"),
        ({"iou_thresh": None}, "NMS IoU threshold is empty; enter a number"),
        ({"confidence_thresh": None}, "Minimum confidence is empty; enter a number"),
        ({"confidence_thresh": 2}, "Minimum confidence must be in [0, 1], got 2"),
        ({"label_field": "a b"}, "Predictions field must be ASCII letters, digits and"),
        (
            {"label_field": "ground_truth"},
            "Predictions field 'ground_truth' on dataset",
        ),
    ],
)
def test_apply_says_what_is_wrong_below_its_input(dataset, form, params, line):
    detector(dataset)
    asked = form("apply_model", dataset, **{"model": "one", **params})
    assert error(asked).startswith(line)
    names, [name] = list(asked), params
    assert names[names.index("error") - 1] == name
    assert "what" not in asked


def test_apply_refuses_labels_of_others(dataset, form):
    detector(dataset)
    params = {"model": "one", "label_field": "found"}
    asked = form("apply_model", dataset, **params)
    assert notice(asked, "what") == 'Will add "found" to 8 images'
    dataset.clone_sample_field("ground_truth", "found")
    for skips in (False, True):
        line = error(form("apply_model", dataset, skip_existing=skips, **params))
        assert "holds labels that were not written by Apply YOLOv1" in line
    with pytest.raises(Exception, match="holds labels that were not written by Apply"):
        call("apply_model", dataset, **params)


def test_apply_refuses_the_truth_of_the_run_even_if_it_is_empty(dataset, form):
    metadata = next(detector(dataset).glob("epoch_*/run.json"))
    metadata.write_text(
        metadata.read_text().replace("{", '{"gt_field": "ground_truth",', 1)
    )
    dataset.clear_sample_field("ground_truth")
    asked = form("apply_model", dataset, model="one", label_field="ground_truth")
    assert "is the ground truth that the model was trained on" in error(asked)


def test_train_refuses_splits_with_common_samples(dataset, form):
    for sample in dataset.match_tags("val"):
        sample.tags.append("train")
        sample.save()
    params = {"gt_field": "ground_truth", "split": "tags"}
    tags = {"train_tag": "train", "val_tag": "val"}
    line = "2 samples are in both the training and the validation split"
    assert error(form("train_model", dataset, **params, **tags)).startswith(line)
    with pytest.raises(Exception, match=line):
        call("train_model", dataset, **params, **tags, **SETTINGS)


def test_the_name_of_another_run_is_refused(runs, form):
    line = f"Run name 'best' exists on dataset '{runs.name}'; choose another"
    assert error(form("train_model", runs, **GIVEN, run_key="best")) == line


@pytest.mark.parametrize("name", ["val_percent", "split_seed"])
def test_emptied_numbers_of_a_split_are_refused(dataset, form, name):
    asked = form("train_model", dataset, split="percent", **{name: None})
    assert error(asked).endswith(" is empty; enter a number")


def test_hidden_settings_that_were_edited_are_named(dataset, form):
    edited = {"S": 10, "optimizer": "sgd"}
    asked = form("train_model", dataset, **edited)
    line = "Edited advanced settings: Grid size (S x S) 10, Optimizer sgd"
    assert notice(asked, "edited") == line
    assert "edited" not in form("train_model", dataset, advanced=True, **edited)
    assert "edited" not in form("train_model", dataset)


def test_a_training_that_does_not_fit_into_memory_is_refused(
    dataset, form, monkeypatch
):
    asked = form("train_model", dataset, image_size=16384)
    assert error(asked).startswith("The training needs about ")
    assert error(asked).endswith("choose a smaller image size or batch size")
    memory = psutil.virtual_memory()._replace(total=2**60, available=2**60)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert error(form("train_model", dataset, image_size=16384)) is None


def test_same_settings_as_a_run(dataset, form, monkeypatch):
    assert "settings_of" not in form("train_model", dataset)
    recipe = asdict(TrainConfig.for_network())
    own = {"image_size": 96, "S": 3, "epochs": 7, "batch_size": 2, "flip": 0.0}
    own |= {"precision": "mixed_bfloat16", "val_fraction": 0.3, "C": 2}
    make_run(dataset, "first")
    record = dataset.get_run_info("first").config
    record.settings = {**recipe, **own}
    dataset.update_run_config("first", record)
    network = {"network": "yolov1-efficientnet-lite0", "recipe": "transfer"}
    kept = {k: own[k] for k in ("image_size", "S", "epochs", "batch_size", "flip")}
    kept["ema_momentum"] = recipe["ema_momentum"]  # chosen, as it happens, as usual
    assert repeating.settings_of(dataset, "first") == {**network, **kept}

    params = {**GIVEN, "settings_of": "first", "epochs": 9}
    asked = form("train_model", dataset, advanced=True, **params)
    assert error(asked) is None
    line = notice(asked, "same_settings")
    assert "Image size 96" in line
    assert "Horizontal flip none" in line
    assert line.endswith("; edited: Epochs")
    assert asked["S"]["view"]["description"].endswith(". Empty: 3")
    assert asked["network"]["default"] == network["network"]
    assert ", 9 epochs; " in notice(asked, "what")
    started = []
    monkeypatch.setattr(
        launch, "train", lambda *args, **_: started.append(args) or 1 / 0
    )
    with pytest.raises(Exception, match="division"):
        call("train_model", dataset, **params)
    given = {**network, **kept, "epochs": 9, "val_fraction": 0.0}
    assert started[0][4] == given
    line = error(form("train_model", dataset, settings_of="gone"))
    assert "gone" in line


def test_a_run_with_a_time_limit_is_repeated_with_it(dataset):
    make_run(dataset, "limited", max_epochs=100_000)
    record = dataset.get_run_info("limited").config
    record.settings = {**record.settings, "max_minutes": 5.0, "epochs": 33}
    dataset.update_run_config("limited", record)
    found = repeating.settings_of(dataset, "limited")
    assert found["max_minutes"] == 5.0
    assert "epochs" not in found


def test_delete_says_what_is_lost_and_asks(dataset, form, zoo_dir):
    folder = detector(dataset)
    local_zoo.publish("one", "copied", dataset)
    metadata = zoo_dir / "yolov1-published" / "copied" / "run.json"
    metadata.write_text(
        metadata.read_text().replace("{", f'{{"dataset": "{dataset.name}",', 1)
    )
    dataset.add_sample_field(
        "found", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
    )
    about = {"model": "one", "run_folder": str(folder)}
    predicted_by.record(dataset, "found", about, replaces=True)
    asked = form("delete_run", dataset)
    assert asked["run_key"]["default"] == ""
    assert asked["choose"]["invalid"]
    asked = form("delete_run", dataset, run_key="one")
    assert str(folder) in notice(asked, "lost")
    assert "Bytes" in notice(asked, "lost") or "kB" in notice(asked, "lost")
    assert notice(asked, "kept") == (
        "Kept: the published model 'copied', a copy; its predictions in 'found'"
    )
    assert asked["unconfirmed"]["invalid"]
    with pytest.raises(Exception, match="Check the box"):
        call("delete_run", dataset, run_key="one")
    assert folder.exists()
    asked = form("delete_run", dataset, run_key="one", confirm=True)
    assert "unconfirmed" not in asked
    call("delete_run", dataset, run_key="one", confirm=True)
    assert not folder.exists()
    local_zoo.unpublish("copied")


def test_delete_stands_last_among_the_operators():
    """The App sorts them by the first character of their descriptions."""
    listed = [
        one
        for one in foo.list_operators(builtin=False)
        if one.plugin_name == "@yolov1-fo/yolov1" and not one.config.unlisted
    ]
    assert all(one.config.icon for one in listed)
    last = max(listed, key=lambda one: ord((one.config.description or " ")[0]))
    assert last.config.name == "delete_run"


def test_train_and_apply_have_buttons_above_the_samples():
    for operator in (TrainModel(), ApplyModel()):
        placed = operator.resolve_placement(None).to_json()
        assert placed["place"] == "samples-grid-secondary-actions"
        assert placed["view"]["label"] == operator.config.label


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("epochs must be at least 1", "Epochs must be at least 1"),
        ("run 'epochs' has epochs", "run 'epochs' has epochs"),
        ("its batch_size, 'batch_size'", "its images per batch, 'batch_size'"),
        ("Darknet's batch_size isn't S", "Darknet's images per batch isn't grid"),
        ("call train(batch_size=3)", "call train(batch_size=3)"),
        ("'x' epochs", "'x' epochs"),
        ("", ""),
    ],
)
def test_messages_have_labels_in_place_of_arguments(message, shown):
    labels = {"epochs": "Epochs", "batch_size": "Images per batch", "S": "Grid"}
    assert messages.for_app(message, labels) == shown
