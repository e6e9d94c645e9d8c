"""Each kind of collection: what the forms say, and what works."""

import time

import fiftyone as fo
import pytest
from bson import ObjectId

from plugin import facts
from tests.plugin.conftest import SETTINGS, call, ended, error
from yolov1_fo.jobs import control

FORMS = ("train_model", "apply_model", "evaluate_model", "inspect_dataset")


@pytest.fixture
def other():
    """Makes persistent datasets, and deletes them."""
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
    assert error(form(name, dataset)) == f"dataset '{dataset.name}' has no samples"


@pytest.mark.parametrize("name", FORMS)
def test_an_empty_view_has_no_samples(dataset, form, name):
    line = error(form(name, dataset, view=dataset.limit(0)))
    assert line == f"a view on dataset '{dataset.name}' has no samples"


@pytest.mark.parametrize("name", FORMS)
def test_patches_are_refused(dataset, form, name):
    line = error(form(name, dataset, view=dataset.to_patches("ground_truth")))
    assert line.endswith("shows patches; pass the samples that they come from")


@pytest.mark.parametrize("name", ["train_model", "evaluate_model", "inspect_dataset"])
def test_videos_are_refused(other, form, name):
    dataset = other([fo.Sample(filepath="/nowhere/a.mp4")])
    line = error(form(name, dataset))
    assert line == (
        f"dataset '{dataset.name}' holds videos; turn them into images: "
        "samples.to_frames(sample_frames=True)"
    )


def test_a_dataset_without_truth_names_what_it_has(painted_files, other, form):
    dataset = other([fo.Sample(filepath=str(painted_files[0]["path"]))])
    has = f"dataset '{dataset.name}' needs"
    assert error(form("train_model", dataset)) == (
        f"{has} a field of Detections, has none"
    )
    assert error(form("evaluate_model", dataset)) == (
        f"{has} 2 fields of Detections, has none"
    )


@pytest.fixture
def grouped(painted_files, other):
    """Four pairs of pictures, a left and a right one."""
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
def test_of_a_grouped_dataset_the_slice_in_view_is_taken(grouped, form):
    asked = form("train_model", grouped, batch_size=2)
    assert error(asked) is None
    assert "3 images to learn from, 1 to measure on" in asked["what"]["view"]["label"]
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
    [job] = control.all_of(dataset)
    name = dataset.name
    for now in control.follow(job, 0.05):
        if now.progress.label.startswith("epoch 2"):
            break
    dataset.delete()
    deadline = time.monotonic() + 60
    for now in control.follow(job, 0.1):
        assert time.monotonic() < deadline, now
    assert now.progress.state == "failed"
    assert now.progress.label == f"dataset '{name}' was deleted"


@pytest.mark.slow
def test_a_run_that_lost_its_folder(dataset, form):
    import shutil

    from yolov1_fo.jobs import status
    from yolov1_fo.runs import registry

    given = {"gt_field": "ground_truth", "split": "none", "run_key": "one"}
    call("train_model", dataset, **given, **SETTINGS, epochs=1)
    assert ended(dataset, "one").progress.state == "finished"
    folder = registry.folder(dataset, "one")
    shutil.rmtree(folder)
    lost = f"run 'one' has lost its folder '{folder}'"
    asked = form("apply_model", dataset, model="one", label_field="found")
    assert error(asked) == lost
    asked = form("publish_model", dataset, run_key="one", name="gone")
    assert error(asked) == lost
    with pytest.raises(Exception, match="lost its folder"):
        call("apply_model", dataset, model="one", label_field="found")
    [row] = status.rows(dataset)
    assert (row.status, row.says) == ("failed", "its folder is gone")
    assert row.history == {}
    call("delete_run", dataset, run_key="one")
    assert dataset.list_runs() == []


def test_what_forms_ask_is_counted_once_while_nothing_changes(painted, monkeypatch):
    asked = []
    distinct = fo.DatasetView.distinct

    def counted(view, path):
        asked.append(path)
        return distinct(view, path)

    monkeypatch.setattr(fo.DatasetView, "distinct", counted)
    first = painted.first()
    for _ in range(3):  # each press of a key makes the view anew
        assert facts.classes(painted.match_tags("train"), "ground_truth")
        assert facts.tags(painted.match({"_id": ObjectId(first.id)})) == ["train"]
    assert sorted(asked) == ["ground_truth.detections.label", "tags"]
    first.tags.append("more")
    first.save()
    view = painted.match({"_id": ObjectId(first.id)})
    assert facts.tags(view) == ["more", "train"]
