import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo
from yolov1_fo.datasets import annotations, checks, class_lists
from yolov1_fo.datasets import samples as fo_samples
from yolov1_fo.training import examples


def with_marks(**marks):
    return fo.Detection(label="a", bounding_box=[0, 0, 1, 1], **marks)


def test_read_returns_files_and_objects(painted, painted_files):
    records = annotations.read(painted, "ground_truth")
    assert records.filepaths == [str(one["path"]) for one in painted_files]
    assert records.labels[1] == [label for label, _ in painted_files[1]["objects"]]
    assert records.bounding_boxes[0] == [painted_files[0]["objects"][0][1]]
    assert records.labels[5] == records.ignored[5] == []
    assert records.confidences[0] == [None]


def test_a_sample_without_the_field_has_no_objects(painted):
    painted.add_sample(fo.Sample(filepath="more.png"))
    assert annotations.read(painted, "ground_truth").labels[-1] == []


@pytest.mark.parametrize("stored", [None, {"classifications": None}])
def test_samples_without_classifications_have_no_objects(painted, stored):
    kind = {"ftype": fo.EmbeddedDocumentField, "embedded_doc_type": fo.Classifications}
    painted.add_sample_field("kinds", **kind)
    painted._sample_collection.update_many({}, {"$set": {"kinds": stored}})
    assert annotations.read(painted, "kinds").labels == [[]] * len(painted)


def test_read_keeps_the_views_order(painted):
    view = painted.sort_by("filepath", reverse=True)
    assert annotations.read(view, "ground_truth").ids == view.values("id")


@pytest.mark.parametrize(
    ("marks", "ignored"),
    [
        ({}, False),
        ({"difficult": True}, True),
        ({"difficult": "1"}, True),  # as VOC's importer may store it
        ({"difficult": 0}, False),
        ({"iscrowd": 1}, True),
        ({"IsGroupOf": True}, True),
        ({"IsGroupOf": False, "iscrowd": "0"}, False),
        ({"iscrowd": "0.0"}, False),  # as CVAT's importer stores them
        ({"iscrowd": "false"}, False),
        ({"iscrowd": "true"}, True),
        ({"iscrowd": " True "}, True),
        ({"iscrowd": 1.0}, True),
        ({"iscrowd": float("nan")}, False),
        ({"iscrowd": None}, False),
        ({"attributes": {"iscrowd": fo.NumericAttribute(value=1.0)}}, True),
        ({"attributes": {"iscrowd": fo.NumericAttribute(value=0.0)}}, False),
        ({"attributes": {"difficult": fo.BooleanAttribute(value=True)}}, True),
        ({"attributes": {"IsGroupOf": fo.CategoricalAttribute(value="true")}}, True),
        ({"attributes": {"IsGroupOf": fo.CategoricalAttribute(value="0")}}, False),
        ({"attributes": {"iscrowd": fo.Attribute(value=1)}, "iscrowd": 0}, True),
        ({"attributes": {"truncated": fo.BooleanAttribute(value=True)}}, False),
    ],
)
def test_every_reader_ignores_marked_objects(painted, marks, ignored):
    sample = painted.first()
    sample["ground_truth"] = fo.Detections(detections=[with_marks(**marks)])
    sample.save()
    assert annotations.read(painted, "ground_truth").ignored[0] == [ignored]
    listing = examples.load(painted.limit(1), "ground_truth", ["a"])
    assert listing.dropped.ignored == int(ignored)
    assert yolov1_fo.inspect(painted.limit(1)).ignored == int(ignored)


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (lambda d: d.limit(0), "a view on dataset '.*' has no samples"),
        (lambda d: d.to_patches("ground_truth"), "shows patches; pass the samples"),
        (lambda d: fo.Dataset(), "dataset '.*' has no samples"),
    ],
)
def test_unsuitable_views_raise_one_clear_line(painted, view, line):
    with pytest.raises(ValueError, match=line):
        checks.check_images(view(painted))


