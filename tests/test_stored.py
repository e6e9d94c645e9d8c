"""The database and folders of an earlier version still work."""

import contextlib
import json

import fiftyone as fo
import fiftyone.zoo as foz
import keras
import numpy as np
import pytest

import yolov1_fo
from tests import stored
from tests.same import assert_same
from tests.stored.make import SETTINGS
from yolov1_fo import architectures
from yolov1_fo.jobs import monitor
from yolov1_fo.publishing import local_zoo
from yolov1_fo.runs import checkpoint, deletion, folders, registry

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path, zoo_dir, monkeypatch):
    """The unpacked folders; the documents are in FiftyOne's database."""
    for name, network in stored.NETWORKS.items():
        monkeypatch.setitem(architectures.NETWORKS, name, network)
    monkeypatch.setattr(fo.config, "default_dataset_dir", str(tmp_path / "datasets"))
    stored.put(tmp_path)
    yield tmp_path
    with contextlib.suppress(ValueError):
        fo.delete_dataset(stored.DATASET)


@pytest.fixture
def dataset(home):
    return fo.load_dataset(stored.DATASET)


def test_runs_are_listed_loaded_and_deleted(dataset):
    assert {key: registry.status(dataset, key) for key in registry.keys(dataset)} == {
        "classifier": "finished",
        "finished": "finished",
        "stopped": "stopped",
    }
    model = yolov1_fo.load_model("finished", dataset)
    assert model.classes == ["blue", "red"]
    folder = folders.run_folder(dataset, "finished")
    assert folder.exists()
    assert str(folder) in deletion.delete_run(dataset, "finished")
    assert not folder.exists()


def test_a_stopped_run_is_resumed(dataset, caplog):
    train, val = dataset.match_tags("train"), dataset.match_tags("val")
    before = dataset.load_run_results("stopped").history
    run = yolov1_fo.train(train, val_samples=val, resume="stopped", progress=False)
    assert registry.status(dataset, "stopped") == "finished"
    assert len(run.history["loss"]) == 4
    assert {name: run.history[name][:2] for name in before} == before
    assert run.history["val_f1"][:2] == [None, None]  # it was not measured then
    assert "labels changed" not in caplog.text


def test_a_training_starts_from_a_classifier(dataset):
    run = yolov1_fo.train(
        dataset.match_tags("train"),
        weights="classifier",
        epochs=1,
        **SETTINGS,
    )
    assert len(run.history["loss"]) == 1


@pytest.mark.parametrize("key", ["ours", "voc", "by_job"])
def test_evaluations_are_loaded_renamed_and_deleted(dataset, key):
    results = dataset.load_evaluation_results(key)
    assert results.mAP() > 0.5
    fields = set(dataset.get_field_schema(flat=True))
    error = f"predictions.detections.{key}_error"
    assert error in fields
    dataset.rename_evaluation(key, "renamed")
    assert dataset.load_evaluation_results("renamed").mAP() == results.mAP()
    fields = set(dataset.get_field_schema(flat=True))
    assert error not in fields
    assert "predictions.detections.renamed_error" in fields
    dataset.delete_evaluation("renamed")
    assert not {
        name for name in dataset.get_field_schema(flat=True) if "renamed" in name
    }


def test_an_evaluation_is_repeated_under_its_name(dataset):
    val = dataset.match_tags("val")
    before = dataset.load_evaluation_results("ours").mAP()
    report = yolov1_fo.evaluate(val, "predictions", eval_key="ours")
    assert report.coco_map == pytest.approx(before, abs=1e-9)


def test_jobs_are_found(dataset):
    [job] = monitor.list_jobs(dataset)
    assert (job.task, job.target) == ("evaluate", "by_job")
    assert job.progress.state == "finished"


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(foz.load_zoo_model, id="zoo"),
        pytest.param(yolov1_fo.load_model, id="ours"),
    ],
)
def test_a_published_model_has_the_same_detections(dataset, load):
    assert local_zoo.names() == ["stored-model"]
    assert local_zoo.damaged() == {}
    model = load("stored-model")
    dataset.apply_model(model, label_field="again")
    assert dataset.count("found.detections") > 8
    for sample in dataset:
        assert_same(sample.again, sample.found)
    local_zoo.unpublish("stored-model")


def test_layers_are_found_by_their_registered_names(home):
    net = keras.saving.load_model(home / "layers.keras", compile=False)
    stored_values = np.load(home / "layers.npz")
    output = net(stored_values["pixels"])
    np.testing.assert_allclose(output, stored_values["output"], atol=1e-5)


def test_a_checkpoint_is_read_as_it_was_written(dataset):
    folder = checkpoint.resolve(registry.existing_folder(dataset, "finished"))
    metadata = checkpoint.read_metadata(folder)
    assert json.loads((folder / "run.json").read_text())["format"] == 1
    assert metadata["settings"]["image_size"] == SETTINGS["image_size"]
    assert "side" not in metadata["settings"]
    assert metadata["classes"] == ["blue", "red"]
