"""Values written to samples and their objects, with one update per sample."""

import fiftyone as fo
import pytest

from yolov1_fo.datasets import sample_updates
from yolov1_fo.datasets.sample_updates import SampleUpdate


@pytest.fixture
def declared(painted):
    painted.add_sample_field("count", fo.IntField)
    painted.add_sample_field("ground_truth.detections.mark", fo.StringField)
    return painted


def marked(sample, mark="$x", **values):
    objects = sample.ground_truth.detections
    return SampleUpdate(
        sample.id, values, {"ground_truth": {x.id: {"mark": mark} for x in objects}}
    )


def marks(dataset):
    return dataset.values("ground_truth.detections.mark")


def test_objects_and_fields_are_written(declared, monkeypatch):
    monkeypatch.setattr(sample_updates, "WRITE_EVERY", 3)
    in_memory, labels = declared.first(), declared.values("ground_truth")
    before = in_memory.last_modified_at
    sample_updates.write(declared, [marked(one, count=7) for one in declared])
    assert declared.values("count") == [7] * len(declared)
    assert marks(declared) == [["$x"] * len(one.detections) for one in labels]
    assert in_memory.count == 7
    assert in_memory.last_modified_at > before
    for old, new in zip(labels, declared.values("ground_truth"), strict=True):
        for ours, theirs in zip(old.detections, new.detections, strict=True):
            ours.mark = "$x"
            assert ours.to_dict() == theirs.to_dict()


def test_edits_of_others_are_kept(declared):
    crowded = next(one for one in declared if len(one.ground_truth.detections) > 1)
    update = marked(crowded)
    first, *rest = crowded.ground_truth.detections
    first.label = "edited"
    new = fo.Detection(label="new", bounding_box=[0, 0, 1, 1])
    crowded.ground_truth.detections = [new, first, *rest[1:]]  # and one is deleted
    crowded.save()
    sample_updates.write(declared, [update])
    crowded.reload()
    objects = crowded.ground_truth.detections
    assert [one.label for one in objects] == [
        "new",
        "edited",
        *(x.label for x in rest[1:]),
    ]
    assert marks(declared.select(crowded.id)) == [[None, *("$x" for _ in rest)]]


@pytest.mark.parametrize("value", [None, fo.Detections()])
def test_samples_that_have_lost_their_objects_stay_without(declared, value):
    sample = declared.first()
    update = marked(sample, count=1)
    sample.ground_truth = value
    sample.save()
    sample_updates.write(declared, [update])
    sample.reload()
    assert sample.count == 1
    assert sample.ground_truth == value


def test_samples_that_are_gone_are_left_out(declared):
    updates = [marked(one, count=1) for one in declared]
    declared.delete_samples([declared.first().id])
    sample_updates.write(declared, updates)
    assert declared.values("count") == [1] * (len(updates) - 1)


def test_objects_outside_a_view_are_not_written(declared):
    view = declared.filter_labels("ground_truth", fo.ViewField("label") == "red")
    sample_updates.write(view, [marked(one) for one in view])
    labels = declared.values("ground_truth.detections.label", unwind=True)
    found = declared.values("ground_truth.detections.mark", unwind=True)
    assert found == ["$x" if label == "red" else None for label in labels]
