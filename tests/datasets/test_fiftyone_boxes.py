import numpy as np
import pytest

from yolov1_fo.datasets import fiftyone_boxes
from yolov1_fo.pipeline.objects import Dropped

CLASSES = ["cat", "dog"]


def objects(*rows):
    """Each row is one image: objects of label, box, ignored."""
    parts = [
        [list(part) for part in zip(*row, strict=True)] or [[], [], []] for row in rows
    ]
    kept, _, dropped = fiftyone_boxes.from_detections(
        [p[0] for p in parts], [p[1] for p in parts], [p[2] for p in parts], CLASSES
    )
    return kept, dropped


def test_objects_are_corners_by_image():
    some, dropped = objects(
        [("dog", [0.1, 0.2, 0.3, 0.4], False)],
        [],
        [("cat", [0, 0, 1, 1], False), ("dog", [0.5, 0.5, 0.5, 0.5], False)],
    )
    assert some.offsets.tolist() == [0, 1, 1, 3]
    assert some.class_ids.tolist() == [1, 0, 1]
    np.testing.assert_allclose(some.boxes[0], [0.1, 0.2, 0.4, 0.6])
    assert some.max_per_image() == 2
    assert dropped == Dropped()


def test_each_reason_is_counted_once():
    some, dropped = objects(
        [
            ("cat", [0, 0, 0.5, 0.5], True),
            ("cat", [0.5, 0.5, 0, 0.1], False),  # no width
            ("cat", [1.2, 0, 0.3, 0.3], False),  # outside
            ("cow", [0, 0, 0.5, 0.5], False),
            ("cat", [0.5, 0.5, -0.1, 0.1], False),  # negative size
            ("cat", [float("nan"), 0, 0.1, 0.1], False),
        ]
    )
    assert dropped == Dropped(ignored=1, degenerate=4, other_class=1)
    assert some.offsets.tolist() == [0, 0]


def test_boxes_are_clipped_to_the_image():
    some, _ = objects([("cat", [-0.5, 0.5, 1, 1], False)])
    np.testing.assert_allclose(some.boxes, [[0, 0.5, 0.5, 1]])


def test_take_and_pad_keep_the_order_of_the_images():
    some, _ = objects(
        [("cat", [0, 0, 0.1, 0.1], False)],
        [],
        [("dog", [0, 0, 0.2, 0.2], False), ("cat", [0, 0, 0.3, 0.3], False)],
    )
    boxes, ids = some.padded([2, 1, 0], 3)
    assert ids.tolist() == [[1, 0, -1], [-1, -1, -1], [0, -1, -1]]
    np.testing.assert_allclose(boxes[0, 1], [0, 0, 0.3, 0.3])
    again, again_ids = some.take([2, 1, 0]).padded([0, 1, 2], 3)
    np.testing.assert_array_equal(boxes, again)
    np.testing.assert_array_equal(ids, again_ids)


def test_no_images_have_no_objects():
    some, _ = objects()
    assert some.max_per_image() == 0
    assert some.take([]).offsets.tolist() == [0]


def test_detections_survive_the_round_trip(rng):
    corners = np.sort(rng.uniform(0, 1, (4, 2, 2)), axis=1).reshape(4, 4)
    scores, ids = rng.uniform(0, 1, 4), np.array([0, 1, 1, 0])
    made = fiftyone_boxes.to_detections(corners, scores, ids, CLASSES).detections
    assert [d.label for d in made] == ["cat", "dog", "dog", "cat"]
    assert [d.confidence for d in made] == pytest.approx(scores.tolist())
    back = fiftyone_boxes.to_xyxy([d.bounding_box for d in made])
    np.testing.assert_allclose(back, corners, atol=1e-6)
    assert all(type(d.confidence) is float for d in made)


def test_no_detections_are_an_empty_label():
    made = fiftyone_boxes.to_detections(
        np.zeros((0, 4)), np.zeros(0), np.zeros(0, int), CLASSES
    )
    assert made.detections == []


def test_ignored_objects_are_returned_separately():
    kept, ignored, _ = fiftyone_boxes.from_detections(
        [["cat", "dog"], []],
        [[[0, 0, 0.5, 0.5], [0, 0, 0.2, 0.2]], []],
        [[True, False], []],
        CLASSES,
    )
    assert kept.class_ids.tolist() == [1]
    assert ignored.class_ids.tolist() == [0]
    assert ignored.offsets.tolist() == [0, 1, 1]


def test_documents_equal_those_that_fiftyone_stores(rng):
    corners = np.sort(rng.uniform(size=(5, 2, 2)), axis=1).reshape(5, 4)
    found = corners.astype(np.float32), rng.uniform(size=5), rng.integers(0, 2, 5)
    stored = fiftyone_boxes.to_detections(*found, ["cat", "dog"]).to_mongo().to_dict()
    document = fiftyone_boxes.to_document(*found, ["cat", "dog"])
    ids = {row.pop("_id") for row in document["detections"]}
    assert len(ids) == 5
    for row in stored["detections"]:
        row.pop("_id")
    assert document == stored
    assert fiftyone_boxes.to_document(*(x[:0] for x in found), ["cat"]) == {
        "_cls": "Detections",
        "detections": [],
    }


@pytest.mark.parametrize("label", [["cat"], {"name": "cat"}, 3])
def test_a_label_that_is_not_a_string_has_no_class(label):
    kept, dropped = objects(
        [(label, [0, 0, 1, 1], False), ("dog", [0, 0, 1, 1], False)]
    )
    assert kept.class_ids.tolist() == [1]
    assert dropped.other_class == 1
