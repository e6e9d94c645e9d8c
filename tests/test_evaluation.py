import logging
import math

import fiftyone as fo
import numpy as np
import pytest

import yolov1_fo

SQUARE = [0.1, 0.1, 0.4, 0.4]
OTHER = [0.5, 0.5, 0.4, 0.4]


def detection(label, box, confidence=None, **marks):
    return fo.Detection(label=label, bounding_box=box, confidence=confidence, **marks)


@pytest.fixture
def predicted(painted):
    """The truth as predictions, with falling confidence."""
    for number, sample in enumerate(painted):
        sample["found"] = fo.Detections(
            detections=[
                detection(d.label, d.bounding_box, 0.9 - 0.1 * number)
                for d in sample.ground_truth.detections
            ]
        )
        sample.save()
    sample["found"].detections.append(detection("red", [0, 0, 0.01, 0.01], 0.02))
    sample.save()
    return painted


def one_image(painted, truth, found):
    view = painted.limit(1)
    sample = view.first()
    sample["ground_truth"] = fo.Detections(detections=truth)
    sample["found"] = fo.Detections(detections=found)
    sample.save()
    return view


def test_perfect_predictions_score_one(predicted):
    report = yolov1_fo.evaluate(predicted, "found", eval_key="perfect")
    assert report.voc07 == report.voc10 == 1
    assert report.ap50 == report.coco_map == pytest.approx(1)
    assert predicted.count("found.detections") - 1 == sum(
        predicted.values("perfect_tp")
    )
    assert predicted.list_evaluations() == ["perfect"]


def test_report_worked_by_hand(painted):
    view = one_image(
        painted,
        [detection("red", SQUARE), detection("red", OTHER), detection("blue", OTHER)],
        [
            detection("red", SQUARE, 0.9),
            detection("red", [0, 0.9, 0.1, 0.1], 0.8),  # finds nothing
            detection("red", OTHER, 0.02),
        ],
    )
    report = yolov1_fo.evaluate(view, "found")
    # red: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1; blue: nothing found
    red = (6 + 5 * 2 / 3) / 11
    assert report.per_class["red"]["voc07"] == pytest.approx(red)
    assert report.per_class["red"]["voc10"] == pytest.approx(5 / 6)
    assert report.per_class["red"]["ap50"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert report.per_class["blue"]["voc07"] == 0
    assert report.voc07 == pytest.approx(red / 2)
    assert report.coco_map == pytest.approx(report.results.mAP())


def test_ap50_and_coco_map_differ_as_they_should(painted):
    looser = [0.1, 0.1, 0.4, 0.32]  # IoU 0.8: seven of ten thresholds
    view = one_image(
        painted, [detection("red", SQUARE)], [detection("red", looser, 0.02)]
    )
    report = yolov1_fo.evaluate(view, "found")
    assert report.ap50 == 1
    assert report.coco_map == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("mark", ["difficult", "iscrowd", "IsGroupOf"])
def test_difficult_objects_neither_count_nor_cost(painted, mark):
    view = one_image(
        painted,
        [detection("red", SQUARE, **{mark: True}), detection("red", OTHER)],
        [detection("red", SQUARE, 0.9), detection("red", OTHER, 0.02)],
    )
    report = yolov1_fo.evaluate(view, "found")
    assert report.per_class["red"]["objects"] == 1
    assert report.voc07 == 1


def test_classes_may_be_chosen(predicted):
    report = yolov1_fo.evaluate(predicted, "found", classes=["red"])
    assert list(report.per_class) == ["red"]
    with_more = yolov1_fo.evaluate(predicted, "found", classes=["red", "green"])
    assert math.isnan(with_more.per_class["green"]["voc07"])
    assert with_more.voc07 == report.voc07


def test_numbers_stay_with_the_evaluation(predicted):
    report = yolov1_fo.evaluate(predicted, "found", eval_key="kept")
    metrics = predicted.load_evaluation_results("kept", cache=False).metrics()
    for key in ("voc07", "voc10", "ap50"):
        assert metrics[key] == pytest.approx(getattr(report, key))
    details = predicted.load_evaluation_results("kept").custom_metrics
    assert not any(metric["lower_is_better"] for metric in details.values())


def test_deleting_the_evaluation_leaves_nothing(predicted):
    fields = set(predicted.get_field_schema(flat=True))
    yolov1_fo.evaluate(predicted, "found", eval_key="gone")
    predicted.delete_evaluation("gone")
    assert set(predicted.get_field_schema(flat=True)) == fields


def test_report_prints_as_a_table(predicted):
    lines = str(yolov1_fo.evaluate(predicted, "found")).splitlines()
    assert lines[0].split() == [
        *("class", "objects", "detections"),
        *("voc07", "voc10", "ap50", "coco_map"),
    ]
    assert lines[2].startswith("blue")
    assert lines[-1].split()[0] == "mean"
    assert len({len(line) for line in lines}) == 1


def test_empty_predictions_score_zero(painted):
    for sample in painted:
        sample["found"] = fo.Detections()
        sample.save()
    report = yolov1_fo.evaluate(painted, "found")
    assert report.voc07 == report.ap50 == 0


def test_a_thresholded_field_is_warned_of(painted, caplog):
    view = one_image(
        painted, [detection("red", SQUARE)], [detection("red", SQUARE, 0.3)]
    )
    with caplog.at_level(logging.WARNING, logger="yolov1_fo"):
        yolov1_fo.evaluate(view, "found")
    assert "the lowest confidence in 'found' is 0.30" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"pred_field": "guess"}, "pred_field 'guess' is not on"),
        ({"gt_field": "truth"}, "gt_field 'truth' is not on"),
        ({"eval_key": "my eval"}, "eval_key must be a name that Python takes"),
        ({"iou_thresh": 0}, r"iou_thresh must be in \(0, 1\], got 0"),
        ({"pred_field": "ground_truth"}, "has objects without confidence"),
    ],
)
def test_bad_input_is_one_clear_line(predicted, arguments, line):
    with pytest.raises(ValueError, match=line) as caught:
        yolov1_fo.evaluate(predicted, **{"pred_field": "found", **arguments})
    assert "\n" not in str(caught.value)
    assert predicted.list_evaluations() == []


@pytest.mark.parametrize("seed", range(3))
def test_training_and_evaluation_measure_the_same(painted, checkpoint_dir, seed):
    """`Validator`, on arrays, agrees with `evaluate`, on the database."""
    from yolov1_fo import callbacks, data, network
    from yolov1_fo.config import TrainConfig

    model = yolov1_fo.load_model(checkpoint_dir)
    view = painted.take(5, seed=seed)
    marked = view.first()
    for number, detection in enumerate(marked.ground_truth.detections):
        detection["difficult"] = number == 0
    marked.save()
    listing = data.load(view, "ground_truth", model.classes)
    config = TrainConfig(
        network="fast-yolov1", side=32, S=3, C=2, batch_size=2, confidence_thresh=0.01
    )
    measured = callbacks.Validator(listing, config)(
        network.load(checkpoint_dir / "network.keras")
    )
    yolov1_fo.apply(view, model, "found", progress=False)
    report = yolov1_fo.evaluate(view, "found", classes=model.classes)
    np.testing.assert_allclose(measured["val_voc07"], report.voc07, atol=1e-6)
