"""suggest: predictions at the operating point become suggestions."""

import logging

import fiftyone as fo
import numpy as np
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from tests.curation.labeled import detections
from yolov1_fo.datasets import predicted_by

FIELD = "ground_truth_suggested"
BOX, NEAR, FAR = [0.1, 0.1, 0.4, 0.4], [0.12, 0.1, 0.4, 0.4], [0.6, 0.6, 0.3, 0.3]
# IoU of BOX and NEAR: 0.38 / 0.42 = 0.905


@pytest.fixture
def some():
    """Three samples without labels, a labeled one, and one labeled as empty."""
    dataset = fo.Dataset()
    found = detections(
        ("cat", BOX, 0.9), ("dog", NEAR, 0.8), ("cat", FAR, 0.6), ("cat", FAR, 0.2)
    )
    for number in range(5):
        dataset.add_sample(fo.Sample(f"{number}.jpg", predictions=found.copy()))
    ids = dataset.values("id")
    labels = {ids[3]: detections(("cat", NEAR)), ids[4]: fo.Detections()}
    dataset.set_values("ground_truth", labels, key_field="id")
    yield dataset
    if fo.dataset_exists(dataset.name):
        dataset.delete()


def suggested(dataset):
    """Returns class, box and confidence of each suggestion, by sample."""
    dataset.reload()
    return [
        value and [(x.label, x.bounding_box, x.confidence) for x in value.detections]
        for value in dataset.values(FIELD)
    ]


BEST = [("cat", BOX, 0.9), ("cat", FAR, 0.6)]


def same(found, expected):
    assert [one and len(one) for one in found] == [one and len(one) for one in expected]
    for one, other in zip(found, expected, strict=True):
        for (label, box, score), (label_2, box_2, score_2) in zip(
            one or (), other or (), strict=True
        ):
            assert (label, score) == (label_2, score_2)
            np.testing.assert_allclose(box, box_2, atol=1e-12)


def test_samples_without_labels_get_the_best_detections(some):
    made = yolov1_fo.suggest(some, "predictions", thresh=0.5)
    # Of the boxes that overlap, of two classes, the better one is suggested.
    same(suggested(some), [BEST, BEST, BEST, None, None])
    assert made[:4] == (FIELD, 3, 6, 0)
    assert str(made) == (
        f"6 labels suggested for 3 samples in '{FIELD}', from predictions; 0 "
        "detections are labeled already"
    )


def test_labels_and_samples_are_tagged_and_name_the_model(some):
    model = {"model": "mine", "thresh": 0.1}
    predicted_by.record(some, "predictions", model, replaces=True)
    yolov1_fo.suggest(some, "predictions", thresh=0.5)
    assert some.count_label_tags(FIELD) == {"suggested": 6}
    assert some.count_sample_tags() == {"suggested": 3}
    assert some.count_values(f"{FIELD}.detections.source") == {"mine": 6}
    assert some.values("predictions.detections.tags", unwind=2) == []


def test_what_is_labeled_is_left_out(some):
    made = yolov1_fo.suggest(some, "predictions", thresh=0.5, include_labeled=True)
    # The fourth sample has a cat where the best one is predicted.
    same(suggested(some), [BEST, BEST, BEST, BEST[1:], BEST])
    assert made.duplicates == 1
    yolov1_fo.suggest(
        some, "predictions", thresh=0.5, include_labeled=True, iou_thresh=0.95
    )
    # IoUs of 0.905 are no duplicates now: the dog is suggested too.
    every = [BEST[0], ("dog", NEAR, 0.8), BEST[1]]
    same(suggested(some), [every] * 5)


def test_a_label_of_another_class_is_no_duplicate(some):
    sample = some.skip(3).first()
    sample.ground_truth.detections[0].label = "dog"
    sample.save()
    made = yolov1_fo.suggest(
        some.skip(3), "predictions", thresh=0.5, include_labeled=True
    )
    assert made.duplicates == 0
    same(suggested(some), [None, None, None, BEST, BEST])


@pytest.mark.parametrize(
    "hide",
    [
        lambda view: view.select_fields("predictions"),
        lambda view: view.filter_labels(
            "ground_truth", F("label") == "dog", only_matches=False
        ),
        lambda view: view.exclude_fields("ground_truth"),
    ],
)
def test_labels_that_a_view_hides_are_duplicates_too(some, hide):
    yolov1_fo.suggest(hide(some), "predictions", thresh=0.5)
    same(suggested(some), [BEST, BEST, BEST, None, None])
    made = yolov1_fo.suggest(
        hide(some.skip(3)), "predictions", thresh=0.5, include_labeled=True
    )
    assert made.duplicates == 1


def test_the_operating_point_decides(some):
    line = r"'predictions' on .* has no recommended threshold; first call evaluate\("
    with pytest.raises(ValueError, match=line):
        yolov1_fo.suggest(some, "predictions")
    model = {"model": "mine", "thresh": 0.5, "class_threshs": [["cat", 0.7]]}
    predicted_by.record(some, "predictions", model, replaces=True)
    yolov1_fo.suggest(some, "predictions")
    same(suggested(some), [BEST[:1]] * 3 + [None] * 2)
    few = {"thresh": 0.1, "class_threshs": []}
    predicted_by.record(some, "predictions", {**model, **few}, replaces=True)
    yolov1_fo.suggest(some, "predictions")
    same(suggested(some), [BEST] * 3 + [None] * 2)


def test_the_latest_evaluation_comes_before_the_model(dataset):
    predicted_by.record(
        dataset, "predictions", {"model": "mine", "thresh": 0.99}, replaces=True
    )
    yolov1_fo.evaluate(dataset, "predictions", eval_key="ev", progress=False)
    ids = dataset.limit(2).values("id")
    dataset.set_values("ground_truth", dict.fromkeys(ids), key_field="id")
    made = yolov1_fo.suggest(dataset, "predictions")
    assert (made.samples, made.labels) == (2, 4)  # each object once


