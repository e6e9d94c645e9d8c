import numpy as np
import pytest

from yolov1_fo import boxes
from yolov1_fo.curation import breaking
from yolov1_fo.curation.mistake_kinds import (
    KINDS,
    LOOSE_BOX,
    MISSING,
    SPURIOUS,
    WRONG_CLASS,
)
from yolov1_fo.evaluation.average_precision import GroundTruth


def truth(count=6, images=5):
    rng = np.random.default_rng(0)
    corners = rng.uniform(0.2, 0.5, (images, count, 2))
    return [
        GroundTruth(
            np.concatenate([one, one + 0.3], axis=1),
            np.arange(count) % 3,
            np.arange(count) == 0,
        )
        for one in corners
    ]


def broken(counts, objects=None, num_classes=3, **options):
    rng = np.random.default_rng(1)
    objects = truth() if objects is None else objects
    return breaking.break_labels(objects, num_classes, counts, rng, **options)


def test_as_many_labels_are_broken_as_asked_for():
    counts = {MISSING: 3, SPURIOUS: 2, WRONG_CLASS: 4, LOOSE_BOX: 5}
    made = broken(counts)
    kinds = np.concatenate(made.kinds)
    assert sum(map(len, made.removed)) == 3
    for kind in (SPURIOUS, WRONG_CLASS, LOOSE_BOX):
        assert (kinds == KINDS.index(kind)).sum() == counts[kind]
    assert len(kinds) == 30 - 3 + 2
    for one, some in zip(made.objects, made.kinds, strict=True):
        assert {len(part) for part in one} == {len(some)}


def test_difficult_objects_stay():
    before = truth()
    made = broken({MISSING: 10, WRONG_CLASS: 10, LOOSE_BOX: 10}, before)
    for one, old, kinds in zip(made.objects, before, made.kinds, strict=True):
        assert one.difficult.tolist()[0]
        np.testing.assert_array_equal(one.boxes[0], old.boxes[0])
        assert kinds[0] == breaking.INTACT
    # 25 objects are not difficult: 10 removed, 10 swapped, and 5 are left to move
    kinds = np.concatenate(made.kinds)
    assert (kinds == KINDS.index(LOOSE_BOX)).sum() == 5


def test_the_given_labels_are_not_changed():
    before = truth()
    broken({WRONG_CLASS: 10, LOOSE_BOX: 10, MISSING: 5, SPURIOUS: 5}, before)
    for one, same in zip(before, truth(), strict=True):
        for part, expected in zip(one, same, strict=True):
            np.testing.assert_array_equal(part, expected)


def test_a_swapped_class_is_another_one():
    before = truth()
    made = broken({WRONG_CLASS: 25}, before)
    for one, old, kinds in zip(made.objects, before, made.kinds, strict=True):
        is_swapped = kinds == KINDS.index(WRONG_CLASS)
        np.testing.assert_array_equal(one.class_ids != old.class_ids, is_swapped)
        assert one.class_ids.max() < 3
    assert not np.concatenate(broken({WRONG_CLASS: 3}, num_classes=1).kinds).max() >= 0


def test_a_moved_box_has_its_size_and_is_moved_by_the_shift():
    before = truth()
    made = broken({LOOSE_BOX: 25}, before, shift=(0.4, 0.4))
    moved = 0
    for one, old, kinds in zip(made.objects, before, made.kinds, strict=True):
        rows = kinds == KINDS.index(LOOSE_BOX)
        step = (one.boxes - old.boxes)[rows]
        np.testing.assert_allclose(step[:, :2], step[:, 2:], atol=1e-12)
        # 40 % of a side of 0.3
        np.testing.assert_allclose(np.hypot(step[:, 0], step[:, 1]), 0.12)
        moved += rows.sum()
    assert moved == 25


def test_invented_objects_do_not_cover_others():
    objects = [GroundTruth(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))] * 3
    objects += truth(count=1, images=2)
    made = broken({SPURIOUS: 8}, objects)
    for one, kinds in zip(made.objects, made.kinds, strict=True):
        assert ((one.boxes >= 0) & (one.boxes <= 1)).all()
        for row in np.flatnonzero(kinds == KINDS.index(SPURIOUS)).tolist():
            earlier = boxes.iou(one.boxes[[row]], one.boxes[:row])
            assert earlier.max(initial=0) < breaking.MAX_IOU


@pytest.mark.parametrize("objects", [[], truth(0)])
def test_nothing_is_broken_without_objects(objects):
    made = broken(dict.fromkeys(KINDS, 3), objects)
    assert sum(map(len, made.kinds)) == sum(map(len, made.removed)) == 0


def test_the_same_seed_breaks_the_same_labels():
    counts = dict.fromkeys(KINDS, 4)
    for one, other in zip(broken(counts).objects, broken(counts).objects, strict=True):
        np.testing.assert_array_equal(one.boxes, other.boxes)
