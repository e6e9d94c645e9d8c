"""accept and undo_accept: labels are added, and nothing else changes."""

import re

import fiftyone as fo
import pytest
from fiftyone import ViewField as F

import yolov1_fo
from tests.curation.labeled import detections
from yolov1_fo.datasets import fiftyone_private
from yolov1_fo.datasets.predictions_field import PredictionsField

FIELD = "ground_truth_suggested"
BOX, FAR, MINE = [0.1, 0.1, 0.4, 0.4], [0.6, 0.6, 0.3, 0.3], [0.0, 0.5, 0.2, 0.2]


@pytest.fixture
def some():
    """Two samples without labels and one with; each has two suggestions.

    Labels and suggestions have an attribute of the user.
    """
    dataset = fo.Dataset()
    found = detections(("cat", BOX, 0.9), ("dog", FAR, 0.6))
    dataset.add_samples(
        [fo.Sample(f"{number}.jpg", predictions=found.copy()) for number in range(3)],
        progress=False,
    )
    labels = detections(("cat", MINE))
    labels.detections[0]["checked"] = True
    dataset.set_values("ground_truth", [None, None, labels])
    yolov1_fo.suggest(dataset, "predictions", thresh=0.5, include_labeled=True)
    yield dataset
    if fo.dataset_exists(dataset.name):
        dataset.delete()


def stored(dataset):
    """Returns all samples in the database, without the time of their last change."""
    samples = list(fiftyone_private.collection(dataset).find())
    return [
        {k: v for k, v in one.items() if k != "last_modified_at"} for one in samples
    ]


def names(dataset, field="ground_truth"):
    """Returns the classes of a field by sample; None where it has no value."""
    dataset.reload()
    values = dataset.values(field)
    return [one and [x.label for x in one.detections] for one in values]


def test_suggestions_become_labels(some):
    made = yolov1_fo.accept(some)
    assert names(some) == [["cat", "dog"], ["cat", "dog"], ["cat", "cat", "dog"]]
    assert names(some, FIELD) == [None] * 3
    assert (made.labels, str(made)) == (6, "6 labels accepted into 'ground_truth'")
    assert some.count_sample_tags() == some.count_label_tags("ground_truth") == {}
    assert names(some, "predictions") == [["cat", "dog"]] * 3


def test_a_label_says_where_it_comes_from(some):
    ids = some.values(f"{FIELD}.detections.id", unwind=True)
    made = yolov1_fo.accept(some)
    mine, *accepted = some.last().ground_truth.detections
    assert mine["checked"] is True
    assert mine.has_attribute("source") is False
    for one, box, score in zip(accepted, (BOX, FAR), (0.9, 0.6), strict=True):
        assert one["source"] == "predictions"
        assert one["accepted_at"] == made.accepted_at
        assert one.confidence is None
        assert one["suggestion"]["confidence"] == score
        assert one["suggestion"]["was_unlabeled"] is False  # the name in databases
        assert one.bounding_box == pytest.approx(box)
        assert one.id in ids
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}", made.accepted_at)
    assert some.count_values("ground_truth.detections.source") == {
        "predictions": 6,
        None: 1,
    }


def test_undo_takes_all_of_it_back(some):
    before = stored(some)
    yolov1_fo.accept(some)
    made = yolov1_fo.undo_accept(some)
    assert (made.labels, made.kept) == (6, 0)
    assert str(made) == "6 labels taken back from 'ground_truth'"
    assert stored(some) == before
    assert yolov1_fo.undo_accept(some).labels == 0
    assert yolov1_fo.accept(some).labels == 6


def test_a_sample_in_memory_is_refreshed(some):
    sample = some.first()
    yolov1_fo.accept(some)
    assert [one.label for one in sample.ground_truth.detections] == ["cat", "dog"]
    sample.ground_truth.detections[0].label = "bird"
    sample.save()
    assert names(some)[0] == ["bird", "dog"]


def test_selected_samples_are_accepted(some):
    yolov1_fo.accept(some.select(some.last().id))
    assert names(some) == [None, None, ["cat", "cat", "dog"]]
    assert names(some, FIELD) == [["cat", "dog"], ["cat", "dog"], None]
    assert some.count_sample_tags() == {"suggested": 2}


