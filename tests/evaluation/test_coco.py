"""COCO's average precision, compared with pycocotools."""

import contextlib
import io

import fiftyone as fo
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

import yolov1_fo
from yolov1_fo.decode import Detections
from yolov1_fo.evaluation import coco
from yolov1_fo.evaluation.average_precision import GroundTruth

SIDE = 200
"""Of an image, in pixels. Boxes have integer coordinates, so many IoUs are equal."""


def random_images(rng, images=6, classes=3):
    """Yields truth (box in pixels, class, is crowd) and found (box, class, score)."""
    for _ in range(images):
        truth = [
            (_box(rng), int(rng.integers(classes)), rng.random() < 0.2)
            for _ in range(rng.integers(0, 8))
        ]
        found = [
            (np.clip(box + rng.integers(-6, 7, 4), 1, 99), label)
            for box, label, _ in truth
            for _ in range(rng.integers(0, 3))
        ]
        found += [
            (_box(rng), int(rng.integers(classes))) for _ in range(rng.integers(0, 6))
        ]
        # at most 1, like ours; only five different scores
        scores = np.minimum(rng.integers(6, 11, len(found)) / 10, 1.0)
        yield truth, [(*one, float(s)) for one, s in zip(found, scores, strict=True)]


def _box(rng):
    return np.concatenate([rng.integers(0, 99, 2), rng.integers(10, 99, 2)])  # xywh


def of_pycocotools(images, classes):
    """Returns pycocotools' evaluator after evaluation."""
    truth, found = [], []
    for number, (some, guesses) in enumerate(images, 1):
        for box, label, is_crowd in some:
            own = {"id": len(truth) + 1, "iscrowd": int(is_crowd)}
            truth.append({**own, **_annotation(number, box, label)})
        for box, label, score in guesses:
            found.append({"score": score, **_annotation(number, box, label)})
    with contextlib.redirect_stdout(io.StringIO()):
        there = COCO()
        there.dataset = {
            "images": [{"id": number + 1} for number in range(len(images))],
            "annotations": truth,
            "categories": [{"id": label + 1} for label in range(classes)],
        }
        there.createIndex()
        measured = COCOeval(there, there.loadRes(found), "bbox")
        measured.evaluate()
        measured.accumulate()
        measured.summarize()
    return measured


def _annotation(number, box, label):
    box = [float(x) for x in box]
    row = {"image_id": number, "category_id": label + 1, "bbox": box}
    return {**row, "area": box[2] * box[3]}


def arrays(images):
    """Returns detections and ground truth, relative to the image."""

    def corners(rows):
        xywh = np.array([row[0] for row in rows], float).reshape(-1, 4) / SIDE
        return np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)

    def column(rows, place, kind):
        return np.array([row[place] for row in rows], kind)

    found = [
        Detections(corners(rows), column(rows, 2, float), column(rows, 1, int))
        for _, rows in images
    ]
    objects = [
        GroundTruth(corners(rows), column(rows, 1, int), column(rows, 2, bool))
        for rows, _ in images
    ]
    return found, objects


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_each_number_equals_that_of_pycocotools(seed):
    images = list(random_images(np.random.default_rng(seed)))
    if not any(found for _, found in images):
        return
    theirs = of_pycocotools(images, 3).eval
    ours = coco.sweep(*arrays(images), 3)
    # theirs: (T, R, K, areas, limits); of all areas, with 100 detections
    np.testing.assert_allclose(
        ours.precision, theirs["precision"][..., 0, 2].transpose(0, 2, 1), atol=1e-9
    )
    np.testing.assert_allclose(ours.recall, theirs["recall"][..., 0, 2], atol=1e-9)
    np.testing.assert_allclose(
        ours.scores, theirs["scores"][..., 0, 2].transpose(0, 2, 1), atol=1e-9
    )


def dataset_of(images, classes):
    """Returns a dataset of the images."""
    made = fo.Dataset()
    samples = []
    for number, (truth, found) in enumerate(images):
        sample = fo.Sample(f"{number}.jpg")
        sample["ground_truth"] = fo.Detections(
            detections=[
                _detection(classes[label], box, iscrowd=bool(is_crowd))
                for box, label, is_crowd in truth
            ]
        )
        sample["found"] = fo.Detections(
            detections=[
                _detection(classes[label], box, confidence=score)
                for box, label, score in found
            ]
        )
        samples.append(sample)
    made.add_samples(samples, progress=False)
    return made


def _detection(label, box, **more):
    return fo.Detection(
        label=label, bounding_box=[float(x) / SIDE for x in box], **more
    )


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_report_and_stored_results_have_the_same_map(seed):
    images = list(random_images(np.random.default_rng(seed), images=10))
    theirs = of_pycocotools(images, 3)
    classes = ["a", "b", "c"]
    dataset = dataset_of(images, classes)
    report = yolov1_fo.evaluate(dataset, "found", eval_key="one", classes=classes)
    kept = dataset.load_evaluation_results("one", cache=False)
    dataset.delete()
    assert report.coco_map == pytest.approx(theirs.stats[0], abs=1e-9)
    assert report.ap50 == pytest.approx(theirs.stats[1], abs=1e-9)
    for results in (report.results, kept):
        assert results.mAP() == pytest.approx(theirs.stats[0], abs=1e-9)
        assert results.mAR() == pytest.approx(theirs.stats[8], abs=1e-9)
        assert results.metrics()["ap50"] == pytest.approx(theirs.stats[1], abs=1e-9)
        for class_id, name in enumerate(classes):
            curve = results.plot_pr_curves([name], iou_thresh=0.5).data[-1]
            expected = theirs.eval["precision"][0, :, class_id, 0, 2]
            np.testing.assert_allclose(curve.y, expected, atol=1e-9)


@pytest.mark.slow
def test_results_and_report_have_the_same_counts():
    images = list(random_images(np.random.default_rng(7), images=10))
    classes = ["a", "b", "c"]
    dataset = dataset_of(images, classes)
    report = yolov1_fo.evaluate(dataset, "found", eval_key="one", classes=classes)
    objects = sum(row["objects"] for row in report.per_class.values())
    true, false, missed = (
        sum(dataset.values(f"one_{end}")) for end in ("tp", "fp", "fn")
    )
    marks = dataset.count_values("found.detections.one")
    metrics = report.results.metrics()
    dataset.delete()
    assert true + missed == objects
    assert (marks["tp"], marks["fp"]) == (true, false)
    assert metrics["recall"] == pytest.approx(true / objects)
    assert metrics["precision"] == pytest.approx(true / (true + false))


def test_equal_scores_keep_their_order():
    """Ten images: nothing is found in the first nine, the object in the last."""
    where, elsewhere = np.array([0, 0, 50, 50]), np.array([100, 100, 50, 50])
    images = [([], [(elsewhere, 0, 1.0)])] * 9 + [
        ([(where, 0, False)], [(where, 0, 1.0)])
    ]
    found, objects = arrays(images)
    assert coco.sweep(found, objects, 1).ap50(0) == pytest.approx(1 / 10)
    turned = coco.sweep(found[::-1], objects[::-1], 1)
    assert turned.ap50(0) == pytest.approx(1)


def test_a_class_without_objects_is_undefined():
    images = [([(np.array([0, 0, 50, 50]), 0, True)], [])]
    made = coco.sweep(*arrays(images), 2)
    assert np.isnan([made.ap50(0), made.ap(0), made.ap50(1), made.ap(1)]).all()
    assert (made.precision == coco.UNDEFINED).all()
