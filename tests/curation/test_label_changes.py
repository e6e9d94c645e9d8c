"""label_changes: labels now and those that a run was trained on."""

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from tests.curation.labeled import BOXES, detection
from tests.runs.made_runs import make_run
from yolov1_fo.curation import run_splits
from yolov1_fo.datasets import object_ids
from yolov1_fo.runs import training_labels


@pytest.fixture
def trained(dataset):
    """The dataset with a run on 24 of its 30 samples, validated on the others."""
    ids = dataset.values("id")
    dataset.select(ids[:24]).tag_samples("learn")
    dataset.select(ids[24:]).tag_samples(["val", "more"])
    folder = make_run(dataset, gt_field="ground_truth", val_images=6)
    training_labels.write(folder, dataset, "ground_truth", ids[:24], ids[24:])
    return dataset


def edit(dataset, number, change):
    """Changes the objects of a sample, given by its place."""
    sample = dataset.skip(number).first()
    change(sample.ground_truth.detections)
    sample.save()


def delete_all(objects):
    del objects[:]  # mongoengine does not notice clear()


def test_nothing_has_changed_after_a_training(trained):
    changes = yolov1_fo.label_changes(trained, "one")
    assert changes == ("one", 0, 0, 0, 0)
    assert not changes
    assert str(changes) == "no label has changed since run 'one'"


def test_new_changed_and_deleted_objects_are_counted(trained):
    edit(trained, 0, lambda objects: objects.append(detection("cat", BOXES[0])))
    edit(trained, 0, lambda objects: setattr(objects[0], "label", "cow"))
    edit(trained, 1, lambda objects: setattr(objects[1], "bounding_box", BOXES[0]))
    edit(trained, 29, lambda objects: objects.pop())  # of the validation split
    changes = yolov1_fo.label_changes(trained, "one")
    assert changes == ("one", 1, 2, 1, 3)
    assert str(changes) == (
        "1 new object, 2 changed and 1 deleted since run 'one', in 3 samples"
    )


def test_objects_of_new_samples_are_new_and_those_of_deleted_ones_deleted(trained):
    labels = fo.Detections(detections=[detection("cat", box) for box in BOXES])
    trained.add_sample(fo.Sample("new.jpg", ground_truth=labels))
    trained.delete_samples(trained.first())
    assert yolov1_fo.label_changes(trained, "one") == ("one", 2, 0, 2, 2)


def test_samples_outside_a_view_are_not_compared_and_hidden_labels_are(trained):
    edit(trained, 0, delete_all)
    assert not yolov1_fo.label_changes(trained.skip(1), "one")
    hidden = trained.filter_labels("ground_truth", fo.ViewField("label") == "cat")
    assert yolov1_fo.label_changes(hidden, "one").deleted == 0
    edit(trained, 0, lambda objects: objects.append(detection("cat", BOXES[0])))
    assert yolov1_fo.label_changes(trained, "one") == ("one", 1, 0, 2, 1)


@pytest.mark.parametrize(("shift", "count"), [(0.0005, 0), (0.002, 1)])
def test_boxes_that_a_tool_has_rounded_are_the_same(trained, shift, count):
    def move(objects):
        x, y, w, h = objects[0].bounding_box
        objects[0].bounding_box = [x + shift, y, w, h]

    edit(trained, 0, move)
    assert yolov1_fo.label_changes(trained, "one").changed == count


def test_another_field_is_compared(trained):
    trained.clone_sample_field("ground_truth", "other")
    edit(trained, 0, delete_all)
    assert not yolov1_fo.label_changes(trained, "one", "other")


def test_it_is_not_known_for_runs_of_earlier_versions(dataset):
    make_run(dataset, gt_field="ground_truth")
    assert yolov1_fo.label_changes(dataset, "one") is None
    with pytest.raises(ValueError, match="run 'two' is not on dataset"):
        yolov1_fo.label_changes(dataset, "two")


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"x" * 100, None])
def test_a_damaged_file_is_as_none(trained, tmp_path, content):
    folder = tmp_path
    objects = object_ids.read(trained, "ground_truth", trained.values("id"))
    if content is None:
        parts = {**objects._asdict(), "counts": objects.counts + 1}
        np.savez(folder / training_labels.FILE, is_val=np.zeros(30, bool), **parts)
    else:
        (folder / training_labels.FILE).write_bytes(content)
    assert training_labels.read(folder) is None


def test_invalid_labels_are_kept(dataset, tmp_path):
    edit(dataset, 0, lambda objects: setattr(objects[0], "label", None))
    edit(dataset, 0, lambda objects: setattr(objects[1], "bounding_box", [1.0]))
    dataset.add_sample(fo.Sample("unlabeled.jpg"))
    ids = dataset.values("id")
    training_labels.write(tmp_path, dataset, "ground_truth", ids, [])
    objects = training_labels.read(tmp_path).objects
    assert objects.counts.tolist() == [2] * 30 + [0]
    assert objects.labels[:3].tolist() == ["", "dog", "cat"]
    assert objects.boxes[1].tolist() == [0, 0, 0, 0]
    training_labels.write(tmp_path, dataset, "ground_truth", [*ids, "0" * 24], [])


def test_frames_of_videos_are_not_written(dataset, tmp_path):
    training_labels.write(tmp_path, dataset, "ground_truth", ["0" * 24], [])
    assert training_labels.read(tmp_path) is None


def test_the_splits_of_a_run_are_found_by_their_tags(trained):
    found = run_splits.find(trained, "one")
    assert found == (False, True, "learn", "val")
    assert run_splits.trained_on(trained, "one", trained) == 0  # it is not known


def test_splits_without_a_tag_of_their_own_are_not_found(trained):
    trained.limit(1).tag_samples(["val", "more"])
    assert run_splits.find(trained, "one") == (False, True, "learn", "")


@pytest.mark.slow
def test_a_training_keeps_its_labels(painted, micro):
    train, val = painted.match_tags("train"), painted.match_tags("val")
    yolov1_fo.train(train, val_samples=val, run_key="one", **{**micro, "epochs": 1})
    assert not yolov1_fo.label_changes(painted, "one")
    assert run_splits.find(painted, "one") == (False, True, "train", "val")
    assert run_splits.trained_on(painted, "one", painted) == len(train)
    edit(painted, 0, lambda objects: objects.append(detection("red", BOXES[0])))
    assert yolov1_fo.label_changes(painted, "one").new == 1