def test_a_view_accepts_what_it_shows(some):
    view = some.filter_labels(FIELD, F("confidence") > 0.8)
    assert yolov1_fo.accept(view).labels == 3
    assert names(some) == [["cat"], ["cat"], ["cat", "cat"]]
    assert names(some, FIELD) == [["dog"]] * 3
    assert some.count_sample_tags() == {"suggested": 3}


def test_a_view_that_shows_none_accepts_none(some):
    view = some.filter_labels(FIELD, F("confidence") > 0.8)
    assert yolov1_fo.accept(view).labels == 3
    assert len(view) == 0
    assert yolov1_fo.accept(view).labels == 0
    assert (
        yolov1_fo.accept(view, "truth", field="predictions", label_ids=[]).labels == 0
    )
    assert not some.has_field("truth")
    assert yolov1_fo.undo_accept(some.match_tags("typo")).labels == 0
    assert names(some) == [["cat"], ["cat"], ["cat", "cat"]]


def test_selected_labels_are_accepted(some):
    chosen = [row[1] for row in some.limit(2).values(f"{FIELD}.detections.id")]
    made = yolov1_fo.accept(some.select_fields(), label_ids=iter(chosen))
    assert made.labels == 2
    assert names(some) == [["dog"], ["dog"], ["cat"]]
    assert names(some, FIELD) == [["cat"], ["cat"], ["cat", "dog"]]
    again = yolov1_fo.accept(some, label_ids=chosen)
    assert (again.labels, again.accepted_at) == (0, "")
    line = r"label_ids has 1 ids that are not in 'ground_truth_suggested' .* '0{24}'"
    with pytest.raises(ValueError, match=line):
        yolov1_fo.accept(some, label_ids=[*chosen, "0" * 24])
    with pytest.raises(ValueError, match="label_ids has 1 ids that are not in"):
        yolov1_fo.accept(some.skip(2), label_ids=chosen[:1])


@pytest.mark.parametrize(
    "hide",
    [
        lambda view: view.exclude_fields("ground_truth"),
        lambda view: view.select_fields(FIELD),
        lambda view: view.filter_labels(
            "ground_truth", F("label") == "bird", only_matches=False
        ),
    ],
)
def test_labels_that_a_view_hides_are_kept(some, hide):
    before = stored(some)
    assert yolov1_fo.accept(hide(some)).labels == 6
    assert names(some) == [["cat", "dog"], ["cat", "dog"], ["cat", "cat", "dog"]]
    kept = stored(some)[2]["ground_truth"]["detections"][0]
    assert kept == before[2]["ground_truth"]["detections"][0]
    assert yolov1_fo.undo_accept(hide(some)).labels == 6
    assert names(some) == [None, None, ["cat"]]


def test_suggestions_that_a_view_hides_are_not_accepted(some):
    before = stored(some)
    with pytest.raises(ValueError, match=f"field '{FIELD}' is not on a view"):
        yolov1_fo.accept(some.exclude_fields(FIELD))
    assert stored(some) == before


def test_calls_are_undone_one_by_one(some):
    first = yolov1_fo.accept(some.limit(1))
    second = yolov1_fo.accept(some.skip(1).limit(1))
    assert yolov1_fo.undo_accept(some).accepted_at == second.accepted_at
    assert names(some)[:2] == [["cat", "dog"], None]
    second = yolov1_fo.accept(some.skip(1))
    undone = yolov1_fo.undo_accept(some, accepted_at=first.accepted_at)
    assert undone.labels == 2
    assert names(some) == [None, ["cat", "dog"], ["cat", "cat", "dog"]]
    assert yolov1_fo.undo_accept(some.skip(2)).labels == 2
    assert names(some) == [None, ["cat", "dog"], ["cat"]]


def test_a_label_that_the_user_has_changed_stays(some):
    yolov1_fo.accept(some)
    first, second, _ = some
    first.ground_truth.detections[0].label = "bird"
    second.ground_truth.detections[1].bounding_box = MINE
    for one in (first, second):
        one.save()
    made = yolov1_fo.undo_accept(some)
    assert (made.labels, made.kept) == (4, 2)
    assert str(made).endswith("; 2 were changed since and stay")
    assert names(some) == [["bird"], ["dog"], ["cat"]]
    assert names(some, FIELD) == [["dog"], ["cat"], ["cat", "dog"]]