def test_groups_and_videos_raise_one_clear_line():
    group = fo.Group()
    grouped = fo.Dataset()
    grouped.add_group_field("group")
    grouped.add_sample(fo.Sample(filepath="a.png", group=group.element("left")))
    with pytest.raises(ValueError, match=r"is grouped; .*select_group_slices"):
        checks.check_images(grouped)
    video = fo.Dataset()
    video.add_sample(fo.Sample(filepath="a.mp4"))
    with pytest.raises(ValueError, match=r"holds videos; .*to_frames"):
        checks.check_images(video)


def test_wrong_fields_raise_one_clear_line(painted):
    with pytest.raises(
        ValueError, match=r"gt_field 'truth' is not on dataset .*: ground_truth"
    ):
        checks.check_detections(painted, "truth", "gt_field")
    with pytest.raises(ValueError, match="must hold Detections, got ListField"):
        checks.check_detections(painted, "tags", "gt_field")
    painted.add_sample_field(
        "kind", fo.EmbeddedDocumentField, embedded_doc_type=fo.Classification
    )
    with pytest.raises(ValueError, match="must hold Detections, got Classification"):
        checks.check_detections(painted, "kind", "gt_field")


def test_classes_come_from_the_most_specific_source(painted):
    def classes(given=None):
        return class_lists.classes_of(painted, "ground_truth", given)

    assert classes() == ["blue", "red"]
    painted.default_classes = ["z", "red", "blue"]
    assert classes() == ["z", "red", "blue"]
    painted.classes = {"ground_truth": ["red", "blue"]}
    assert classes() == ["red", "blue"]
    assert classes(["blue"]) == ["blue"]
    with pytest.raises(ValueError, match="classes must differ, got a twice"):
        classes(["a", "b", "a"])


def test_a_field_without_objects_has_no_classes(painted):
    painted.add_sample_field(
        "empty", fo.EmbeddedDocumentField, embedded_doc_type=fo.Detections
    )
    with pytest.raises(ValueError, match=r"'empty' on dataset .* has no objects"):
        class_lists.classes_of(painted, "empty")


def test_digest_identifies_a_set_of_ids():
    assert fo_samples.digest(["a", "b"]) == fo_samples.digest(["b", "a"])
    assert fo_samples.digest(["a", "b"]) != fo_samples.digest(["ab"])


def test_parts_contain_all_samples(painted, monkeypatch):
    complete = annotations.read(painted, "ground_truth")
    listed = examples.load(painted, "ground_truth", ["red", "blue"])
    monkeypatch.setattr(annotations, "CHUNK_SIZE", 3)
    parts = list(annotations.read_parts(painted, "ground_truth"))
    assert [len(part.ids) for part in parts] == [3, 3, 2]
    for name, values in complete._asdict().items():
        assert [row for part in parts for row in getattr(part, name)] == values
    again = examples.load(painted, "ground_truth", ["red", "blue"])
    assert (again.ids, again.filepaths) == (listed.ids, listed.filepaths)
    assert again.dropped == listed.dropped
    for ours, theirs in zip(again.objects, listed.objects, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    none = painted.limit(0)
    assert [part.ids for part in annotations.read_parts(none, "ground_truth")] == [[]]


@pytest.mark.parametrize("estimate", [0, 5])
def test_all_samples_are_read_when_the_database_estimates_fewer(
    painted, monkeypatch, estimate
):
    monkeypatch.setattr(
        painted._sample_collection.__class__,
        "estimated_document_count",
        lambda *_: estimate,
    )
    monkeypatch.setattr(annotations, "CHUNK_SIZE", 4)
    assert len(painted) == estimate
    checks.check_images(painted)
    parts = list(annotations.read_parts(painted, "ground_truth"))
    assert [len(part.ids) for part in parts] == [4, 4]
    with pytest.raises(ValueError, match="has no samples"):
        checks.check_images(painted.match_tags("none"))
