import numpy as np
import pytest

from yolov1_fo import voc
from yolov1_fo.decode import Detected

A, B = (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)


def found(*rows):
    boxes, scores, ids = zip(*rows, strict=True) if rows else ((), (), ())
    return Detected(
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
        np.array(ids, int),
    )


def objects(*rows):
    boxes, ids, difficult = zip(*rows, strict=True) if rows else ((), (), ())
    return voc.Objects(
        np.array(boxes, float).reshape(-1, 4),
        np.array(ids, int),
        np.array(difficult, bool),
    )


def curve(detections, truth, **options):
    return voc.curves([detections], [truth], 1, **options)[0]


def test_perfect_detections_have_ap_one():
    one = curve(found((A, 0.9, 0), (B, 0.8, 0)), objects((A, 0, 0), (B, 0, 0)))
    assert voc.voc07(one) == voc.voc10(one) == 1


def test_ap_worked_by_hand():
    # true, false, true of two objects: recall 0.5, 0.5, 1; precision 1, 1/2, 2/3
    detections = found((A, 0.9, 0), ((0, 0.9, 0.1, 1), 0.8, 0), (B, 0.7, 0))
    one = curve(detections, objects((A, 0, 0), (B, 0, 0)))
    np.testing.assert_allclose(one.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(one.recall, [0.5, 0.5, 1])
    assert voc.voc07(one) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)
    assert voc.voc10(one) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_second_detection_of_an_object_is_false():
    one = curve(found((A, 0.9, 0), (A, 0.8, 0)), objects((A, 0, 0)))
    assert one.precision.tolist() == [1, 0.5]


def test_the_better_detection_takes_the_object_whatever_its_place():
    one = curve(found((A, 0.5, 0), (A, 0.9, 0)), objects((A, 0, 0)))
    assert one.precision.tolist() == [1, 0.5]


def test_difficult_objects_neither_count_nor_cost():
    detections = found((A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 0))
    one = curve(detections, objects((A, 0, 1), (B, 0, 0)))
    assert (one.objects, one.detections) == (1, 1)
    assert voc.voc07(one) == 1


def test_classes_stand_apart():
    truth = objects((A, 0, 0), (B, 1, 0))
    first, second = voc.curves([found((A, 0.9, 0), (B, 0.8, 0))], [truth], 2)
    assert voc.voc10(first) == 1
    assert voc.voc10(second) == 0


def test_a_detection_in_another_image_is_false():
    one = voc.curves([found(), found((A, 0.9, 0))], [objects((A, 0, 0)), objects()], 1)
    assert voc.voc10(one[0]) == 0


def test_overlap_at_the_threshold_is_enough():
    half = (0.0, 0.0, 0.2, 0.4)
    assert voc.voc10(curve(found((half, 1, 0)), objects((A, 0, 0)))) == 1
    one = curve(found((half, 1, 0)), objects((A, 0, 0)), iou_thresh=0.51)
    assert voc.voc10(one) == 0


def test_empty_cases():
    assert np.isnan(voc.voc07(curve(found((A, 1, 0)), objects())))
    assert voc.voc07(curve(found(), objects((A, 0, 0)))) == 0
    assert voc.voc10(curve(found(), objects((A, 0, 0)))) == 0
    assert voc.curves([], [], 2)[1].objects == 0
    assert np.isnan(voc.mean([float("nan")]))
    assert voc.mean([0.5, float("nan"), 1.0]) == 0.75