def test_a_change_while_undoing_is_kept(some, monkeypatch):
    """The user edits a label after it was read and before it is written."""
    yolov1_fo.accept(some)
    write = fiftyone_private.bulk_write

    def edit_first(dataset, updates, ids):
        stored = fiftyone_private.collection(dataset)
        change = {"$set": {"ground_truth.detections.0.label": "bird"}}
        stored.update_many({}, change)
        return write(dataset, updates, ids)

    monkeypatch.setattr(fiftyone_private, "bulk_write", edit_first)
    made = yolov1_fo.undo_accept(some)
    assert (made.labels, made.kept) == (4, 2)
    assert names(some) == [["bird"], ["bird"], ["bird"]]


def test_a_label_that_is_added_meanwhile_is_kept(some, monkeypatch):
    write = fiftyone_private.bulk_write

    def add_first(dataset, updates, ids):
        sample = dataset.first()
        sample.ground_truth = detections(("bird", MINE))
        sample.save()
        return write(dataset, updates, ids)

    monkeypatch.setattr(fiftyone_private, "bulk_write", add_first)
    assert yolov1_fo.accept(some).labels == 6
    assert names(some)[0] == ["bird", "cat", "dog"]


def test_a_killed_call_is_completed_or_undone(some, monkeypatch):
    before = stored(some)
    write = fiftyone_private.bulk_write

    def killed(dataset, updates, ids):
        write(dataset, updates[:3], ids)
        raise KeyboardInterrupt

    monkeypatch.setattr(fiftyone_private, "bulk_write", killed)
    with pytest.raises(KeyboardInterrupt):
        yolov1_fo.accept(some)
    monkeypatch.undo()
    assert names(some) == [["cat", "dog"], ["cat"], ["cat"]]
    assert names(some, FIELD) == [None, ["dog"], ["cat", "dog"]]
    assert yolov1_fo.undo_accept(some).labels == 3
    assert names(some) == [None, None, ["cat"]]
    with monkeypatch.context() as patch:
        patch.setattr(fiftyone_private, "bulk_write", killed)
        with pytest.raises(KeyboardInterrupt):
            yolov1_fo.accept(some)
    assert yolov1_fo.accept(some).labels == 3
    assert names(some) == [["cat", "dog"], ["cat", "dog"], ["cat", "cat", "dog"]]
    assert yolov1_fo.undo_accept(some).labels == 3
    assert yolov1_fo.undo_accept(some).labels == 3
    assert stored(some) == before


def test_predictions_are_copied(some):
    before = stored(some)
    ids = some.values("predictions.detections.id")
    chosen = [ids[0][0], ids[2][1]]
    made = yolov1_fo.accept(some, field="predictions", label_ids=chosen)
    assert made.labels == 2
    assert names(some) == [["cat"], None, ["cat", "dog"]]
    assert [one["predictions"] for one in stored(some)] == [
        one["predictions"] for one in before
    ]
    label = some.first().ground_truth.detections[0]
    assert (label["source"], label.confidence) == ("predictions", None)
    assert label.id not in [one for row in ids for one in row]
    again = yolov1_fo.accept(some, field="predictions", label_ids=chosen)
    assert again.labels == 0
    assert yolov1_fo.undo_accept(some).labels == 2
    assert stored(some) == before


def test_copies_lack_what_others_wrote_to_predictions(dataset):
    ids = dataset.values("id")
    sample = dataset[ids[0]]
    del sample.ground_truth.detections[0]
    sample.save()
    yolov1_fo.evaluate(dataset, "predictions", eval_key="ev", progress=False)
    report = yolov1_fo.find_mistakes(dataset)
    [missing] = report.mistakes
    yolov1_fo.accept(dataset, field="predictions", label_ids=[missing.prediction_id])
    [label] = dataset.select(ids[0]).values("ground_truth")[0].detections[1:]
    assert label.label == "cat"
    for name in ("mistake", "mistake_score", "ev", "ev_iou"):
        assert not label.has_attribute(name) or label[name] is None
    assert yolov1_fo.find_mistakes(dataset).mistakes == []


def test_the_field_of_labels_is_created(some):
    some.delete_sample_field("ground_truth")
    assert yolov1_fo.accept(some).labels == 6
    assert names(some) == [["cat", "dog"]] * 3
    assert some.get_field("ground_truth").document_type is fo.Detections
    assert yolov1_fo.undo_accept(some).labels == 6
    assert names(some) == [None] * 3


def test_a_deleted_field_of_suggestions_comes_back(some):
    yolov1_fo.accept(some)
    some.delete_sample_field(FIELD)
    assert yolov1_fo.undo_accept(some).labels == 6
    assert names(some, FIELD) == [["cat", "dog"]] * 3


