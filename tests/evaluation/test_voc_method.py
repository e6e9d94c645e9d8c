"""VOC's evaluation as a method of FiftyOne's `evaluate_detections`."""

import fiftyone as fo
import pytest

import yolov1_fo
from tests import golden
from yolov1_fo.evaluation import error_analysis, report
from yolov1_fo.evaluation.voc_method import VOCEvaluationConfig

SIDE = 200  # of the images, in pixels


def detection(label, box, confidence=None, **marks):
    return fo.Detection(label=label, bounding_box=box, confidence=confidence, **marks)


@pytest.fixture
def dataset():
    made = fo.Dataset()
    yield made
    made.delete()


def add(dataset, truth, found):
    """Adds an image with objects and predictions."""
    dataset.add_sample(
        fo.Sample(
            filepath=f"/nowhere/{len(dataset)}.png",
            metadata=fo.ImageMetadata(width=SIDE, height=SIDE),
            ground_truth=fo.Detections(detections=truth),
            found=fo.Detections(detections=found),
        )
    )


@pytest.fixture
def every_type(dataset):
    """Two images with each error type; see test_error_analysis."""
    low = [0.0, 0.5, 0.2, 0.2]
    add(
        dataset,
        [
            detection("cat", [0.0, 0.0, 0.2, 0.2]),
            detection("dog", [0.3, 0.0, 0.2, 0.2]),
            detection("car", [0.6, 0.0, 0.2, 0.2]),
        ],
        [
            detection("cat", [0.0, 0.0, 0.2, 0.2], 0.9),
            detection("cat", [0.1, 0.0, 0.2, 0.2], 0.8),
            detection("cat", [0.3, 0.0, 0.2, 0.2], 0.7),
            detection("cat", [0.6, 0.0, 0.2, 0.2], 0.6),
            detection("dog", low, 0.5),
            detection("car", [0.6, 0.0, 0.2, 0.2], 0.01),
        ],
    )
    add(
        dataset,
        [detection("cat", [0.3 * n, 0.0, 0.2, 0.2]) for n in range(3)]
        + [detection("car", low, difficult=True)],
        [detection("car", low, 0.9), detection("cat", low, 0.02)],
    )
    return dataset


TYPES = [
    ["correct", "localization", "similar", "other", "background", "correct"],
    [None, None],  # a difficult object; the fifth detection of four cats
]
CAT = {"correct": 1, "localization": 1, "similar": 1, "other": 1, "background": 0}


def padilla(dataset):
    case = golden.voc_case1()
    for found, truth in zip(case.found, case.truth, strict=True):

        def box(corners):
            left, top, right, bottom = (float(value) / SIDE for value in corners)
            return [left, top, right - left, bottom - top]

        add(
            dataset,
            [detection("object", box(row)) for row in truth],
            [detection("object", box(row[1:]), float(row[0])) for row in found],
        )


# README of tests/golden/average_precision
@pytest.mark.slow
@pytest.mark.parametrize(
    ("iou", "inclusive", "points11", "area"),
    [
        (0.1, True, 0.3333333333, 0.3371980676),
        (0.3, True, 0.2683982683, 0.2456866804),
        (0.1, False, 0.3024538867, 0.2801328502),
        (0.3, False, 0.2683982684, 0.2253968254),
    ],
)
def test_known_average_precision(dataset, iou, inclusive, points11, area):
    padilla(dataset)
    results = dataset.evaluate_detections(
        "found",
        gt_field="ground_truth",
        method=VOCEvaluationConfig,
        iou=iou,
        inclusive_corners=inclusive,
        eval_key="voc",
        progress=False,
    )
    assert results.voc07() == results.mAP() == pytest.approx(points11, abs=5e-5)
    assert results.voc10() == pytest.approx(area, abs=5e-5)
    again = dataset.load_evaluation_results("voc", cache=False)
    assert (again.voc07(), again.voc10()) == (results.voc07(), results.voc10())
    assert again.config.inclusive_corners is inclusive
    report = yolov1_fo.evaluate(
        dataset,
        "found",
        iou_thresh=iou,
        inclusive_corners=inclusive,
        progress=False,
    )
    assert (report.voc07, report.voc10) == (results.voc07(), results.voc10())


def test_matches_equal_those_of_the_curve(every_type):
    results = every_type.evaluate_detections(
        "found",
        gt_field="ground_truth",
        method=yolov1_fo.VOCEvaluationConfig,
        eval_key="voc",
        progress=False,
    )
    marks = every_type.values("found.detections.voc")
    assert marks == [["tp", "fp", "fp", "fp", "fp", "tp"], [None, "fp"]]
    assert every_type.values("ground_truth.detections.voc") == [
        ["tp", "fn", "tp"],
        ["fn", "fn", "fn", None],
    ]
    assert every_type.values("voc_fn") == [1, 3]
    assert results.curve("car").objects == results.curve("car").detections == 1
    assert results.metrics()["voc07"] == pytest.approx(results.voc07())
    with pytest.raises(ValueError, match="class 'bus' was not evaluated; there are"):
        results.curve("bus")