def test_a_second_call_replaces_the_first_one(some):
    yolov1_fo.suggest(some, "predictions", thresh=0.5)
    some.set_values("ground_truth", {some.first().id: fo.Detections()}, key_field="id")
    yolov1_fo.suggest(some, "predictions", thresh=0.7)
    # The first sample is labeled by now, and its suggestions stay.
    same(suggested(some), [BEST, BEST[:1], BEST[:1], None, None])
    yolov1_fo.suggest(some, "predictions", thresh=0.95)
    same(suggested(some), [BEST, None, None, None, None])
    assert some.count_sample_tags() == {"suggested": 1}


def test_other_samples_keep_their_suggestions(some):
    yolov1_fo.suggest(some.limit(1), "predictions", thresh=0.5)
    yolov1_fo.suggest(some.skip(1), "predictions", thresh=0.7)
    same(suggested(some), [BEST, BEST[:1], BEST[:1], None, None])


def test_samples_without_predictions_get_none(some):
    some.set_values("predictions", {some.first().id: None}, key_field="id")
    yolov1_fo.suggest(some, "predictions", thresh=0.5)
    same(suggested(some), [None, BEST, BEST, None, None])


def test_nothing_is_written_without_suggestions(some):
    made = yolov1_fo.suggest(some.skip(3), "predictions", thresh=0.5)
    assert made[1:4] == (0, 0, 0)
    assert FIELD not in some.get_field_schema()
    empty = [fo.Detections()] * 5
    some.set_values("predictions", empty)
    assert yolov1_fo.suggest(some, "predictions", thresh=0.5).labels == 0
    assert FIELD not in some.get_field_schema()


def test_a_dataset_without_labels_has_no_field_yet(some):
    some.delete_sample_field("ground_truth")
    made = yolov1_fo.suggest(some, "predictions", thresh=0.5)
    assert (made.samples, made.labels) == (5, 10)
    assert "ground_truth" not in some.get_field_schema()


def test_a_clone_has_its_own_suggestions(some):
    clone = some.clone()
    yolov1_fo.suggest(clone, "predictions", thresh=0.5)
    assert FIELD not in some.get_field_schema()
    assert clone.count(f"{FIELD}.detections") == 6
    clone.delete()


@pytest.mark.parametrize(
    "labels",
    [
        [("cat", BOX)],  # annotations of the user
        [("cat", BOX, 0.9)],  # predictions of the user
    ],
)
def test_other_labels_in_the_field_are_kept(some, labels):
    some.set_values(FIELD, [None] * 4 + [detections(*labels)])
    before = some.values(f"{FIELD}.detections.id")
    with pytest.raises(ValueError, match=FIELD) as caught:
        yolov1_fo.suggest(some, "predictions", thresh=0.5)
    assert "\n" not in str(caught.value)
    assert some.values(f"{FIELD}.detections.id") == before
    assert some.count_sample_tags() == {}


@pytest.mark.parametrize(
    ("source", "options", "kind", "line"),
    [
        ("typo", {}, ValueError, "source 'typo' is not on dataset"),
        ("predictions", {"gt_field": "filepath"}, ValueError, "must hold Detections"),
        (
            "predictions",
            {"gt_field": "a b"},
            ValueError,
            "gt_field must be ASCII letters",
        ),
        ("predictions", {"thresh": 2}, ValueError, r"thresh must be in \[0, 1\]"),
        ("predictions", {"iou_thresh": "x"}, TypeError, "iou_thresh must be a number"),
        ("predictions", {"include_labeled": 1}, TypeError, "must be True or False"),
        (3, {}, TypeError, "model must be a YOLOv1Model, got a int"),
        ("ground_truth", {"thresh": 0.5}, None, None),
    ],
)
def test_an_invalid_argument_raises_one_clear_line(some, source, options, kind, line):
    if kind is None:  # labels are no predictions
        options["include_labeled"], kind = True, ValueError
        line = "has objects without confidence"
    with pytest.raises(kind, match=line) as caught:
        yolov1_fo.suggest(some, source, **options)
    assert "\n" not in str(caught.value)
    assert FIELD not in some.get_field_schema()


def test_patches_and_empty_datasets_are_refused(some):
    for samples, line in (
        (some.to_patches("predictions"), "shows patches; pass the samples"),
        (fo.Dataset(), "has no samples"),
    ):
        with pytest.raises(ValueError, match=line):
            yolov1_fo.suggest(samples, "predictions", thresh=0.5)


def test_a_model_suggests_what_it_finds(painted, checkpoint_dir, caplog):
    model = yolov1_fo.load_model(checkpoint_dir)
    ids = painted.limit(3).values("id")
    painted.set_values("ground_truth", dict.fromkeys(ids), key_field="id")
    with pytest.raises(ValueError, match="has no recommended threshold; give thresh"):
        yolov1_fo.suggest(painted, model)
    yolov1_fo.apply(painted, model, progress=False)
    scores = painted.values("predictions.detections.confidence", unwind=True)
    thresh = float(np.median(scores))
    with caplog.at_level(logging.WARNING):
        of_model = yolov1_fo.suggest(painted, model, thresh=thresh, progress=False)
    assert (of_model.samples, of_model.model) == (3, "a network without a name")
    first = suggested(painted)
    of_field = yolov1_fo.suggest(painted, "predictions", thresh=thresh)
    assert of_field == of_model  # the field knows its model
    same(suggested(painted), first)
    assert of_model.labels == sum(len(one) for one in first if one) > 3
