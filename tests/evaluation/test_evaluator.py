import contextlib
import io
import logging
import math
import re

import fiftyone as fo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import yolov1_fo
from tests import golden, published
from yolov1_fo.evaluation.evaluated_field import EvaluatedField
from yolov1_fo.networks import keras_file
from yolov1_fo.training import validation

SQUARE = [0.1, 0.1, 0.4, 0.4]
OTHER = [0.5, 0.5, 0.4, 0.4]


def detection(label, box, confidence=None, **marks):
    return fo.Detection(label=label, bounding_box=box, confidence=confidence, **marks)


@pytest.fixture
def predicted(painted):
    """The ground truth as predictions, with decreasing confidence."""
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


@pytest.mark.slow
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
            detection("red", [0, 0.9, 0.1, 0.1], 0.8),  # matches nothing
            detection("red", OTHER, 0.02),
        ],
    )
    report = yolov1_fo.evaluate(view, "found")
    # red: precision 1, 1/2, 2/3 at recall 1/2, 1/2, 1; blue: no matches
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
def test_difficult_objects_are_ignored(painted, mark):
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


def test_metrics_are_stored_with_the_evaluation(predicted):
    report = yolov1_fo.evaluate(predicted, "found", eval_key="kept")
    metrics = predicted.load_evaluation_results("kept", cache=False).metrics()
    for key in ("voc07", "voc10", "ap50"):
        assert metrics[key] == pytest.approx(getattr(report, key))
    details = predicted.load_evaluation_results("kept").custom_metrics
    assert not any(metric["lower_is_better"] for metric in details.values())


def test_deleting_the_evaluation_leaves_nothing(predicted):
    fields = set(predicted.get_field_schema(flat=True))
    yolov1_fo.evaluate(predicted, "found", eval_key="deleted")
    predicted.delete_evaluation("deleted")
    assert set(predicted.get_field_schema(flat=True)) == fields


def test_report_prints_as_a_table(predicted):
    *lines, best, last = str(yolov1_fo.evaluate(predicted, "found")).splitlines()
    assert re.split("  +", lines[0].strip()) == [
        *("class", "objects", "detections"),
        *("VOC07 mAP@0.5", "VOC10 mAP@0.5", "AP@0.5", "mAP@[.5:.95]"),
    ]
    assert lines[2].startswith("blue")
    assert lines[-1].split()[0] == "mean"
    assert len({len(line) for line in lines}) == 1
    assert best.startswith("best F1 1.00 at a confidence of at least 0.")
    assert last.startswith("top detections: 100.0 % correct")


def test_empty_predictions_score_zero(painted):
    for sample in painted:
        sample["found"] = fo.Detections()
        sample.save()
    report = yolov1_fo.evaluate(painted, "found")
    assert report.voc07 == report.ap50 == 0


def test_a_thresholded_field_causes_a_warning(painted, caplog):
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
        ({"eval_key": "my eval"}, "eval_key must be a valid Python identifier"),
        ({"iou_thresh": 0}, r"iou_thresh must be in \(0, 1\], got 0"),
        ({"pred_field": "ground_truth"}, "has objects without confidence"),
    ],
)
def test_invalid_input_raises_one_clear_line(predicted, arguments, line):
    with pytest.raises(ValueError, match=line) as caught:
        yolov1_fo.evaluate(predicted, **{"pred_field": "found", **arguments})
    assert "\n" not in str(caught.value)
    assert predicted.list_evaluations() == []


@pytest.mark.parametrize("seed", range(3))
def test_validation_and_evaluation_return_the_same_map(painted, checkpoint_dir, seed):
    """`Validator`, on arrays, agrees with `evaluate`, on the database."""
    from yolov1_fo.config import TrainConfig
    from yolov1_fo.training import examples

    model = yolov1_fo.load_model(checkpoint_dir)
    view = painted.take(5, seed=seed)
    marked = view.first()
    for number, detection in enumerate(marked.ground_truth.detections):
        detection["difficult"] = number == 0
    marked.save()
    listing = examples.load(view, "ground_truth", model.classes)
    config = TrainConfig(
        network="fast-yolov1",
        image_size=32,
        S=3,
        C=2,
        batch_size=2,
        confidence_thresh=0.01,
    )
    measured = validation.Validator(listing, config)(
        keras_file.load(checkpoint_dir / "network.keras")
    )
    yolov1_fo.apply(view, model, "found", progress=False)
    report = yolov1_fo.evaluate(view, "found", classes=model.classes)
    np.testing.assert_allclose(measured["val_voc07"], report.voc07, atol=1e-6)
    assert measured["val_f1"] == pytest.approx(report.best_f1, abs=1e-6)


@pytest.mark.parametrize(
    ("inclusive", "points11", "area"),
    [(True, 0.3333333333, 0.3371980676), (False, 0.3024538867, 0.2801328502)],
)
def test_known_case_through_fiftyone(inclusive, points11, area):
    case = golden.voc_case1()
    size = 200
    dataset = fo.Dataset()
    dataset.add_samples(
        [
            fo.Sample(
                f"{number}.jpg",
                metadata=fo.ImageMetadata(width=size, height=size),
                ground_truth=fo.Detections(
                    detections=[_relative("object", box, size) for box in truth]
                ),
                found=fo.Detections(
                    detections=[
                        _relative("object", box, size, confidence=score)
                        for score, *box in found
                    ]
                ),
            )
            for number, (truth, found) in enumerate(
                zip(case.truth, case.found, strict=True)
            )
        ],
        progress=False,
    )
    report = yolov1_fo.evaluate(
        dataset, "found", iou_thresh=0.1, inclusive_corners=inclusive
    )
    assert report.voc07 == pytest.approx(points11, abs=5e-5)
    assert report.voc10 == pytest.approx(area, abs=5e-5)
    dataset.clear_sample_field("metadata")
    with pytest.raises(ValueError, match=r"first call compute_metadata\(\) on dataset"):
        yolov1_fo.evaluate(dataset, "found", inclusive_corners=True)
    dataset.delete()