@pytest.mark.parametrize("ours", [True, False])
def test_errors_belong_to_the_evaluation(every_type, ours):
    before = set(every_type.get_field_schema(flat=True))
    if ours:
        report = yolov1_fo.evaluate(every_type, "found", eval_key="one", progress=False)
        assert report.errors["cat"] == CAT
        assert "33.3 % correct" in str(report)  # 2 of 6
    else:
        every_type.evaluate_detections(
            "found",
            gt_field="ground_truth",
            method=VOCEvaluationConfig,
            eval_key="one",
            progress=False,
        )
        again = every_type.load_evaluation_results("one", cache=False)
        assert again.errors()["cat"] == CAT
    assert every_type.values("found.detections.one_error") == TYPES
    every_type.rename_evaluation("one", "two")
    assert every_type.values("found.detections.two_error") == TYPES
    every_type.delete_evaluation("two")
    assert set(every_type.get_field_schema(flat=True)) == before


def test_similar_classes_can_be_chosen(every_type):
    report = yolov1_fo.evaluate(
        every_type, "found", similar=[("cat", "car")], progress=False
    )
    assert report.errors["cat"] == {**CAT, "similar": 1, "other": 1}
    none = yolov1_fo.evaluate(every_type, "found", similar=[], progress=False)
    assert none.errors["cat"] == {**CAT, "similar": 0, "other": 2}
    for similar, line in (
        ([("cat", "bus")], "similar must contain only evaluated classes, got bus"),
        (["cat"], "similar must be sets of classes"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.evaluate(every_type, "found", similar=similar, progress=False)


def test_plots_show_the_results(every_type):
    report = yolov1_fo.evaluate(every_type, "found", progress=False)
    bars = report.plot_errors().data
    assert [bar.name for bar in bars] == list(error_analysis.ERROR_TYPES)
    assert list(bars[0].x) == ["car", "cat", "dog"]
    assert list(bars[0].y) == [1, 1, 0]
    results = every_type.evaluate_detections(
        "found", gt_field="ground_truth", method=VOCEvaluationConfig, progress=False
    )
    lines = results.plot_pr_curves(["cat", "car"]).data
    assert {line.name.split()[0] for line in lines} >= {"cat", "car"}
    with pytest.raises(ValueError, match="errors are only stored with an eval_key"):
        results.errors()


def test_shares_of_no_detections_are_nan():
    empty = {"cat": dict.fromkeys(error_analysis.ERROR_TYPES, 0)}
    assert report.format_shares(report.error_shares(empty)) == "none"


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"iou": 0}, "iou must be in .0, 1., got 0"),
        ({"classwise": False}, "VOC matches boxes of the same class"),
        ({"use_masks": True}, "VOC matches boxes of the same class"),
        ({"compute_mAP": True}, "unknown setting compute_mAP; there are: iou,"),
        ({"inclusive_corners": True}, "inclusive_corners needs the image sizes"),
    ],
)
def test_invalid_settings_raise_one_clear_line(every_type, settings, line):
    if "inclusive_corners" in settings:
        every_type.set_values("metadata", [None] * len(every_type))
    before = every_type.list_evaluations()
    with pytest.raises(ValueError, match=line):
        every_type.evaluate_detections(
            "found",
            gt_field="ground_truth",
            method=VOCEvaluationConfig,
            eval_key="bad",
            progress=False,
            **settings,
        )
    assert every_type.list_evaluations() == before


def in_pixels(left, top, width, height):
    return [left / SIDE, top / SIDE, width / SIDE, height / SIDE]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inclusive", "kind", "voc10"),
    [(False, "localization", 0), (True, "correct", 1)],  # 10 / 14; 11 / 15
)
def test_error_types_use_the_same_iou_as_the_curves(dataset, inclusive, kind, voc10):
    add(
        dataset,
        [detection("cat", in_pixels(0, 0, 12, 10))],
        [detection("cat", in_pixels(2, 0, 12, 10), 0.04)],
    )
    report = yolov1_fo.evaluate(
        dataset, "found", eval_key="ours", iou_thresh=0.72, inclusive_corners=inclusive
    )
    dataset.evaluate_detections(
        "found",
        gt_field="ground_truth",
        method=VOCEvaluationConfig,
        eval_key="theirs",
        iou=0.72,
        inclusive_corners=inclusive,
        progress=False,
    )
    assert report.errors["cat"][kind] == 1
    assert report.voc10 == voc10
    for key in ("ours", "theirs"):
        assert dataset.values(f"found.detections.{key}_error") == [[kind]]


def test_an_overlap_of_one_half_is_found(dataset):
    for left in range(0, 180, 7):  # not exact in binary
        add(
            dataset,
            [detection("cat", in_pixels(left, left, 14, 9))],
            [detection("cat", in_pixels(left, left, 7, 9), 0.04)],
        )
    report = yolov1_fo.evaluate(dataset, "found")
    assert (report.voc07, report.voc10, report.ap50) == (1, 1, 1)
    assert report.errors["cat"]["correct"] == len(dataset)
    assert report.coco_map == pytest.approx(0.1)  # the first of ten IoU thresholds
