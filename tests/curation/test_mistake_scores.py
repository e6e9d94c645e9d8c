"""Scores of mistakes on arrays: a good model, and labels of which four are broken."""

import numpy as np
import pytest

from yolov1_fo.curation import evidence, mistake_scores
from yolov1_fo.curation.mistake_kinds import LOOSE_BOX, MISSING, SPURIOUS, WRONG_CLASS
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation.average_precision import GroundTruth

PLACES = np.array([[0.1, 0.1, 0.4, 0.4], [0.6, 0.5, 0.9, 0.9]])


def made(images=30, classes=2):
    """Returns detections and objects: two objects an image, found with high scores."""
    rng = np.random.default_rng(5)
    found, objects = [], []
    for _ in range(images):
        true = PLACES + rng.uniform(-0.05, 0.05, (2, 4))
        near = true + rng.uniform(-0.01, 0.01, (2, 4))
        ids = np.arange(2) % classes
        scores = [*rng.uniform(0.7, 0.9, 2), *rng.uniform(0.01, 0.1, 2)]
        both = np.concatenate([near, near])
        found.append(Detections(both, np.array(scores), np.append(ids, 1 - ids)))
        objects.append(GroundTruth(true, ids, np.zeros(2, bool)))
    return found, objects


def add(one, box, class_id=0, difficult=False):
    return GroundTruth(
        np.concatenate([one.boxes, [box]]),
        np.append(one.class_ids, class_id),
        np.append(one.difficult, difficult),
    )


@pytest.fixture
def broken():
    found, objects = made()
    objects[0].class_ids[0] = 1
    objects[1] = GroundTruth(*(part[1:] for part in objects[1]))
    objects[2].boxes[1] -= [0.13, 0, 0.13, 0]
    objects[3] = add(objects[3], [0.1, 0.6, 0.35, 0.85])
    return found, objects


def test_broken_labels_come_first_and_no_others_are_near(broken):
    ranked = mistake_scores.find(*broken, 2)
    likely = [one for one in ranked if one.score >= 0.3]
    assert {(one.kind, *one[2:]) for one in likely} == {
        (WRONG_CLASS, 0, 0, 0),
        (MISSING, 1, -1, 0),
        (LOOSE_BOX, 2, 1, 1),
        (SPURIOUS, 3, 2, -1),
    }
    assert ranked[4].score < 0.1
    assert [one.score for one in ranked] == sorted(
        (one.score for one in ranked), reverse=True
    )
    assert all(0 <= one.score <= 1 for one in ranked)


def test_scores_are_the_same_each_time(broken):
    assert mistake_scores.find(*broken, 2) == mistake_scores.find(*broken, 2)


def test_equal_scores_are_in_the_order_of_the_images():
    found, objects = made(3)
    same = mistake_scores.find([found[0]] * 4, [objects[0]] * 4, 2)
    of_first = [one.image for one in same if one.target == 0]
    assert of_first == [0, 1, 2, 3]


def test_a_model_that_finds_nothing_says_nothing():
    _, objects = made()
    empty = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, int))
    ranked = mistake_scores.find([empty] * len(objects), objects, 2)
    assert {one.kind for one in ranked} <= {SPURIOUS, LOOSE_BOX, WRONG_CLASS}
    assert max(one.score for one in ranked) < 0.5
    assert all(one.detection == -1 for one in ranked)


def test_a_single_class_can_not_be_wrong():
    found, objects = made(classes=1)
    objects[3] = add(objects[3], [0.1, 0.6, 0.35, 0.85])
    ranked = mistake_scores.find(found, objects, 1)
    assert ranked[0].kind == SPURIOUS
    assert ranked[0][2:] == (3, 2, -1)
    assert not any(one.kind == WRONG_CLASS and one.score > 0.1 for one in ranked)


def test_difficult_objects_are_not_judged_but_explain_detections(broken):
    found, objects = broken
    removed = found[1].boxes[0]
    objects[1] = add(objects[1], removed, difficult=True)
    objects[3].difficult[2] = True
    likely = [one for one in mistake_scores.find(found, objects, 2) if one.score >= 0.3]
    assert {one.kind for one in likely} == {WRONG_CLASS, LOOSE_BOX}


def test_images_without_objects_count():
    found, objects = made()
    none = GroundTruth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    first = mistake_scores.find(found, [none, *objects[1:]], 2)[:2]
    assert {(one.kind, one.image, one.detection) for one in first} == {
        (MISSING, 0, 0),
        (MISSING, 0, 1),
    }


def test_one_object_is_enough():
    found, objects = made(1)
    ranked = mistake_scores.find(found, [GroundTruth(*(x[:1] for x in objects[0]))], 1)
    assert {one.image for one in ranked} == {0}


def test_evidence_has_a_row_per_object_and_place():
    found, objects = made(2)
    objects[1] = GroundTruth(*(part[1:] for part in objects[1]))
    known = evidence.gather(found, objects)
    assert known.objects.shape == (3, 13)
    assert known.object_rows[:, :2].tolist() == [[0, 0], [0, 1], [1, 0]]
    # The removed object's detections overlap each other: the better one is a place.
    assert known.place_rows.tolist() == [[1, 0]]
    assert np.isfinite(known.objects).all()
    assert np.isfinite(known.places).all()


def test_evidence_of_an_object_by_hand():
    box = [0.0, 0.0, 0.5, 1.0]
    half = [0.0, 0.0, 0.5, 0.5]  # IoU 0.5
    truth = GroundTruth(np.array([box]), np.array([0]), np.array([False]))
    found = Detections(np.array([half, box]), np.array([0.5, 0.2]), np.array([0, 1]))
    [features] = evidence.gather([found], [truth]).objects
    low, even = np.log(0.01 / 0.99), 0.0  # log odds of no detection, and of 0.5
    other = np.log(0.2 / 0.8)
    expected = [
        *(even, even, other),  # any class, with IoU of at least 0.3, 0.5, 0.7
        *(even, even, low),  # its class
        *(other, other, other),  # other classes
        *(even, 0.5),  # the best detection of its class, and their IoU
        *(np.log(0.5), 0),  # area, and the IoU with the nearest object
    ]
    np.testing.assert_allclose(features, expected, atol=1e-6)
