import numpy as np
import pytest

from tests import golden
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import average_precision as ap

A, B = (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)


def found(*rows):
    boxes, scores, ids = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        np.array(boxes, float).reshape(-1, 4),
        np.array(scores, float),
        np.array(ids, int),
    )


def objects(*rows):
    boxes, ids, difficult = zip(*rows, strict=True) if rows else ((), (), ())
    return ap.GroundTruth(
        np.array(boxes, float).reshape(-1, 4),
        np.array(ids, int),
        np.array(difficult, bool),
    )


def curve(detections, truth, **options):
    return ap.curves([detections], [truth], 1, **options)[0]


def test_perfect_detections_have_ap_one():
    one = curve(found((A, 0.9, 0), (B, 0.8, 0)), objects((A, 0, 0), (B, 0, 0)))
    assert ap.voc07(one) == ap.voc10(one) == 1


def test_ap_worked_by_hand():
    # two objects; true, false, true: recall 0.5, 0.5, 1; precision 1, 1/2, 2/3
    detections = found((A, 0.9, 0), ((0, 0.9, 0.1, 1), 0.8, 0), (B, 0.7, 0))
    one = curve(detections, objects((A, 0, 0), (B, 0, 0)))
    np.testing.assert_allclose(one.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(one.recall, [0.5, 0.5, 1])
    assert ap.voc07(one) == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)
    assert ap.voc10(one) == pytest.approx(0.5 + 0.5 * 2 / 3)


def test_a_duplicate_detection_is_a_false_positive():
    one = curve(found((A, 0.9, 0), (A, 0.8, 0)), objects((A, 0, 0)))
    assert one.precision.tolist() == [1, 0.5]


def test_the_detection_with_the_higher_score_is_matched_in_any_order():
    one = curve(found((A, 0.5, 0), (A, 0.9, 0)), objects((A, 0, 0)))
    assert one.precision.tolist() == [1, 0.5]


def test_difficult_objects_are_ignored():
    detections = found((A, 0.9, 0), (A, 0.8, 0), (B, 0.7, 0))
    one = curve(detections, objects((A, 0, 1), (B, 0, 0)))
    assert (one.objects, one.detections) == (1, 1)
    assert ap.voc07(one) == 1


def test_classes_are_evaluated_separately():
    truth = objects((A, 0, 0), (B, 1, 0))
    first, second = ap.curves([found((A, 0.9, 0), (B, 0.8, 0))], [truth], 2)
    assert ap.voc10(first) == 1
    assert ap.voc10(second) == 0


def test_a_detection_in_another_image_is_a_false_positive():
    one = ap.curves([found(), found((A, 0.9, 0))], [objects((A, 0, 0)), objects()], 1)
    assert ap.voc10(one[0]) == 0


def test_overlap_at_the_threshold_is_enough():
    half = (0.0, 0.0, 0.2, 0.4)
    assert ap.voc10(curve(found((half, 1, 0)), objects((A, 0, 0)))) == 1
    one = curve(found((half, 1, 0)), objects((A, 0, 0)), iou_thresh=0.51)
    assert ap.voc10(one) == 0


def test_empty_cases():
    assert np.isnan(ap.voc07(curve(found((A, 1, 0)), objects())))
    assert ap.voc07(curve(found(), objects((A, 0, 0)))) == 0
    assert ap.voc10(curve(found(), objects((A, 0, 0)))) == 0
    assert ap.curves([], [], 2)[1].objects == 0
    assert np.isnan(ap.mean([float("nan")]))
    assert ap.mean([0.5, float("nan"), 1.0]) == 0.75


# README of tests/golden/average_precision: case, IoU, +1, 11-point, all-point
KNOWN = [
    (golden.voc_case1, 0.1, 1, 0.3333333333, 0.3371980676),
    (golden.voc_case1, 0.3, 1, 0.2683982683, 0.2456866804),
    (golden.voc_case1, 0.5, 1, 0.0303030303, 0.0222222222),
    (golden.voc_case1, 0.75, 1, 0.0, 0.0),
    (golden.voc_case1, 0.1, 0, 0.3024538867, 0.2801328502),
    (golden.voc_case1, 0.3, 0, 0.2683982684, 0.2253968254),
    (golden.toyexample, 0.5, 1, 0.8864, 0.8958),
    (golden.toyexample, 0.5, 0, 0.8864, 0.8958),
    (golden.toyexample, 0.75, 1, 0.4924, 0.5097),
    (golden.toyexample, 0.75, 0, 0.4924, 0.5097),
]


@pytest.mark.parametrize(("case", "iou_thresh", "border", "points11", "area"), KNOWN)
def test_known_average_precision(case, iou_thresh, border, points11, area):
    one = case()
    detections = [
        Detections(rows[:, 1:], rows[:, 0], np.zeros(len(rows), int))
        for rows in one.found
    ]
    truth = [
        ap.GroundTruth(rows, np.zeros(len(rows), int), np.zeros(len(rows), bool))
        for rows in one.truth
    ]
    [curve] = ap.curves(detections, truth, 1, iou_thresh, border=border)
    assert ap.voc07(curve) == pytest.approx(points11, abs=5e-5)
    assert ap.voc10(curve) == pytest.approx(area, abs=5e-5)
