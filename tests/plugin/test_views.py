"""Forms and operators on each kind of collection."""

import time

import fiftyone as fo
import pytest
from bson import ObjectId

from plugin import dataset_values
from tests.plugin.conftest import SETTINGS, call, ended, error
from yolov1_fo.datasets import output_fields, predicted_by
from yolov1_fo.jobs import monitor
from yolov1_fo.runs import folders

FORMS = ("train_model", "apply_model", "evaluate_model", "inspect_dataset")


@pytest.fixture
def other():
    """Returns a function that creates persistent datasets, and deletes them."""
    made = []

    def make(samples=(), **settings):
        dataset = fo.Dataset(persistent=True)
        made.append(dataset)
        for name, value in settings.items():
            getattr(dataset, name)(value, default="left")
        dataset.add_samples(list(samples), progress=False)
        return dataset

    yield make
    for dataset in made:
        dataset.delete()


@pytest.mark.parametrize("name", FORMS)
def test_an_empty_dataset_has_no_samples(other, form, name):
    dataset = other()
    assert error(form(name, dataset)) == f"Dataset '{dataset.name}' has no samples"


@pytest.mark.parametrize("name", FORMS)
def test_an_empty_view_has_no_samples(dataset, form, name):
    line = error(form(name, dataset, view=dataset.limit(0)))
    assert line == f"A view on dataset '{dataset.name}' has no samples"


@pytest.mark.parametrize("name", FORMS)
def test_patches_are_refused(dataset, form, name):
    line = error(form(name, dataset, view=dataset.to_patches("ground_truth")))
    assert line.endswith("shows patches; pass the samples that they come from")


@pytest.mark.parametrize("name", ["train_model", "evaluate_model", "inspect_dataset"])
def test_videos_are_refused(other, form, name):
    dataset = other([fo.Sample(filepath="/nowhere/a.mp4")])
    line = error(form(name, dataset))
    assert line == (
        f"Dataset '{dataset.name}' holds videos; turn them into images: "
        "samples.to_frames(sample_frames=True)"
    )


def test_missing_fields_are_reported(painted_files, other, form):
    dataset = other([fo.Sample(filepath=str(painted_files[0]["path"]))])
    needs = f"Dataset '{dataset.name}' needs"
    assert (
        error(form("train_model", dataset)) == f"{needs} a Detections field, got none"
    )
    assert error(form("evaluate_model", dataset)) == (
        f"{needs} 2 Detections fields, got none"
    )


@pytest.fixture
def grouped(painted_files, other):
    """Four pairs of images, a left and a right one."""
    samples = []
    for left, right in zip(painted_files[::2], painted_files[1::2], strict=True):
        group = fo.Group()
        for side, one in (("left", left), ("right", right)):
            boxes = [
                fo.Detection(label=label, bounding_box=box)
                for label, box in one["objects"]
            ]
            samples.append(
                fo.Sample(
                    filepath=str(one["path"]),
                    group=group.element(side),
                    ground_truth=fo.Detections(detections=boxes),
                )
            )
    return other(samples, add_group_field="group")


@pytest.mark.slow
def test_the_active_slice_of_a_grouped_dataset_is_used(grouped, form):
    asked = form("train_model", grouped, batch_size=2)
    assert error(asked) is None
    summary = asked["what"]["view"]["label"]
    # The slice of four images is too small to put some aside.
    assert summary.startswith("4 training images, no validation images, 1 class; ")
    given = {"gt_field": "ground_truth", "split": "none", "run_key": "one"}
    call("train_model", grouped, **given, **SETTINGS, epochs=1)
    assert ended(grouped, "one").progress.state == "finished"
    assert grouped.get_run_info("one").config.images == 4
    call("apply_model", grouped, model="one", label_field="found", batch_size=2)
    assert ended(grouped, "found").progress.state == "finished"
    assert len(grouped.select_group_slices("left").exists("found")) == 4
    assert len(grouped.select_group_slices("right").exists("found")) == 0


@pytest.mark.slow
def test_a_dataset_that_is_deleted_while_it_is_trained_on(dataset):
    given = {"gt_field": "ground_truth", "split": "none", "run_key": "one"}
    call("train_model", dataset, **given, **SETTINGS, epochs=500)
    [job] = monitor.list_jobs(dataset)
    name = dataset.name
    for now in monitor.updates(job, 0.05):
        if now.progress.label.startswith("epoch 2"):
            break
    dataset.delete()
    deadline = time.monotonic() + 60
    for now in monitor.updates(job, 0.1):
        assert time.monotonic() < deadline, now
    assert now.progress.state == "failed"
    assert now.progress.label == f"dataset '{name}' was deleted"


@pytest.mark.slow
def test_a_run_whose_folder_was_deleted(dataset, form):
    import shutil

    from yolov1_fo.jobs import runs_table

    given = {"gt_field": "ground_truth", "split": "none", "run_key": "one"}
    call("train_model", dataset, **given, **SETTINGS, epochs=1)
    assert ended(dataset, "one").progress.state == "finished"
    folder = folders.run_folder(dataset, "one")
    shutil.rmtree(folder)
    lost = f"Folder '{folder}' of run 'one' does not exist"
    asked = form("apply_model", dataset, model="one", label_field="found")
    assert error(asked) == lost
    asked = form("publish_model", dataset, run_key="one", name="deleted")
    assert error(asked) == lost
    with pytest.raises(Exception, match="of run 'one' does not exist"):
        call("apply_model", dataset, model="one", label_field="found")
    [row] = runs_table.rows(dataset)
    assert (row.status, row.message) == ("failed", "its folder was deleted")
    assert row.history == {}
    call("delete_run", dataset, run_key="one", confirm=True)
    assert dataset.list_runs() == []


def test_values_are_cached_until_the_dataset_changes(painted, monkeypatch):
    queried = []
    distinct = fo.DatasetView.distinct

    def counted(view, path):
        queried.append(path)
        return distinct(view, path)

    monkeypatch.setattr(fo.DatasetView, "distinct", counted)
    first = painted.first()
    for _ in range(3):  # every refresh of a form creates new views
        assert dataset_values.classes(painted.match_tags("train"), "ground_truth")
        assert dataset_values.tags(painted.match({"_id": ObjectId(first.id)})) == [
            "train"
        ]
    assert sorted(queried) == ["ground_truth.detections.label", "tags"]
    first.tags.append("more")
    first.save()
    view = painted.match({"_id": ObjectId(first.id)})
    assert dataset_values.tags(view) == ["more", "train"]


def test_annotations_are_searched_once_until_the_dataset_changes(
    dataset, form, checkpoint_dir, monkeypatch
):
    searches = []
    search = output_fields.OutputField._check_no_annotations

    def counted(output, where):
        searches.append(where)
        return search(output, where)

    monkeypatch.setattr(output_fields.OutputField, "_check_no_annotations", counted)
    dataset.clone_sample_field("ground_truth", "found")
    predicted_by.record(dataset, "found", {"model": "one"}, replaces=True)
    params = {"model": str(checkpoint_dir), "label_field": "found"}
    for _ in range(3):
        assert "objects without confidence" in error(
            form("apply_model", dataset, **params)
        )
    assert len(searches) == 1
    path = "found.detections.confidence"
    dataset.set_values(path, [[0.5] * len(one) for one in dataset.values(path)])
    asked = form("apply_model", dataset, **params)
    assert error(asked) is None
    label = asked["what"]["view"]["label"].replace("\\", "")
    assert label == 'Will replace the predictions in "found" on 8 images'
    assert len(searches) == 2