def test_a_clone_has_its_own_labels(some):
    clone = some.clone()
    before = stored(some)
    assert yolov1_fo.accept(clone).labels == 6
    assert stored(some) == before
    second = clone.clone()
    assert yolov1_fo.undo_accept(second).labels == 6
    assert names(clone) == [["cat", "dog"], ["cat", "dog"], ["cat", "cat", "dog"]]
    for one in (clone, second):
        one.delete()


def test_a_label_may_have_any_name(some):
    for number, sample in enumerate(some):
        sample[FIELD].detections[0].label = ("$label", "a.b", "$$one")[number]
        sample.save()
    yolov1_fo.accept(some)
    assert names(some)[0] == ["$label", "dog"]
    assert yolov1_fo.undo_accept(some).labels == 6
    assert names(some, FIELD)[2] == ["$$one", "dog"]


def test_accepted_labels_are_trained_on_like_others(some):
    yolov1_fo.accept(some)
    report = yolov1_fo.evaluate(some, "predictions", progress=False)
    assert report.per_class["dog"]["objects"] == 3
    with pytest.raises(ValueError, match="labels that were not written by Apply"):
        PredictionsField(some, "ground_truth")


def test_a_group_accepts_its_active_slice():
    grouped = fo.Dataset()
    grouped.add_group_field("group", default="left")
    group = fo.Group()
    found = detections(("cat", BOX, 0.9))
    for side in ("left", "right"):
        one = fo.Sample(
            f"{side}.jpg", group=group.element(side), predictions=found.copy()
        )
        grouped.add_sample(one)
    assert yolov1_fo.suggest(grouped, "predictions", thresh=0.5).labels == 1
    assert yolov1_fo.accept(grouped).labels == 1
    assert names(grouped.select_group_slices()) == [["cat"], None]
    assert yolov1_fo.undo_accept(grouped).labels == 1
    grouped.delete()


@pytest.mark.parametrize(
    ("options", "kind", "line"),
    [
        ({"field": "predictions"}, ValueError, "label_ids must name the labels of 'p"),
        ({"field": "typo", "label_ids": []}, ValueError, "field 'typo' is not on"),
        ({"gt_field": "predictionz"}, ValueError, "'predictionz_suggested' is not on"),
        ({"gt_field": "filepath"}, ValueError, "must hold Detections, got StringF"),
        ({"label_ids": "x"}, TypeError, "label_ids must be a list of ids, got 'x'"),
        ({"label_ids": [3]}, TypeError, "each of label_ids must be a string, got 3"),
        (
            {"field": "ground_truth", "label_ids": []},
            ValueError,
            "field must be another than gt_field",
        ),
    ],
)
def test_an_invalid_argument_raises_one_clear_line(some, options, kind, line):
    before = stored(some)
    with pytest.raises(kind, match=line) as caught:
        yolov1_fo.accept(some, **options)
    assert "\n" not in str(caught.value)
    assert stored(some) == before


def test_an_attribute_of_another_type_is_not_replaced(some):
    sample = some.last()
    sample.ground_truth.detections[0]["source"] = 3
    sample.save()
    some.add_dynamic_sample_fields()
    before = stored(some)
    line = r"'ground_truth.detections.source' on .* must hold strings .* got IntField"
    with pytest.raises(ValueError, match=line):
        yolov1_fo.accept(some)
    assert stored(some) == before


def test_a_read_only_field_is_refused(some):
    field = some.get_field("ground_truth")
    field.read_only = True
    field.save()
    for call in (yolov1_fo.accept, yolov1_fo.undo_accept):
        with pytest.raises(
            ValueError, match=r"gt_field 'ground_truth' on .* read-only"
        ):
            call(some)


@pytest.mark.parametrize("call", ["accept", "undo_accept"])
def test_patches_and_empty_datasets_are_refused(some, call):
    for samples, line in (
        (some.to_patches(FIELD), "shows patches; pass the samples"),
        (some.to_patches(FIELD).limit(0), "shows patches; pass the samples"),
        (fo.Dataset(), "has no samples"),
        ("mine", "must be a FiftyOne dataset or view"),
    ):
        with pytest.raises((ValueError, TypeError), match=line) as caught:
            getattr(yolov1_fo, call)(samples)
        assert "\n" not in str(caught.value)