def _relative(label, xyxy, size, **more):
    x1, y1, x2, y2 = np.array(xyxy, float) / size
    box = [x1, y1, x2 - x1, y2 - y1]
    return fo.Detection(label=label, bounding_box=box, **more)


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_coco_map_equals_that_of_pycocotools(seed):
    rng = np.random.default_rng(seed)
    truth, found, samples = [], [], []
    unequal = iter(
        rng.permutation(1000) / 1000
    )  # the order of equal scores is undefined
    for image_id in range(1, 5):
        boxes = _random_boxes(rng, int(rng.integers(0, 6)))
        guesses = [(label, box + rng.uniform(-3, 3, 4)) for label, box in boxes]
        guesses += _random_boxes(rng, int(rng.integers(0, 4)))
        scores = [next(unequal) for _ in guesses]
        sample = fo.Sample(f"{image_id}.jpg")
        sample["ground_truth"] = fo.Detections(
            detections=[_relative(label, box, 100) for label, box in boxes]
        )
        sample["found"] = fo.Detections(
            detections=[
                _relative(label, box, 100, confidence=score)
                for (label, box), score in zip(guesses, scores, strict=True)
            ]
        )
        samples.append(sample)
        truth += [_coco(image_id, label, box) for label, box in boxes]
        found += [
            {**_coco(image_id, label, box), "score": score}
            for (label, box), score in zip(guesses, scores, strict=True)
        ]
    if not truth or not found:
        return
    dataset = fo.Dataset()
    dataset.add_samples(samples, progress=False)
    present = sorted(dataset.distinct("ground_truth.detections.label"))
    report = yolov1_fo.evaluate(dataset, "found", classes=present)
    dataset.delete()
    assert report.coco_map == pytest.approx(report.results.mAP())
    ap, ap50 = _of_pycocotools(truth, found)
    assert report.coco_map == pytest.approx(ap, abs=1e-6)
    assert report.ap50 == pytest.approx(ap50, abs=1e-6)


def _random_boxes(rng, count):
    low = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([low, low + rng.uniform(8, 40, (count, 2))], axis=1)
    return [(f"class {rng.integers(3)}", box) for box in boxes]


def _coco(image_id, label, xyxy):
    x1, y1, x2, y2 = (float(x) for x in xyxy)
    width, height = x2 - x1, y2 - y1
    return {
        "image_id": image_id,
        "category_id": 1 + int(label[-1]),
        "bbox": [x1, y1, width, height],
        "area": width * height,
        "iscrowd": 0,
    }


def _of_pycocotools(truth, found):
    """Returns AP and AP50 of the classes with objects."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image_id} for image_id in range(1, 5)],
            "annotations": [{**one, "id": 1 + n} for n, one in enumerate(truth)],
            "categories": [{"id": 1 + n} for n in range(3)],
        }
        coco.createIndex()
        measured = COCOeval(coco, coco.loadRes(found), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    return measured.stats[:2]


# COCO's AP and AP50 of *_ap.txt
PUBLISHED = {
    "faster_rcnn_thres0.7": (0.360, 0.588),
    "cascade_rcnn_aug_thres0.7": (0.363, 0.560),
}


@pytest.mark.slow
@pytest.mark.parametrize("detector", PUBLISHED)
def test_published_detectors_have_their_published_ap(photographs, detector):
    dataset = published.dataset(photographs, detector)
    field = detector.replace(".", "_")
    assert dataset.count(f"{field}.detections") > 600
    report = yolov1_fo.evaluate(dataset, field, "detections", classes=published.CLASSES)
    dataset.delete()
    ap, ap50 = PUBLISHED[detector]
    assert report.coco_map == pytest.approx(ap, abs=0.005)
    assert report.ap50 == pytest.approx(ap50, abs=0.005)


def test_objects_without_ids_can_be_evaluated_but_not_marked(predicted):
    predicted._sample_collection.update_many(
        {}, {"$unset": {"ground_truth.detections.$[]._id": 1}}
    )
    report = yolov1_fo.evaluate(predicted, "found")
    count = predicted.count("ground_truth.detections")
    line = (
        rf"^'ground_truth' on dataset '.*' can't be marked, since {count} objects have"
    )
    with pytest.raises(ValueError, match=line):
        yolov1_fo.evaluate(predicted, "found", eval_key="marked")
    assert predicted.list_evaluations() == []
    assert report.voc07 == 1


def test_samples_that_are_deleted_meanwhile_are_an_error(predicted, monkeypatch):
    read = EvaluatedField.read

    def delete(samples, name, class_ids):
        found = read(samples, name, class_ids)
        predicted.delete_samples([predicted.first()])
        return found

    monkeypatch.setattr(EvaluatedField, "read", delete)
    with pytest.raises(ValueError, match=r"has changed while it was read; evaluate"):
        yolov1_fo.evaluate(predicted, "found")
